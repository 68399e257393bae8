//! The journal on a database and keys of its own.

mod exports;
mod sequencing;
mod support;
