//! A database per test: a copy of a migrated file on SQLite, a copy of a migrated template on PostgreSQL (when
//! `TEST_DATABASE_URL` names a server).

use std::path::{Path, PathBuf};

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tokio::sync::OnceCell;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();

pub fn server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

pub fn is_postgres() -> bool {
    server().is_some()
}

/// One database, gone with the test.
#[derive(Debug)]
pub struct TestDatabase {
    pub url: String,
    name: Option<String>,
}

impl TestDatabase {
    pub async fn create(folder: &Path) -> Self {
        match server() {
            Some(server) => {
                let template = TEMPLATE.get_or_init(|| postgres_template(&server)).await;
                let name = format!("nproxy_test_{}", uuid::Uuid::new_v4().simple());
                let admin = Database::connect(&server).await.unwrap();
                // Copies of one template are made one at a time, across test processes too.
                admin.execute_unprepared("SELECT pg_advisory_lock(51501)").await.unwrap();
                admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
                admin.execute_unprepared("SELECT pg_advisory_unlock(51501)").await.unwrap();
                admin.close().await.unwrap();
                Self { url: with_name(&server, &name), name: Some(name) }
            }
            None => {
                let template = TEMPLATE.get_or_init(sqlite_template).await;
                let file = folder.join("test.sqlite3");
                std::fs::copy(template, &file).unwrap();
                Self { url: format!("sqlite://{}?mode=rwc", file.display()), name: None }
            }
        }
    }

    /// On a server of the test's own, which takes it along when it goes.
    pub async fn on(server: &str) -> Self {
        let admin = Database::connect(server).await.unwrap();
        admin.execute_unprepared("CREATE DATABASE nproxy").await.unwrap();
        admin.close().await.unwrap();
        let url = with_name(server, "nproxy");
        migrate(&url).await;
        Self { url, name: None }
    }

    /// Without any table. `postgres` wants a server in `TEST_DATABASE_URL`.
    pub async fn empty(folder: &Path, postgres: bool) -> Self {
        if !postgres {
            return Self { url: format!("sqlite://{}?mode=rwc", folder.join("empty.sqlite3").display()), name: None };
        }
        let server = server().unwrap();
        let name = format!("nproxy_empty_{}", uuid::Uuid::new_v4().simple());
        let admin = Database::connect(&server).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        Self { url: with_name(&server, &name), name: Some(name) }
    }

    pub async fn drop(self) {
        if let (Some(name), Some(server)) = (self.name, server()) {
            let admin = Database::connect(&server).await.unwrap();
            admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            admin.close().await.unwrap();
        }
    }
}

async fn sqlite_template() -> String {
    let file: PathBuf = std::env::temp_dir().join(format!("nproxy-template-{}.sqlite3", std::process::id()));
    let _ = std::fs::remove_file(&file);
    migrate(&format!("sqlite://{}?mode=rwc", file.display())).await;
    file.display().to_string()
}

async fn postgres_template(server: &str) -> String {
    let name = format!("nproxy_template_{}", std::process::id());
    let admin = Database::connect(server).await.unwrap();
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    admin.close().await.unwrap();
    migrate(&with_name(server, &name)).await;
    name
}

async fn migrate(url: &str) {
    let db: DatabaseConnection = Database::connect(url).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    db.close().await.unwrap();
}

fn with_name(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}
