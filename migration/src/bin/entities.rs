//! `bin/entities`: migrate a scratch database, read its schema, write one entity per table.
//!
//! The generator is the library behind `sea-orm-cli`, so nobody has to install a tool.

use std::path::PathBuf;

use migration::{Migrator, MigratorTrait};
use sea_orm_cli::{Cli, Commands, run_generate_command};
use sea_orm_migration::sea_orm::Database;

/// Tables with an owner elsewhere: the job system and the migration tool.
const FOREIGN_TABLES: &str = "seaql_migrations,jobs,job_ticks";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: entities DATABASE_URL OUT_DIR".into());
    };
    let db = Database::connect(&url).await?;
    Migrator::up(&db, None).await?;
    db.close().await?;

    let cli = <Cli as clap::Parser>::try_parse_from([
        "sea-orm-cli",
        "generate",
        "entity",
        "--database-url",
        &url,
        "--output-dir",
        &out,
        "--ignore-tables",
        FOREIGN_TABLES,
        "--with-prelude",
        "none",
    ])?;
    if let Commands::Generate { command } = cli.command {
        run_generate_command(command, false).await?;
    }

    // Every moment is UTC: the type says so instead of carrying an offset.
    for entry in std::fs::read_dir(PathBuf::from(out))? {
        let path = entry?.path();
        let code = std::fs::read_to_string(&path)?;
        std::fs::write(&path, code.replace("DateTimeWithTimeZone", "DateTimeUtc"))?;
    }
    Ok(())
}
