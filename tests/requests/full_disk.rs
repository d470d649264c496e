//! X10: a disk without room. What cannot be kept is said so and costs nothing, everything else goes on, and with the room
//! the site is well again.

use std::path::{Path, PathBuf};

use crate::support::{Setup, TestApp};

/// A disk of its own with so much room; `None` where this process may not make one.
struct Disk(PathBuf);

impl Disk {
    fn of(size: &str, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|it| it.status.success()) {
            return Some(Self(at.to_owned()));
        }
        println!("not run: only root can make a small disk");
        None
    }

    fn fill(&self) -> PathBuf {
        let filler = self.0.join(".filler");
        let _ = std::fs::write(&filler, vec![0_u8; 64 << 20]);
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn without_room_for_pictures_nothing_is_charged() {
    let app = TestApp::with(Setup { s3: false, ..Setup::default() }).await;
    let Some(disk) = Disk::of("8m", &app.files()) else { return app.finish().await };
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let filler = disk.fill();

    let page = ada.make("a boat", &[]).await;
    assert!(!page.has(".cell img"), "{}", page.text());
    assert_eq!(app.spent("ada").await, 0);
    assert_eq!(app.open_holds().await, 0);
    assert_eq!(app.readiness().await.status, 503);
    for path in ["/app", "/app/history", "/app/billing", "/login", "/up"] {
        assert!(ada.get(path).await.status < 400, "{path}");
    }

    std::fs::remove_file(filler).unwrap();
    assert_eq!(app.readiness().await.status, 200);
    let page = ada.make("another boat", &[]).await;
    assert!(page.has(".cell img"), "{}", page.text());
    assert_eq!(app.spent("ada").await, 1);
    app.idle().await;
    drop(disk);
    app.abandon().await;
}

#[tokio::test]
async fn without_room_for_the_database_it_says_so_and_heals() {
    if crate::support::is_postgres() {
        return;
    }
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let folder = app.folder.path().join("small");
    let Some(disk) = Disk::of("16m", &folder) else { return app.finish().await };
    let database = folder.join("copy.sqlite3");
    app.sql(&format!("VACUUM INTO '{}'", database.display())).await;
    let url = format!("sqlite://{}?mode=rwc", database.display());
    let server = super::edge::Server::on(&app, &url).await;
    let person = crate::support::Person::new(&format!("http://localhost:{}", server.port));
    let login = [("email", "ada@example.com"), ("password", nproxy::models::users::seeds::PASSWORD)];
    assert_eq!(person.post("/login", &login).await.status, 303);

    let filler = disk.fill();
    let mut refused = person.try_ask("a boat", &[], None).await;
    for _ in 0..40 {
        if refused.status >= 500 {
            break;
        }
        // The journal has some room of its own.
        refused = person.try_ask("a boat", &[], None).await;
    }
    assert_eq!(refused.status, 500, "{}", refused.html().text());
    assert!(refused.html().text().contains("Nothing was charged."), "{}", refused.html().text());
    for path in ["/app", "/app/billing", "/up"] {
        assert_eq!(person.get(path).await.status, 200, "{path}");
    }

    std::fs::remove_file(filler).unwrap();
    let healed = person.post("/app/account/sessions/revocation", &[]).await;
    assert!(healed.status < 500, "{}", healed.html().text());
    drop(server);
    let whole = sea_orm::Database::connect(&url).await.unwrap();
    let check = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA integrity_check");
    let row = sea_orm::ConnectionTrait::query_one_raw(&whole, check).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok");
    assert_eq!(nproxy::models::ledger_entries::check::run(&whole).await.unwrap(), []);
    whole.close().await.unwrap();
    drop(disk);
    app.finish().await;
}
