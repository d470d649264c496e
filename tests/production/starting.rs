//! A process starts with everything it needs, or says in a sentence why not.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, Statement};

use super::fleet::Site;
use crate::support::Finished;
use crate::support::free_port;

/// What is missing is named, all of it, in a sentence and not in the words of a template.
#[tokio::test]
async fn missing_variables_are_named_in_one_sentence() {
    let site = Site::prepare("https://app.example.com").await;
    let bare = |set: &[(&str, &str)]| {
        let mut command = site.nproxy(&["start", "--server"]);
        for name in ["APP_URL", "NPROXY_SECRET_KEY", "DATABASE_URL", "SMTP_HOST", "MAILER_FROM"] {
            command.env_remove(name);
        }
        command.envs(set.iter().copied());
        command
    };

    let all = Finished::of(&mut bare(&[])).await;
    assert_eq!(all.code, Some(1));
    insta::assert_snapshot!(all.err.trim(), @"nproxy: production needs APP_URL, DATABASE_URL, MAILER_FROM, NPROXY_SECRET_KEY, SMTP_HOST from the environment, and they are not set. README.md says what each means; bin/setup-production writes a file for most of them");
    assert_eq!(all.out, "");

    let one = Finished::of(&mut bare(&[
        ("APP_URL", "https://app.example.com"),
        ("NPROXY_SECRET_KEY", ""), // empty is missing
        ("DATABASE_URL", "sqlite::memory:"),
        ("SMTP_HOST", "mail.example.com"),
        ("MAILER_FROM", "nproxy <a@example.com>"),
    ]))
    .await;
    assert_eq!(one.code, Some(1));
    assert!(one.err.contains("needs NPROXY_SECRET_KEY from the environment, and it is not set"), "{}", one.err);
    site.close().await;
}

/// A wrong address of Redis, and a database that is not there, are said without their passwords.
#[tokio::test]
async fn wrong_addresses_are_named_without_their_passwords() {
    let site = Site::prepare("https://app.example.com").await;
    let wrong = Finished::of(site.nproxy(&["start"]).env("REDIS_URL", "http://:sesame@nowhere")).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("REDIS_URL: not an address of a Redis"), "{}", wrong.err);
    assert!(!wrong.said().contains("sesame"), "{}", wrong.said());
    site.close().await;
}

/// Several processes start at once on an empty database: one migrates, the others wait, all run.
#[tokio::test(flavor = "multi_thread")]
async fn four_processes_that_start_at_once_migrate_once() {
    let site = Site::prepare("https://app.example.com").await;
    let commands: [&[&str]; 4] = [&["start", "--server"], &["start", "--server"], &["start", "--worker"], &["start"]];
    let processes: Vec<_> = commands.iter().map(|command| site.launch_on(free_port(), command)).collect();
    for process in &processes {
        site.lives(process).await;
    }

    let logs: Vec<String> = processes.iter().map(|process| site.said(process.port)).collect();
    let migrated = logs.iter().filter(|log| log.contains("the schema is up to date")).count();
    assert_eq!(migrated, 1, "{logs:#?}");
    assert!(
        logs.iter().all(|log| log.contains(&format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION")))),
        "{logs:#?}"
    );
    let db = Database::connect(site.database_url()).await.unwrap();
    let ask = Statement::from_string(db.get_database_backend(), "SELECT version FROM seaql_migrations");
    assert_eq!(db.query_all_raw(ask).await.unwrap().len(), Migrator::migrations().len());
    db.close().await.unwrap();
    for process in processes {
        assert_eq!(process.stop().await, Some(0));
    }
    site.close().await;
}

/// A release that is older than the schema does not touch it, also when it leaves migrations to others.
#[tokio::test]
async fn an_older_release_refuses_a_newer_schema() {
    let site = Site::prepare("https://app.example.com").await;
    let db = Database::connect(site.database_url()).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_hovercrafts', 0)";
    db.execute_unprepared(newer).await.unwrap();
    db.close().await.unwrap();

    for migrates in ["true", "false"] {
        for what in ["--server", "--worker", "--all"] {
            let refused = Finished::of(site.nproxy(&["start", what]).env("AUTO_MIGRATE", migrates)).await;
            assert_eq!(refused.code, Some(1), "{}", refused.said());
            let said = "nproxy: the database has been migrated by a newer release: its schema has \
                        m20991231_000001_hovercrafts, which nproxy 0.1.0 does not know. Start the newer release, or go \
                        back to a backup from before the upgrade (UPGRADING.md)";
            assert!(refused.err.contains(said), "{}", refused.err);
        }
    }
    site.close().await;
}

/// Whoever keeps the processes running can ask each of them in the same way, also one that only runs jobs.
#[tokio::test(flavor = "multi_thread")]
async fn every_process_says_that_it_lives() {
    let site = Site::prepare("https://app.example.com").await;
    for command in [&["start", "--server"][..], &["start", "--worker"], &["start", "--all"], &["scheduler"]] {
        let process = site.start(command).await;
        let health = site.health(process.port).await;
        assert_eq!(health.code, Some(0));
        assert!(health.out.contains(env!("CARGO_PKG_VERSION")), "{}", health.out);
        let port = process.port;
        assert_eq!(process.stop().await, Some(0), "{command:?}: {}", site.said(port));
        let health = site.health(port).await;
        assert_eq!((health.code, health.out.as_str()), (Some(1), ""));
        assert!(health.err.contains("refused"), "{}", health.err);
    }
    site.close().await;
}
