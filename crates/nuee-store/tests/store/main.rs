//! The store over a real database, real custody and a real site: what a surface relies on.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails")]

mod clock;
mod copies;
mod damage;
mod lifecycle;
mod listing;
mod objects;
mod placement;
mod platform;
mod quotas;
mod reclaiming;
mod retention;
mod rotating;
mod tampering;
mod uploads;
mod versions;
