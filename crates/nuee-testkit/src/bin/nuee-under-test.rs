//! The program `nuee`, built together with the tests that run it, so that they never run an older one.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    nuee::run()
}
