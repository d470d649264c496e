//! The `nproxy` binary: Loco's command line over our application, and our own commands (`src/console.rs`).

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests and jobs are many small pieces of memory on several threads, which the C library hands out one by one under a
/// few locks.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "an operator reads it")]
async fn main() -> ExitCode {
    match Box::pin(nproxy::console::main()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nproxy: {error}");
            ExitCode::FAILURE
        }
    }
}
