//! Files: those that people give, and those that only their owner gets.

use std::fs;

use bytes::Bytes;
use nproxy::models::tokens::sha256;

use crate::support::{TestApp, pictures};

const NOT_A_PICTURE: &str =
    "This file is not a picture we can read. Use PNG, JPEG or WebP up to 20 MB. Nothing was charged.";
const TOO_LARGE: &str = "This file is larger than 20 MB. Nothing was charged.";

/// F43: what is not a picture we take is refused with the reason; the words stay in the form, nothing is stored, nothing
/// is charged.
#[tokio::test]
async fn bad_files_are_refused() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let png = pictures::png(&pictures::drawing(64, 64));
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9" height="9"/></svg>"#;
    for (name, bytes, said) in [
        ("notes.png", Bytes::from_static(b"not a picture, only words"), NOT_A_PICTURE),
        ("drawing.svg", Bytes::from_static(svg), NOT_A_PICTURE),
        ("drawing.png", Bytes::from_static(svg), NOT_A_PICTURE),
        ("half.png", png.slice(..png.len() / 2), NOT_A_PICTURE),
        ("anim.gif", Bytes::from_static(b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff;"), NOT_A_PICTURE),
        ("large.png", Bytes::from(vec![7; 21 * 1024 * 1024]), TOO_LARGE),
        ("larger.png", Bytes::from(vec![7; 50 * 1024 * 1024]), TOO_LARGE),
        ("poster.png", pictures::fifty_megapixels(), "This picture has more than 40 megapixels. Nothing was charged."),
    ] {
        let fields = [("composer", "1"), ("mode", "image_to_image"), ("strength", "0.35"), ("aspect_ratio", "3:4")];
        let answer = ada.try_ask("as a woodcut", &fields, Some((name, bytes))).await;
        let page = answer.html();
        assert_eq!(answer.status, 422, "{name}");
        assert_eq!(page.texts("#composer [data-error-text]"), [said], "{name}");
        assert_eq!(page.texts("#prompt"), ["as a woodcut"]);
        assert_eq!(page.value("strength"), "0.35");
        assert_eq!(page.attribute("[name=aspect_ratio][checked]", "value"), "3:4");
        assert_eq!(page.attribute("[name=mode][checked]", "value"), "image_to_image");
    }
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new());
    for table in ["assets", "generations", "conversations", "holds"] {
        assert_eq!(app.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(app.sandbox.gemini().calls().len(), 0);
    assert_eq!(app.spent("ada").await, 0);
    app.finish().await;
}

/// F43: a photograph is kept upright, and nothing in it says where it was taken.
#[tokio::test]
async fn a_photograph_loses_its_place_and_stands_upright() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let photo = pictures::sideways_jpeg();
    let tells = |bytes: &[u8]| bytes.windows(pictures::PLACE.len()).any(|w| w == pictures::PLACE);
    assert!(tells(&photo));

    let answer = ada.try_ask("as a painting", &[("mode", "image_to_image")], Some(("IMG_1.jpg", photo))).await;
    assert_eq!(answer.status, 303, "{}", answer.html().text());
    ada.settled(&answer.location()).await;

    let sent = app.sandbox.gemini().calls().remove(0).inputs.remove(0);
    let key = app.text("SELECT storage_key FROM assets WHERE origin = 'upload'").await;
    let stored = fs::read(app.files().join(key)).unwrap();
    assert_eq!(sent.bytes, stored);
    assert_eq!(sent.mime, "image/jpeg");
    assert!(!tells(&stored));
    assert!(!stored.windows(4).any(|w| w == b"Exif"));
    let upright = image::load_from_memory(&stored).unwrap().to_rgb8();
    assert_eq!(upright.dimensions(), (40, 80));
    let (above, below) = (upright.get_pixel(20, 20), upright.get_pixel(20, 60));
    assert!(above[0] > 180 && above[2] < 80, "red above: {above:?}");
    assert!(below[2] > 180 && below[0] < 80, "blue below: {below:?}");
    let size = app.text("SELECT width || 'x' || height FROM assets WHERE origin = 'upload'").await;
    assert_eq!(size, "40x80");
    app.finish().await;
}

/// F42: a picture belongs to whoever made it. Its owner gets exactly the stored bytes, and may keep them.
#[tokio::test]
async fn a_file_is_its_owners() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let (ada, eve, visitor) = (app.sign_in("ada").await, app.sign_in("eve").await, app.visitor());
    let page = ada.make("A lighthouse, at dusk! \"Quoted\"; ../../x\r\nß", &[]).await;
    let thumbnail = page.attribute(".cell img", "src");
    let file = thumbnail.replace("/thumbnail", "");

    let answer = ada.get(&file).await;

    assert_eq!(answer.status, 200);
    let key = app.text("SELECT storage_key FROM assets").await;
    assert_eq!(answer.bytes, fs::read(app.files().join(key)).unwrap());
    assert_eq!(sha256(&answer.bytes), app.text("SELECT sha256 FROM assets").await);
    assert_eq!(answer.header("content-type"), "image/jpeg");
    assert_eq!(answer.header("content-disposition"), "inline");
    for path in [&file, &thumbnail] {
        let first = ada.get(path).await;
        assert_eq!(first.header("cache-control"), "private, max-age=31536000, immutable", "{path}");
        assert_eq!(first.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'; sandbox");
        assert_eq!(first.header("x-content-type-options"), "nosniff");
        let known = ada.request(reqwest::Method::GET, path).header("if-none-match", first.header("etag"));
        let again = ada.send(known).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0));
        for kept in ["cache-control", "etag", "content-security-policy"] {
            assert_eq!(again.header(kept), first.header(kept), "{path}: the browser keeps what it has, {kept}");
        }
    }
    let small = image::load_from_memory(&ada.get(&thumbnail).await.bytes).unwrap();
    assert_eq!((small.width(), small.height()), (640, 640));

    let download = ada.download(&page.attribute(".cell a[download]", "href")).await;
    assert_eq!(download.bytes, answer.bytes);
    let name = download.header("content-disposition");
    let day = app.time("SELECT created_at FROM assets").await.format("%Y%m%d");
    assert_eq!(name, format!("attachment; filename=\"a-lighthouse-at-dusk-quoted-x-{day}.jpg\""));

    let etag = answer.header("etag");
    for path in [&file, &thumbnail, &format!("{file}?download=1")] {
        let theirs = eve.send(eve.request(reqwest::Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(theirs.status, 404, "{path}");
        assert_eq!(theirs.header("cache-control"), "no-store");
        let nobodys = visitor.send(visitor.request(reqwest::Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(nobodys.status, 303, "{path}");
        assert!(nobodys.location().starts_with("/login?next="));
    }
    app.finish().await;
}

/// F42: an address that tries to climb out of the store finds nothing.
#[tokio::test]
async fn an_id_is_not_a_path() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "..%5c..%5cwindows",
        "%2e%2e",
        "%00",
        "uploads%2f..%2f..%2ftest.sqlite3",
        "0",
        "-1",
        "1%20OR%201=1",
    ] {
        for path in [format!("/app/files/{id}"), format!("/app/files/{id}/thumbnail"), format!("/app/pictures/{id}")] {
            let answer = ada.get(&path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.html().text().contains("There is nothing here"), "{path}");
        }
    }
    for path in ["/static/../Cargo.toml", "/static/%2e%2e/Cargo.toml", "/static/..%2fCargo.toml"] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
    app.finish().await;
}
