//! The journal on a database and keys of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod exports;
mod sequencing;
mod support;
