//! The management API, as its callers find it.

mod access;
mod bench;
mod generated;
mod matrix;
mod operators;
mod people;
mod sign_ins;
mod things;

pub(crate) use bench::{Bench, Person, code_of};
