//! The `nproxy` binary: Loco's command line over our application.

use std::process::ExitCode;

use loco_rs::cli;
use migration::Migrator;
use nproxy::app::App;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "an operator reads it")]
async fn main() -> ExitCode {
    match cli::main::<App, Migrator>().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nproxy: {error}");
            ExitCode::FAILURE
        }
    }
}
