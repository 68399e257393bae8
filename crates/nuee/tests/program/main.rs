//! The program as its users run it: the binary, its options, what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod administration;
mod keys;
mod people;
mod start;
mod support;
