//! The `nproxy` binary: Loco's command line over our application.

use loco_rs::cli;
use migration::Migrator;
use nproxy::app::App;

#[tokio::main]
async fn main() -> loco_rs::Result<()> {
    cli::main::<App, Migrator>().await
}
