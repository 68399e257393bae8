//! Clients that write, overwrite, copy and delete objects, and remember what was acknowledged to them and when.
//!
//! A key belongs to one client, which sends one request at a time: so what a key may hold after a crash follows from
//! its history alone. It holds what was last acknowledged, or what a request that was under way would have made of
//! it, and nothing else. What objects hold follows from a number, so that nothing but numbers is kept.

mod bodies;
mod check;
mod client;
mod history;
mod mix;

pub(crate) use bodies::Bodies;
pub(crate) use check::{Checker, Finding};
pub(crate) use client::Client;
pub(crate) use history::{History, Moment};
pub(crate) use mix::{Deck, Kind, Runner};
