//! The `nproxy` binary: Loco's command line over our application, and our own commands (`src/console.rs`).

use std::process::ExitCode;

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
