//! Pictures in a folder and in a bucket: the same for people, private in both.

use bytes::Bytes;
use reqwest::{Method, Url};

use crate::support::{Answer, Html, Person, Setup, TestApp, s3::Fault};

const PROMPT: &str = "a lighthouse at dusk";

async fn started(s3: bool) -> TestApp {
    TestApp::with(Setup { s3, ..Setup::default() }).await
}

/// The addresses of a page's picture: itself, its thumbnail, its download.
struct Addresses {
    file: String,
    thumbnail: String,
    download: String,
}

impl Addresses {
    fn of(page: &Html) -> Self {
        let thumbnail = page.attribute(".cell img", "src");
        let download = page.attribute(".cell-actions a[download]", "href");
        Self { file: thumbnail.replace("/thumbnail", ""), thumbnail, download }
    }

    fn all(&self) -> [&str; 3] {
        [&self.file, &self.thumbnail, &self.download]
    }
}

fn painted(app: &TestApp) -> Bytes {
    app.sandbox.gemini().calls().last().unwrap().picture.clone().unwrap()
}

/// What the page shows is the picture, from the page's own origin, for this browser only.
async fn shows_its_picture(app: &TestApp, person: &Person, addresses: &Addresses) {
    let file = person.get(&addresses.file).await;
    assert_eq!((file.status, &file.bytes), (200, &painted(app)));
    assert_eq!(file.header("content-type"), "image/jpeg");
    assert_eq!(file.header("content-length"), file.bytes.len().to_string());
    assert_eq!(file.header("content-disposition"), "inline");
    assert!(file.header("cache-control").starts_with("private, "), "{}", file.header("cache-control"));
    let thumbnail = person.get(&addresses.thumbnail).await;
    assert_eq!((thumbnail.status, thumbnail.header("content-type")), (200, "image/jpeg"));
    assert!(thumbnail.bytes.len() > 100 && thumbnail.bytes.len() < file.bytes.len());

    for (path, shown) in [(&addresses.file, &file), (&addresses.thumbnail, &thumbnail)] {
        let again = person.request(Method::GET, path).header("if-none-match", shown.header("etag"));
        assert_eq!(person.send(again).await.status, 304, "{path} is not sent twice");
    }
}

/// What stands on a page, without the reference, which every answer has of its own.
fn told(answer: &Answer) -> String {
    let text = answer.html().text();
    text.split("Reference").next().unwrap_or_default().to_owned()
}

/// Nobody else sees it, and nothing tells a stranger that it is there.
async fn is_hidden_from_others(app: &TestApp, addresses: &Addresses) {
    let (eve, visitor) = (app.sign_in("eve").await, app.visitor());
    let nothing = format!("/app/files/{}", uuid::Uuid::now_v7());
    let missing = told(&eve.get(&nothing).await);
    for address in addresses.all() {
        let answer = eve.get(address).await;
        assert_eq!((answer.status, answer.header("location")), (404, ""), "eve, {address}");
        assert_eq!(told(&answer), missing, "eve is told that {address} is there");
        let answer = visitor.get(address).await;
        assert_eq!(answer.status, 303, "a visitor, {address}");
        assert!(answer.location().starts_with("/login?"), "a visitor, {address}: {}", answer.location());
    }
}

fn is_named_after_the_prompt(answer: &Answer) {
    let disposition = answer.header("content-disposition");
    let is_named =
        disposition.starts_with("attachment; filename=\"a-lighthouse-at-dusk-20") && disposition.ends_with(".jpg\"");
    assert!(is_named, "{disposition}");
}

/// F42: with a folder, a picture shows and downloads for its owner, and nobody else gets it.
#[tokio::test]
async fn in_a_folder_a_picture_is_its_owners() {
    let app = started(false).await;
    let ada = app.sign_in("ada").await;
    let addresses = Addresses::of(&ada.make(PROMPT, &[]).await);

    shows_its_picture(&app, &ada, &addresses).await;
    is_hidden_from_others(&app, &addresses).await;
    let download = ada.get(&addresses.download).await;
    assert_eq!((download.status, &download.bytes), (200, &painted(&app)));
    is_named_after_the_prompt(&download);

    let key = app.text("SELECT storage_key FROM assets").await;
    assert_eq!(std::fs::read(app.folder.path().join("files").join(key)).unwrap(), painted(&app));
    app.finish().await;
}

/// F42: with a bucket, the object in it is the picture, byte for byte; it shows for its owner through the application, and
/// neither a stranger nor somebody who knows the object's name gets it.
#[tokio::test]
async fn in_a_bucket_a_picture_is_its_owners() {
    let app = started(true).await;
    let ada = app.sign_in("ada").await;
    let addresses = Addresses::of(&ada.make(PROMPT, &[]).await);

    let keys = [app.text("SELECT storage_key FROM assets").await, app.text("SELECT thumb_key FROM assets").await];
    assert_eq!(app.s3().object(&keys[0]).as_deref(), Some(&painted(&app)[..]));
    assert!(app.s3().object(&keys[1]).is_some());
    assert!(!app.folder.path().join("files").exists(), "nothing goes to the folder");
    shows_its_picture(&app, &ada, &addresses).await;
    is_hidden_from_others(&app, &addresses).await;
    for key in &keys {
        assert_eq!(app.visitor().get(&app.s3().url(key)).await.status, 403, "{key} without a signature");
    }
    app.finish().await;
}

/// F42: a download from a bucket goes straight to it, by a link that names the file, ends within five minutes and cannot
/// be changed.
#[tokio::test]
async fn a_download_from_a_bucket_is_a_short_lived_link() {
    let app = started(true).await;
    let ada = app.sign_in("ada").await;
    let addresses = Addresses::of(&ada.make(PROMPT, &[]).await);

    let redirect = ada.get(&addresses.download).await;

    assert_eq!((redirect.status, redirect.header("cache-control")), (302, "no-store"));
    let link = redirect.header("location").to_owned();
    let key = app.text("SELECT storage_key FROM assets").await;
    assert!(link.starts_with(&format!("{}?", app.s3().url(&key))), "{link}");
    let (_, seconds) =
        link.parse::<Url>().unwrap().query_pairs().into_owned().find(|(name, _)| name == "X-Amz-Expires").unwrap();
    assert!(seconds.parse::<u32>().unwrap() <= 300, "{link}");
    let download = app.visitor().get(&link).await;
    assert_eq!((download.status, &download.bytes), (200, &painted(&app)));
    assert_eq!(download.header("content-type"), "image/jpeg");
    is_named_after_the_prompt(&download);
    let (rest, last) = link.rsplit_once("X-Amz-Signature=").unwrap();
    let forged = format!("{rest}X-Amz-Signature={}", last.chars().rev().collect::<String>());
    assert_ne!(forged, link);
    assert_eq!(app.visitor().get(&forged).await.status, 403);
    app.finish().await;
}

/// F42: what a person gives as input goes to the bucket too, and the run reads it from there.
#[tokio::test]
async fn an_upload_goes_to_the_bucket_and_is_read_from_it() {
    let app = started(true).await;
    let ada = app.sign_in("ada").await;
    ada.make(PROMPT, &[]).await;
    let picture = painted(&app);

    let answer = ada.try_ask("the same in winter", &[], Some(("lighthouse.jpg", picture))).await;
    assert_eq!(answer.status, 303, "{}", answer.html().text());
    ada.settled(&answer.location()).await;

    let key = app.text("SELECT storage_key FROM assets WHERE origin = 'upload'").await;
    assert!(key.starts_with("uploads/"), "{key}");
    let upload = app.s3().object(&key).unwrap();
    let calls = app.sandbox.gemini().calls();
    assert_eq!(calls.last().unwrap().inputs[0].bytes, upload);
    app.finish().await;
}

/// F42, X7: while the store is down a run fails on our side, costs nothing and leaves nothing behind; when the store is
/// back, the next run succeeds without anybody's help. `/ready` tells which it is.
#[tokio::test]
async fn a_store_that_is_down_costs_nobody_anything() {
    let app = started(true).await;
    let ada = app.sign_in("ada").await;
    let before = app.count("SELECT CAST(SUM(available) AS BIGINT) FROM allowances").await;
    assert_eq!(app.readiness().await.status, 200);

    app.s3().stop().await;
    let ready = app.readiness().await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("\"storage\":false") && ready.body.contains("\"database\":true"), "{}", ready.body);
    let page = ada.make(PROMPT, &[]).await;
    let text = page.text();
    assert!(text.contains("Something broke on our side. You were not charged. Try again."), "{text}");
    assert!(!page.has(".cell img"));
    assert_eq!(app.sandbox.gemini().calls().len(), 1, "the picture was made, only not kept");
    assert_eq!(app.count("SELECT CAST(SUM(available) AS BIGINT) FROM allowances").await, before);
    assert_eq!(app.count("SELECT COUNT(*) FROM holds WHERE state <> 'released'").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM assets").await, 0);

    app.s3().restart();
    assert_eq!(app.readiness().await.status, 200);
    let addresses = Addresses::of(&ada.make(PROMPT, &[]).await);
    shows_its_picture(&app, &ada, &addresses).await;
    assert_eq!(app.count("SELECT CAST(SUM(available) AS BIGINT) FROM allowances").await, before - 1);
    app.finish().await;
}

/// X7: a picture that breaks off on its way out of the store is an error to the browser, never half a picture that it
/// keeps for a year.
#[tokio::test]
async fn half_a_picture_is_not_shown_as_a_whole_one() {
    let app = started(true).await;
    let ada = app.sign_in("ada").await;
    let addresses = Addresses::of(&ada.make(PROMPT, &[]).await);

    app.s3().fail_next(Method::GET, Fault::Cut);
    let is_broken = match ada.request(Method::GET, &addresses.file).send().await {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(is_broken, "the browser sees that it broke");

    app.s3().stop().await;
    let answer = ada.get(&addresses.file).await;
    assert_eq!(answer.status, 500);
    assert!(answer.html().text().contains("Something broke on our side"), "{}", answer.html().text());
    app.s3().restart();
    shows_its_picture(&app, &ada, &addresses).await;
    app.finish().await;
}
