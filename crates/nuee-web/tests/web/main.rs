//! The listener as its clients see it: real sockets on free ports, raw bytes in and out.

#![expect(clippy::unwrap_used, reason = "a failure of what supports the tests is a failure of the test")]

mod admin;
mod limits;
mod serving;
mod shutdown;
mod support;
mod tls;
