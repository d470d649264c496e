//! What makes the studio an application on a phone.

use std::{fs, path::Path};

use flate2::{Compression, write::GzEncoder};
use image::GenericImageView;
use serde_json::Value;
use std::io::Write;

use crate::support::{Setup, TestApp};

/// F113: the manifest is complete, and each of its icons is what it says it is.
#[tokio::test]
async fn it_can_be_installed() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let visitor = app.visitor();
    let link = visitor.get("/login").await.html().attribute("link[rel=manifest]", "href");
    let manifest: Value = serde_json::from_slice(&visitor.get(&link).await.bytes).unwrap();
    assert_eq!(manifest["display"], "standalone");
    let ada = app.sign_in("ada").await;
    assert_eq!(ada.get(manifest["start_url"].as_str().unwrap()).await.status, 200);
    for shortcut in manifest["shortcuts"].as_array().unwrap() {
        assert_eq!(ada.get(shortcut["url"].as_str().unwrap()).await.status, 200);
    }
    let mut sizes = Vec::new();
    for icon in manifest["icons"].as_array().unwrap() {
        let answer = visitor.get(icon["src"].as_str().unwrap()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, icon["type"].as_str().unwrap()));
        if icon["type"] == "image/png" {
            let (width, height) = image::load_from_memory(&answer.bytes).unwrap().dimensions();
            assert_eq!(icon["sizes"], format!("{width}x{height}"));
            sizes.push((width, icon["purpose"].as_str().unwrap().to_owned()));
        }
    }
    for needed in [(192, "any"), (512, "any"), (512, "maskable")] {
        assert!(sizes.contains(&(needed.0, needed.1.to_owned())), "{needed:?}");
    }
    let apple = visitor.get("/login").await.html().attribute("link[rel=apple-touch-icon]", "href");
    assert_eq!(visitor.get(&apple).await.status, 200);
    app.finish().await;
}

/// F113: the service worker lies where it may answer for every page, under the same strict rules; the page that it shows
/// without a network is the same for everybody and needs nothing that it does not name.
#[tokio::test]
async fn there_is_a_page_without_a_network() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let visitor = app.visitor();
    let worker = visitor.get("/service-worker.js").await;
    assert_eq!((worker.status, worker.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert!(worker.header("content-security-policy").contains("script-src 'self';"));
    let ada = app.sign_in("ada").await;
    let page = ada.get("/offline").await;
    assert_eq!(page.html().texts("h1"), ["You are offline"]);
    assert_eq!(page.body, visitor.get("/offline").await.body, "nothing of the person is in it");
    for file in
        [page.html().attributes("link[href^='/static']", "href"), page.html().attributes("script", "src")].concat()
    {
        assert_eq!(visitor.get(&file).await.status, 200, "{file}");
    }
    app.finish().await;
}

/// What a page loads stays small: scripts within 40 KB and styles within 25 KB, packed; our own script is one file that
/// can be read at a sitting.
#[test]
fn pages_stay_light() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/static");
    let packed = |file: &Path| {
        let mut zip = GzEncoder::new(Vec::new(), Compression::best());
        zip.write_all(&fs::read(file).unwrap()).unwrap();
        zip.finish().unwrap().len()
    };
    let htmx = fs::read_dir(folder.join("vendor/htmx-4.0.1")).unwrap().map(|file| file.unwrap().path());
    let vendored: usize = htmx.filter(|file| file.extension().is_some_and(|it| it == "js")).map(|it| packed(&it)).sum();
    let scripts = vendored + packed(&folder.join("app.js"));
    assert!(scripts <= 40_000, "{scripts} bytes of scripts");
    let styles = packed(&folder.join("app.css"));
    assert!(styles <= 25_000, "{styles} bytes of styles");
    let own = fs::read_to_string(folder.join("app.js")).unwrap();
    assert!(own.lines().count() <= 200, "{} lines", own.lines().count());
    let mut scripts: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    scripts.retain(|name| name.to_string_lossy().ends_with(".js"));
    scripts.sort();
    assert_eq!(scripts, ["app.js", "charts.js", "service-worker.js"], "the charts are only in the admin");
}
