//! The whole server, as those outside see it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::format_collect,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; patterns of bytes wrap, digests are short, and figures are printed"
)]

mod access_matrix;
mod api;
mod bad_input;
mod canaries;
mod clients;
mod crawl;
mod cross_origin;
mod damage;
mod disk_full;
mod forms;
mod fuzz;
mod histories;
mod io_errors;
mod journal;
mod journal_counts;
mod kept_data;
mod lifecycle;
mod lock_attacks;
mod memory;
mod model;
mod placement;
mod policies;
mod quotas;
mod random;
mod semantics;
mod sign_in;
mod slow_clients;
mod sts;
mod tls;
mod webhooks;
mod witnesses;
mod zones;
