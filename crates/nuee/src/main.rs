//! The `nuee` program: hands its arguments to the library of the same name.

use std::process::ExitCode;

/// Gives memory back to the system sooner than the C library's allocator, and is faster with many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    nuee::run()
}
