//! The surface before a store in memory: what it refuses, with which error, and that nothing is written then.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod holes;
mod memory;
mod payloads;
mod refusals;
mod signer;
