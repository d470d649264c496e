//! Nothing is forgotten in the store: what nobody can reach is removed, and what has a row has its bytes.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use nproxy::models::assets;
use reqwest::Method;
use serde_json::Value;

use crate::support::{
    Answer, Finished, Person, Setup, TestApp, eventually, free_port, is_postgres, pictures,
    s3::{Fault, S3Server},
};

async fn quiet() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

fn png(side: u32) -> Bytes {
    pictures::png(&pictures::drawing(side, side))
}

/// A wish that is refused for its prompt, with a picture that is taken.
async fn only_upload(person: &Person, file: Bytes) -> Answer {
    person.try_ask("", &[("composer", "1"), ("mode", "image_to_image")], Some(("a.png", file))).await
}

impl TestApp {
    /// How many objects are in each state, as the table says.
    async fn objects(&self) -> String {
        let sql = "SELECT state || ' ' || COUNT(*) FROM storage_objects GROUP BY state ORDER BY state";
        self.texts(sql).await.join(", ")
    }

    async fn age_objects(&self, hours: i64) {
        self.set_time("storage_objects", "changed_at", Utc::now() - TimeDelta::hours(hours), "1 = 1").await;
    }

    async fn sweep(&self) {
        self.task("object_sweep", &[]).await.unwrap();
    }
}

/// F42, X8, I14: bytes are stored, the commit is lost. The keys are known; a day later the bytes are gone, another day
/// later the keys are forgotten. What is still on its way is left alone.
#[tokio::test]
async fn a_lost_commit_leaves_nothing_behind() {
    let app = quiet().await;
    let ada = app.sign_in("ada").await;
    if is_postgres() {
        app.sql(
            "CREATE FUNCTION no_assets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'lost'; END $$",
        )
        .await;
        app.sql("CREATE TRIGGER no_assets BEFORE INSERT ON assets FOR EACH ROW EXECUTE FUNCTION no_assets()").await;
    } else {
        app.sql("CREATE TRIGGER no_assets BEFORE INSERT ON assets BEGIN SELECT RAISE(ABORT, 'lost'); END").await;
    }
    assert_eq!(only_upload(&ada, png(32)).await.status, 500);
    assert_eq!((app.stored().len(), app.objects().await), (2, "pending 2".into()));

    app.sweep().await;
    assert_eq!(app.stored().len(), 2, "a put may take its time");
    app.age_objects(27).await;
    assert!(app.task("object_check", &[]).await.is_err(), "the check finds it too");

    app.sweep().await;
    assert_eq!((app.stored().len(), app.objects().await), (0, "gone 2".into()));
    app.task("object_check", &[("all", "true")]).await.unwrap();
    app.sweep().await;
    assert_eq!(app.objects().await, "gone 2", "a put that was given up may still arrive");
    app.age_objects(25).await;
    app.sweep().await;
    assert_eq!(app.objects().await, "");
    app.finish().await;
}

/// F42, X8: the process is killed with SIGKILL after the bucket took the bytes and before the commit. Nothing of it stays.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_put_and_commit() {
    let app = Box::pin(quiet()).await;
    let s3 = S3Server::start().await;
    let port = free_port();
    let url = format!("http://localhost:{port}");
    let mut server = app
        .command()
        .envs(s3.environment())
        .arg("start")
        .env("PORT", port.to_string())
        .env("APP_URL", &url)
        .spawn()
        .unwrap();
    let ada = Person::new(&url);
    let sign_in = [("email", "ada@example.com"), ("password", nproxy::models::users::seeds::PASSWORD)];
    let login = format!("{url}/login");
    eventually("the server to be up", || async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(&login).send().await.ok().map(|_| ())
    })
    .await;
    assert_eq!(Box::pin(ada.post("/login", &sign_in)).await.status, 303);

    // The thumbnail is stored and answered, the picture is stored and never answered.
    s3.fail_next(Method::PUT, Fault::Fine);
    s3.fail_next(Method::PUT, Fault::Held);
    let upload = tokio::spawn(async move {
        let token = uuid::Uuid::new_v4().to_string();
        let form = reqwest::multipart::Form::new()
            .text("prompt", "a boat")
            .text("client_token", token)
            .part("image", reqwest::multipart::Part::bytes(png(32).to_vec()).file_name("a.png"));
        let request = ada.request(Method::POST, "/app/conversations").header("sec-fetch-site", "same-origin");
        request.multipart(form).send().await
    });
    let stored = || {
        let uploads = s3.bucket().join("uploads");
        fs::read_dir(uploads)
            .into_iter()
            .flatten()
            .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
            .count()
    };
    eventually("both objects", || async { (stored() >= 2).then_some(()) }).await;
    server.kill().await.unwrap();
    assert!(upload.await.unwrap().is_err(), "nobody answers any more");
    assert_eq!((app.count("SELECT COUNT(*) FROM assets").await, app.objects().await), (0, "pending 2".into()));

    for (hours, left, known) in [(1, 2, "pending 2"), (25, 0, "gone 2"), (50, 0, "")] {
        let mut sweep = app.command();
        let offset = (hours * 3_600).to_string();
        let end = Finished::of(
            sweep.args(["task", "object_sweep"]).envs(s3.environment()).env("NPROXY_CLOCK_OFFSET", offset),
        )
        .await;
        assert_eq!(end.code, Some(0), "{}", end.said());
        let objects = fs::read_dir(s3.bucket().join("uploads"))
            .into_iter()
            .flatten()
            .flat_map(|folder| fs::read_dir(folder.unwrap().path()).into_iter().flatten())
            .count();
        assert_eq!((objects, app.objects().await.as_str()), (left, known), "after {hours} hours");
    }
    Box::pin(app.finish()).await;
}

/// A picture that somebody gave and never used is theirs alone: after a week it is gone. One that was used stays, and one
/// that was chosen again stays for another week.
#[tokio::test]
async fn unused_uploads_are_taken_away() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let used = ada.try_ask("a boat", &[], Some(("a.png", png(31)))).await;
    ada.settled(&used.location()).await;
    for side in [32, 33] {
        let page = only_upload(&ada, png(side)).await.html();
        assert!(page.text().contains("If nothing is made from it, it is removed after 7 days."), "{}", page.text());
    }
    app.set_time("assets", "created_at", Utc::now() - TimeDelta::days(8), "1 = 1").await;
    app.set_time("assets", "chosen_at", Utc::now() - TimeDelta::days(8), "1 = 1").await;
    let again = only_upload(&ada, png(33)).await;
    assert_eq!(again.status, 422);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM assets WHERE origin = 'upload'").await,
        3,
        "the same one is not kept twice"
    );

    app.sweep().await;

    let left =
        app.texts("SELECT width || '' FROM assets WHERE deleted_at IS NULL AND origin = 'upload' ORDER BY id").await;
    assert_eq!(left, ["31", "33"]);
    assert_eq!((app.stored().len(), app.objects().await), (6, "gone 2, live 6".into()));
    app.task("object_check", &[("all", "true"), ("deep", "true")]).await.unwrap();
    app.finish().await;
}

/// What a deleted picture leaves in the store is taken out by one verb, as often as one likes.
#[tokio::test]
async fn a_deleted_picture_leaves_no_bytes() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    ada.make("a boat", &[]).await;
    let asset = assets::by_id(&app.ctx.db, app.count("SELECT id FROM assets").await).await.unwrap();
    app.sql("UPDATE assets SET deleted_at = created_at").await;

    for _ in 0..2 {
        asset.erase(&app.ctx).await.unwrap();
        assert_eq!((app.stored().len(), app.objects().await), (0, "gone 2".into()));
    }
    app.finish().await;
}

/// A store that does not let go is asked again by the next sweep, and what it did let go is not held up by the rest.
#[tokio::test]
async fn a_store_that_is_down_is_swept_later() {
    let app = TestApp::with(Setup { s3: true, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    ada.make("a boat", &[]).await;
    app.sql("UPDATE storage_objects SET state = 'doomed'").await;

    app.s3().stop().await;
    let error = app.task("object_sweep", &[]).await.unwrap_err().to_string();
    assert_eq!((error.contains("2 objects could not be removed"), app.objects().await), (true, "doomed 2".into()));
    app.s3().restart();
    app.sweep().await;
    assert_eq!(app.objects().await, "gone 2");
    app.finish().await;
}

/// I14: what no row knows is found by a look at all of it, and removed only by hand, only where our pictures lie and only
/// when it is old: to a new database every picture in the store is unknown.
#[tokio::test]
async fn strays_are_removed_only_by_hand() {
    for s3 in [false, true] {
        let app = TestApp::with(Setup { s3, ..Setup::default() }).await;
        app.sandbox.gemini().sketch(true);
        let ada = app.sign_in("ada").await;
        ada.make("a boat", &[]).await;
        let root = app.files();
        let objects = app.count("SELECT COUNT(*) FROM storage_objects").await;
        let lay = |key: &str, days: u64| {
            let path = root.join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "stray").unwrap();
            let then = SystemTime::now() - Duration::from_secs(days * 86_400);
            fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        };
        lay("outputs/one/old.png", 3);
        lay("uploads/two/old.png", 3);
        lay("uploads/two/young.png", 0);
        lay("elsewhere/old.png", 3);

        app.sweep().await;
        assert!(root.join("outputs/one/old.png").exists());
        assert!(app.task("object_check", &[]).await.is_ok(), "some pictures are looked at, not the store");
        let error = app.task("object_check", &[("all", "true")]).await.unwrap_err().to_string();
        assert!(error.contains("2 findings"), "{error}");
        app.task("object_sweep", &[("strays", "true")]).await.unwrap();

        for (key, is_left) in [
            ("outputs/one/old.png", false),
            ("uploads/two/old.png", false),
            ("uploads/two/young.png", true),
            ("elsewhere/old.png", true),
        ] {
            assert_eq!(root.join(key).exists(), is_left, "{key}");
        }
        app.task("object_check", &[("all", "true"), ("deep", "true")]).await.unwrap();
        assert_eq!(app.count("SELECT COUNT(*) FROM storage_objects").await, objects);
        app.finish().await;
    }
}

/// I13: a picture whose bytes are missing, too few or others is named, with exit code 1; so is a thumbnail that is missing.
#[tokio::test]
async fn missing_bytes_are_named() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    ada.make("a boat", &[("batch_size", "3")]).await;
    let root = app.files();
    let keys = app.texts("SELECT storage_key FROM assets ORDER BY id").await;
    let thumb = app.text("SELECT thumb_key FROM assets ORDER BY id LIMIT 1").await;
    let fine = app.nproxy(&["task", "object_check"]).await;
    assert_eq!(fine.code, Some(0), "{}", fine.said());
    assert!(fine.out.contains("3 pictures looked at, all there"), "{}", fine.out);

    fs::remove_file(root.join(&thumb)).unwrap();
    fs::remove_file(root.join(&keys[0])).unwrap();
    fs::write(root.join(&keys[1]), "short").unwrap();
    let mut bytes = fs::read(root.join(&keys[2])).unwrap();
    bytes[100] ^= 1;
    fs::write(root.join(&keys[2]), bytes).unwrap();

    let found = app.nproxy(&["task", "object_check", "json:true", "deep:true"]).await;
    assert_eq!(found.code, Some(1), "{}", found.said());
    let report: Value = serde_json::from_str(found.out.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let mut said: Vec<_> = report["findings"].as_array().unwrap().iter().map(ToString::to_string).collect();
    said.sort();
    let mut expected: Vec<_> = [
        (&keys[0], "is missing"),
        (&thumb, "is missing"),
        (&keys[1], "has another length than its row says"),
        (&keys[2], "has other bytes than its row says"),
    ]
    .iter()
    .map(|(key, says)| serde_json::json!({ "key": key, "says": says }).to_string())
    .collect();
    expected.sort();
    assert_eq!((report["pictures"].as_u64(), said), (Some(3), expected));
    let usage = app.nproxy(&["task", "object_check", "all:maybe"]).await;
    assert_eq!(usage.code, Some(1));
    assert!(usage.said().contains("usage: nproxy task object_check"), "{}", usage.said());
    assert!(Path::new(&root).exists());
    app.finish().await;
}
