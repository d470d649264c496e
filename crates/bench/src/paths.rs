//! Hot paths one by one, each as a step that can be taken again and again: for Criterion, and for who counts instructions.

use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use loco_rs::{
    app::{AppContext, Hooks},
    boot::create_context,
    environment::Environment,
};
use nproxy::{
    adapters::images::{Answer, Route, gemini},
    app::App,
    initializers::schema,
    models::{
        holds::{self, Cost, Hold},
        provider_keys::{Lease, Wish, lease},
    },
};
use pictures::{OUTPUT_MAX_BYTES, Source, examine, scan};
use reqwest::header::HeaderMap;
use tokio::runtime::{Builder, Runtime};

use crate::{Result, pictures as vendor, seeds::Books};

/// The names of the paths.
pub const ALL: [&str; 4] = ["gemini", "picture", "choose", "ledger"];

/// Keys of the pool that one is chosen of.
const KEYS: i64 = 100;

/// One path, ready to be walked.
pub enum HotPath {
    /// A vendor's answer with a JPEG of 1024 pixels becomes bytes.
    Gemini(Bytes),
    /// These bytes are looked through, decoded and made a thumbnail of.
    Picture(Bytes),
    /// A key is chosen of a hundred, and given back.
    Choose(Database),
    /// What a picture costs is set aside and captured; then all of it is undone.
    Ledger(Database),
}

/// An application on an `SQLite` file, without anything that runs.
pub struct Database {
    runtime: Runtime,
    ctx: AppContext,
    books: Books,
    user: i64,
    run: i64,
}

impl HotPath {
    /// # Errors
    /// There is no such path, or the application does not start in this folder.
    pub fn of(name: &str, folder: &Path) -> Result<Self> {
        Ok(match name {
            "gemini" => Self::Gemini(vendor::answer(&vendor::real()?)),
            "picture" => Self::Picture(vendor::real()?),
            "choose" => Self::Choose(Database::open(folder)?),
            "ledger" => Self::Ledger(Database::open(folder)?),
            other => return Err(format!("there is no path {other}").into()),
        })
    }

    /// Once along it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn walk(&self) -> Result<()> {
        match self {
            Self::Gemini(body) => {
                let headers = HeaderMap::new();
                let answer = Answer {
                    status: 200,
                    headers: &headers,
                    body,
                    cut: None,
                    route: Route::Direct,
                    now: DateTime::<Utc>::UNIX_EPOCH,
                    private: &["the key", "", "a boat at dusk"],
                };
                gemini::read(&answer).map(drop).map_err(|failure| failure.to_string().into())
            }
            Self::Picture(bytes) => {
                let source = Source::from(bytes.clone());
                let scanned = scan(&source, OUTPUT_MAX_BYTES).map_err(|fault| format!("{fault:?}"))?;
                examine(&source, &scanned).map(drop).map_err(|fault| format!("{fault:?}").into())
            }
            Self::Choose(database) => database.runtime.block_on(database.choose()),
            Self::Ledger(database) => database.runtime.block_on(database.hold_and_settle()),
        }
    }
}

impl Database {
    fn open(folder: &Path) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (ctx, books, user, run) = runtime.block_on(async {
            let environment = Environment::Test;
            let mut config = App::load_config(&environment).await?;
            config.database.uri = format!("sqlite://{}?mode=rwc", folder.join("paths.sqlite3").display());
            config.database.auto_migrate = true;
            schema::settle(&config.database).await?;
            let books = Books::open(&config.database.uri).await?;
            books.keys(KEYS, 1000).await?;
            let user = books.past(1000).await? + 1;
            let run = books.number("SELECT MAX(id) FROM runs").await?;
            let run = books.bare_run(run).await?;
            Ok::<_, crate::Error>((create_context::<App>(&environment, config).await?, books, user, run))
        })?;
        Ok(Self { runtime, ctx, books, user, run })
    }

    async fn choose(&self) -> Result<()> {
        let wish = Wish {
            provider: "gemini",
            wire_model: "gemini-nano-banana-2.1",
            run_id: self.run,
            position: 1,
            has_waited: false,
            alone: None,
        };
        let Lease::Granted(leased) = lease(&self.ctx, wish).await? else { return Err("no key is free".into()) };
        self.books.run(&format!("DELETE FROM key_leases WHERE id = {}", leased.id)).await?;
        Ok(())
    }

    async fn hold_and_settle(&self) -> Result<()> {
        let txn = durable_jobs::tx::begin(&self.ctx.db).await?;
        let cost = Cost { outputs: 1, tokens_each: 100 };
        let Hold::Held(_) = holds::hold(&txn, self.user, self.run, cost).await? else { return Err("not held".into()) };
        if !holds::settle(&txn, self.run, 1, 1).await? {
            return Err("not settled".into());
        }
        txn.rollback().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, HotPath};

    /// What the application asks of a step may change, and nobody measures every day.
    #[test]
    fn every_path_can_be_walked_again_and_again() {
        std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap();
        for name in ALL {
            let folder = std::env::temp_dir().join(format!("nproxy-path-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let path = HotPath::of(name, &folder).unwrap();
            for _ in 0..2 {
                path.walk().unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            drop(path);
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
}
