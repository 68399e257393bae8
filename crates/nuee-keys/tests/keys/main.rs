//! What keys promise, tried through what the crate shows: sealing and opening, the custody, its backup, rotation, and
//! the bytes of each format.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod backup;
mod custody;
mod fuzz;
mod known_answers;
mod ring;
mod rotation;
mod round_trip;
mod support;
