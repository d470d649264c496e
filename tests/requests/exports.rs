//! Archives to take away.

use std::io::{Cursor, Read};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use zip::ZipArchive;

use crate::support::{Person, Setup, TestApp, eventually, pictures};

type Zip = ZipArchive<Cursor<Vec<u8>>>;

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

/// F112: three archives at once are enough; with the account they go.
#[tokio::test]
async fn archives_are_counted_and_go_with_the_account() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    for _ in 0..3 {
        assert_eq!(bo.post("/app/exports", &[("everything", "1")]).await.status, 303);
    }
    let fourth = bo.post("/app/exports", &[("everything", "1")]).await;
    assert_eq!(fourth.status, 422);
    assert!(fourth.html().text().contains("Three archives are being packed already."));
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
