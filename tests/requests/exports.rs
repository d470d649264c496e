//! Archives to take away.

use std::{
    fs,
    io::{Cursor, Read},
};

use chrono::{TimeDelta, Utc};
use nproxy::models::exports;
use reqwest::Method;
use serde_json::Value;
use zip::ZipArchive;

use crate::support::{Person, Setup, TestApp, eventually, pictures, s3::Fault};

type Zip = ZipArchive<Cursor<Vec<u8>>>;

const FAILED: &str = "SELECT COUNT(*) FROM jobs WHERE class = 'PrepareExport' AND last_error IS NOT NULL";

fn names(zip: &Zip) -> Vec<String> {
    let mut names: Vec<_> = zip.file_names().map(str::to_owned).collect();
    names.sort();
    names
}

fn read(zip: &mut Zip, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// The newest archive of this person once it is packed.
async fn packed(person: &Person) -> (String, Zip) {
    let url = eventually("the archive", || async {
        let page = person.get("/app/exports").await.html();
        let is_packed = !page.has("#exports[hx-trigger]");
        is_packed.then(|| page.attribute("#exports li:first-child a[download]", "href"))
    })
    .await;
    let answer = person.download(&url).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/zip"));
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"nproxy-"));
    (url, ZipArchive::new(Cursor::new(answer.bytes.to_vec())).unwrap())
}

async fn order_everything(person: &Person) -> u16 {
    person.post("/app/exports", &[("everything", "1")]).await.status
}

impl TestApp {
    /// Files of archives in the store.
    fn packed_files(&self) -> usize {
        self.stored().iter().filter(|file| file.starts_with("exports")).count()
    }
}

/// F112: marked pictures come as one zip, byte for byte, packed by a job that a person need not wait for; what is not
/// theirs is not in it, and nobody else can take it.
#[tokio::test]
async fn marked_pictures_come_together() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for prompt in ["a boat", "a boat", "a kite"] {
        bo.make(prompt, &[]).await;
    }
    let ada = app.sign_in("ada").await;
    ada.make("a stranger's", &[]).await;
    let foreign = ada.get("/app/gallery").await.html().attribute("[name=picture]", "value");
    let mine = bo.get("/app/gallery").await.html().attributes("[name=picture]", "value");

    let nothing = bo.post("/app/exports", &[]).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.html().text().contains("No picture was chosen."));
    assert_eq!(bo.post("/app/exports", &[("picture", &foreign), ("picture", "x")]).await.status, 422);
    assert_eq!(app.count("SELECT COUNT(*) FROM exports").await, 0);

    let marked = [("picture", mine[1].as_str()), ("picture", mine[2].as_str()), ("picture", &foreign)];
    let ordered = bo.post("/app/exports", &marked).await;
    assert_eq!((ordered.status, ordered.location().as_str()), (303, "/app/exports"));
    let (url, mut zip) = packed(&bo).await;
    let names = names(&zip);
    let day = Utc::now().format("%Y%m%d");
    let stems: Vec<_> = names.iter().map(|name| name.rsplit_once('.').unwrap().0.to_owned()).collect();
    assert_eq!(stems, [format!("pictures/a-boat-{day}-2"), format!("pictures/a-boat-{day}")]);
    let drawn: Vec<_> = app.sandbox.gemini().calls()[..2].iter().map(|call| call.picture.clone().unwrap()).collect();
    for name in &names {
        assert!(drawn.iter().any(|picture| picture == &read(&mut zip, name)), "{name} is what was drawn");
    }
    assert_eq!(ada.get(&url).await.status, 404);
    assert_eq!(app.visitor().get(&url).await.status, 303);
    app.task("object_check", &[("all", "true")]).await.unwrap();

    app.set_time("exports", "expires_at", Utc::now() - TimeDelta::seconds(1), "1 = 1").await;
    assert!(bo.get("/app/exports").await.html().text().contains("Its time is over."));
    app.task("object_sweep", &[]).await.unwrap();
    assert_eq!(bo.get(&url).await.status, 303, "it leads to where that is explained");
    assert!(app.stored().iter().all(|file| !file.starts_with("exports")), "{:?}", app.stored());
    app.finish().await;
}

/// F112: everything of mine: pictures, uploads, and a file that says what is what, without a stranger's things and without
/// the numbers of the plan.
#[tokio::test]
async fn everything_comes_with_its_story() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    let picture = pictures::png(&pictures::drawing(64, 64));
    let answer = bo.try_ask("the same in winter", &[("mode", "image_to_image")], Some(("a.png", picture))).await;
    bo.settled(&answer.location()).await;
    app.bill(&bo, "btcpay").await;

    bo.post("/app/exports", &[("everything", "1")]).await;
    let (_, mut zip) = packed(&bo).await;

    let day = Utc::now().format("%Y%m%d");
    let mut files = names(&zip);
    assert_eq!(files.remove(0), "nproxy.json");
    let stems: Vec<_> = files.iter().map(|name| name.rsplit_once('.').unwrap().0.to_owned()).collect();
    assert_eq!(stems[..2], [format!("pictures/a-boat-{day}"), format!("pictures/the-same-in-winter-{day}")]);
    assert!(stems.len() == 3 && stems[2].starts_with("uploads/"), "{stems:?}");
    let about: Value = serde_json::from_slice(&read(&mut zip, "nproxy.json")).unwrap();
    assert_eq!(about["account"]["email"], "bo@example.com");
    let prompts: Vec<_> =
        about["conversations"].as_array().unwrap().iter().flat_map(|it| it["prompts"].as_array().unwrap()).collect();
    assert_eq!(prompts.iter().map(|it| &it["prompt"]).collect::<Vec<_>>(), ["a boat", "the same in winter"]);
    assert_eq!(prompts[0]["pictures"][0]["file"], files[0]);
    assert_eq!(about["invoices"].as_array().unwrap().len(), 1);
    for number in ["granted", "available", "password"] {
        assert!(!about.to_string().contains(number), "{number}");
    }
    app.finish().await;
}

/// F112: three archives at a time are enough; with the account they go.
#[tokio::test]
async fn archives_are_counted_and_go_with_the_account() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    for _ in 0..3 {
        assert_eq!(bo.post("/app/exports", &[("everything", "1")]).await.status, 303);
    }
    let fourth = bo.post("/app/exports", &[("everything", "1")]).await;
    assert_eq!(fourth.status, 422);
    assert!(fourth.html().text().contains("You have three archives already. Delete one,"));
    app.work();
    packed(&bo).await;
    app.idle().await;
    let form = bo.get("/app/account/deletion").await.html().form("form[action='/app/account/deletion']");
    bo.submit(&form.fill("password", nproxy::models::users::seeds::PASSWORD)).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM exports WHERE state <> 'gone'").await, 0);
    app.task("object_sweep", &[]).await.unwrap();
    assert!(app.stored().iter().all(|file| !file.starts_with("exports")), "{:?}", app.stored());
    app.finish().await;
}

/// F112: what is kept takes room like what waits. One that its owner deletes leaves no bytes and makes room for another;
/// nobody else deletes it.
#[tokio::test]
async fn one_archive_makes_room_for_another() {
    let app = TestApp::start().await;
    let (bo, eve) = (app.sign_in("bo").await, app.sign_in("eve").await);
    for _ in 0..3 {
        assert_eq!(order_everything(&bo).await, 303);
    }
    let (url, _) = packed(&bo).await;
    assert_eq!((order_everything(&bo).await, order_everything(&eve).await), (422, 303), "each has room of their own");
    packed(&eve).await;
    app.idle().await;

    let page = bo.get("/app/exports").await.html();
    assert_eq!(page.attributes("#exports form", "action").len(), 3);
    let delete = page.form("#exports li:first-child form");
    assert_eq!((eve.submit(&delete).await.status, app.packed_files()), (404, 4));
    let deleted = bo.submit(&delete).await;
    assert_eq!((deleted.status, deleted.location().as_str()), (303, "/app/exports"));

    assert_eq!((app.packed_files(), bo.get(&url).await.status), (3, 404));
    assert_eq!(bo.get("/app/exports").await.html().attributes("#exports li", "id").len(), 2);
    assert_eq!(order_everything(&bo).await, 303);
    packed(&bo).await;
    app.task("object_check", &[("all", "true")]).await.unwrap();
    app.finish().await;
}

/// F112: a store that does not let the bytes go keeps the room until the sweep has come by; the archive itself is over.
#[tokio::test]
async fn the_bytes_go_before_their_room_is_free() {
    let app = TestApp::with(Setup { s3: true, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    for _ in 0..3 {
        assert_eq!(order_everything(&bo).await, 303);
    }
    let (url, _) = packed(&bo).await;
    app.idle().await;
    let delete = bo.get("/app/exports").await.html().form("#exports li:first-child form");
    for _ in 0..3 {
        app.s3().fail_next(Method::DELETE, Fault::Busy);
    }

    assert_eq!(bo.submit(&delete).await.status, 303);

    assert_eq!((app.s3().faults_left(), app.packed_files()), (0, 3));
    assert!(bo.get("/app/exports").await.html().text().contains("Its time is over."));
    assert_eq!((bo.get(&url).await.status, order_everything(&bo).await), (303, 422));
    app.task("object_sweep", &[]).await.unwrap();
    assert_eq!((app.packed_files(), order_everything(&bo).await), (2, 303));
    packed(&bo).await;
    app.finish().await;
}

/// F112: nobody packs what was deleted before.
#[tokio::test]
async fn what_nobody_waits_for_is_not_packed() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    assert_eq!(order_everything(&bo).await, 303);
    let delete = bo.get("/app/exports").await.html().form("#exports form");

    assert_eq!(bo.submit(&delete).await.status, 303);
    app.work();
    app.idle().await;

    assert_eq!(app.count("SELECT COUNT(*) FROM exports").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM storage_objects").await, 0);
    assert_eq!(app.count(FAILED).await, 0);
    app.finish().await;
}

/// F112: an attempt that fails takes back what it has stored, even what it was not told of.
#[tokio::test]
async fn a_failed_attempt_leaves_nothing() {
    let app = TestApp::with(Setup { s3: true, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    for fault in [Fault::Lost, Fault::Busy, Fault::Busy] {
        app.s3().fail_next(Method::PUT, fault);
    }

    assert_eq!(order_everything(&bo).await, 303);
    packed(&bo).await;

    assert_eq!(app.s3().faults_left(), 0);
    let states = app.texts("SELECT state FROM storage_objects WHERE storage_key LIKE 'exports/%' ORDER BY id").await;
    assert_eq!((states, app.packed_files()), (vec!["gone".to_owned(), "live".to_owned()], 1));
    app.finish().await;
}

/// F112: who finds no packer free waits in a row of the table, not in memory, and no failure is counted.
#[tokio::test]
async fn packers_are_few() {
    let app = TestApp::start().await;
    let bo = app.sign_in("bo").await;
    let mut packers = Vec::new();
    for _ in 0..2 {
        packers.push(eventually("a packer", || async { exports::packer() }).await);
    }
    assert!(exports::packer().is_none());

    assert_eq!(order_everything(&bo).await, 303);
    let again = "SELECT COUNT(*) FROM jobs WHERE class = 'PrepareExport' AND args LIKE '%\"put_off\":2%'";
    eventually("somebody who comes again", || async { (app.count(again).await == 1).then_some(()) }).await;
    assert!(bo.get("/app/exports").await.html().has("#exports[hx-trigger]"));
    drop(packers);

    packed(&bo).await;
    assert_eq!(app.count(FAILED).await, 0);
    app.finish().await;
}

/// F112: a picture that is lost, or is not what was stored any more, keeps nobody from the others. The page says how many
/// there are, and the archive which.
#[tokio::test]
async fn what_cannot_be_read_is_left_out() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for prompt in ["a boat", "a kite", "a tower"] {
        bo.make(prompt, &[]).await;
    }
    let keys = app.texts("SELECT storage_key FROM assets ORDER BY id").await;
    fs::remove_file(app.files().join(&keys[0])).unwrap();
    let damaged = app.files().join(&keys[1]);
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100] ^= 1;
    fs::write(&damaged, bytes).unwrap();

    assert_eq!(order_everything(&bo).await, 303);
    let (_, mut zip) = packed(&bo).await;

    let day = Utc::now().format("%Y%m%d");
    let files = names(&zip);
    assert_eq!(files[..2], ["README.txt", "nproxy.json"]);
    assert!(files.len() == 3 && files[2].starts_with(&format!("pictures/a-tower-{day}.")), "{files:?}");
    let readme = String::from_utf8(read(&mut zip, "README.txt")).unwrap();
    let left_out: Vec<_> = readme.lines().filter(|line| line.starts_with("pictures/")).collect();
    let about: Value = serde_json::from_slice(&read(&mut zip, "nproxy.json")).unwrap();
    assert_eq!((left_out.len(), &about["left_out"]), (2, &serde_json::json!(left_out)), "{readme}");
    for stem in ["pictures/a-boat-", "pictures/a-kite-"] {
        assert!(left_out.iter().any(|file| file.starts_with(stem)), "{readme}");
    }
    let text = bo.get("/app/exports").await.html().text();
    assert!(text.contains("2 pictures could not be read and are not in it: README.txt says which."), "{text}");
    app.finish().await;
}

/// F112: what nobody could pack for two days is given up, in plain words, and keeps its owner from nothing.
#[tokio::test]
async fn what_nobody_could_pack_is_given_up() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    for _ in 0..3 {
        assert_eq!(order_everything(&bo).await, 303);
    }
    for (hours, next) in [(47, 422), (49, 303)] {
        app.set_time("exports", "created_at", Utc::now() - TimeDelta::hours(hours), "1 = 1").await;
        app.task("object_sweep", &[]).await.unwrap();
        let page = bo.get("/app/exports").await.html();
        let is_given_up = page.text().contains("It could not be packed, and after two days was given up.");
        let is_waited_for = page.has("#exports[hx-trigger]");
        assert_eq!((is_given_up, is_waited_for, page.has("#exports form")), (hours > 48, hours < 48, hours < 48));
        assert_eq!(order_everything(&bo).await, next, "after {hours} hours");
    }

    app.work();
    packed(&bo).await;
    app.idle().await;
    assert_eq!(app.texts("SELECT state FROM exports ORDER BY id").await, ["gone", "gone", "gone", "ready"]);
    app.finish().await;
}
