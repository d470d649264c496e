//! The `nproxy` binary: Loco's command line over our application, and what ours says besides.

use std::process::ExitCode;

use loco_rs::cli;
use migration::Migrator;
use nproxy::{
    app::App,
    initializers::{health, start::Start},
    settings,
};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "an operator reads it")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == ["health"] {
        return health();
    }
    let ended = match Start::read(&words) {
        Some(start) => start.run().await,
        None => cli::main::<App, Migrator>().await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nproxy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does the process on this machine live? For the container's health check.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an operator reads it")]
fn health() -> ExitCode {
    match settings::port().and_then(health::ask) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nproxy: {error}");
            ExitCode::FAILURE
        }
    }
}
