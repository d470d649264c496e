//! Where files lie: what holds in a folder and in a bucket alike, and what a bucket does beyond.

use std::{path::Path, time::Duration};

use axum::http::Method;
use bytes::Bytes;
use futures::TryStreamExt;
use loco_rs::storage::Storage;
use nproxy::{
    adapters::storage::{self, Download, LONGEST_LINK, S3},
    settings,
};
use reqwest::Url;
use tempfile::TempDir;

use crate::support::{
    eventually,
    s3::{ACCESS_KEY, BUCKET, Fault, S3Server, SECRET_KEY},
};

fn opened(settings: &settings::Storage) -> Storage {
    storage::open(settings).unwrap().storage()
}

fn in_folder(folder: &TempDir) -> settings::Storage {
    settings::Storage {
        dir: folder.path().join("files"),
        s3_endpoint: String::new(),
        s3_public_endpoint: String::new(),
        s3_region: String::new(),
        s3_bucket: String::new(),
        s3_access_key_id: String::new(),
        s3_secret_access_key: String::new().into(),
    }
}

async fn put(store: &Storage, key: &str, bytes: &'static str) {
    store.upload(Path::new(key), &Bytes::from(bytes)).await.unwrap();
}

async fn read(store: &Storage, key: &str) -> Option<String> {
    store.download(Path::new(key)).await.ok()
}

/// The files under a folder, sorted; folders themselves exist only on disk.
async fn files(store: &Storage, folder: &str, recursive: bool) -> Vec<String> {
    let mut files: Vec<_> = store.list(Path::new(folder), recursive).await.unwrap();
    files.retain(|entry| !entry.is_dir);
    let mut paths: Vec<_> = files.into_iter().map(|entry| entry.path).collect();
    paths.sort();
    paths
}

/// Everything that models may count on, whichever store is configured.
async fn keeps_the_contract(store: &Storage) {
    let missing = Path::new("runs/1/nothing.jpg");
    assert!(!store.exists(missing).await.unwrap());
    assert!(store.download::<Vec<u8>>(missing).await.is_err(), "what is not there cannot be read");
    assert!(store.stat(missing).await.is_err(), "what is not there has no size");
    store.delete(missing).await.expect("deleting what is not there is nothing");

    put(store, "runs/1/a.jpg", "first").await;
    put(store, "runs/1/a b+ü%.jpg", "odd").await;
    put(store, "runs/2/c.jpg", "second").await;
    put(store, "top.jpg", "").await;
    assert_eq!(read(store, "runs/1/a.jpg").await.as_deref(), Some("first"));
    assert_eq!(read(store, "runs/1/a b+ü%.jpg").await.as_deref(), Some("odd"));
    assert_eq!(read(store, "top.jpg").await.as_deref(), Some(""), "an empty file is a file");
    let stream = store.download_stream(Path::new("runs/1/a.jpg")).await.unwrap();
    assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap().concat(), b"first");

    assert!(store.exists(Path::new("runs/1/a.jpg")).await.unwrap());
    let stat = store.stat(Path::new("runs/1/a.jpg")).await.unwrap();
    assert_eq!((stat.content_length, stat.is_dir), (Some(5), false));
    assert!(stat.last_modified.is_some());

    assert_eq!(files(store, "runs", true).await, ["runs/1/a b+ü%.jpg", "runs/1/a.jpg", "runs/2/c.jpg"]);
    assert_eq!(files(store, "runs", false).await, [] as [&str; 0]);
    assert_eq!(files(store, "runs/1", false).await, ["runs/1/a b+ü%.jpg", "runs/1/a.jpg"]);
    assert_eq!(files(store, "run", true).await, [] as [&str; 0], "a folder is not a prefix");
    let folders = store.list(Path::new("runs"), false).await.unwrap();
    assert!(folders.iter().any(|entry| entry.is_dir && entry.path == "runs/1/"), "{folders:?}");

    store.copy(Path::new("runs/1/a b+ü%.jpg"), Path::new("runs/3/copy.jpg")).await.unwrap();
    assert_eq!(read(store, "runs/3/copy.jpg").await.as_deref(), Some("odd"));
    store.rename(Path::new("runs/3/copy.jpg"), Path::new("runs/3/moved.jpg")).await.unwrap();
    assert_eq!(files(store, "runs/3", true).await, ["runs/3/moved.jpg"]);
    assert!(store.copy(missing, Path::new("runs/4/x.jpg")).await.is_err());

    store.delete(Path::new("runs/3/moved.jpg")).await.unwrap();
    assert_eq!(read(store, "runs/3/moved.jpg").await, None);
}

/// F42: a folder and a bucket behave alike.
#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let settings = in_folder(&folder);
    let store = opened(&settings);
    keeps_the_contract(&store).await;
    assert_eq!(std::fs::read(settings.dir.join("runs/1/a.jpg")).unwrap(), b"first", "the bytes lie in STORAGE_DIR");
}

/// F42: a folder and a bucket behave alike.
#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let s3 = S3Server::start().await;
    keeps_the_contract(&opened(&s3.settings())).await;
    assert_eq!(s3.object("runs/1/a.jpg").unwrap(), b"first", "the bytes lie in the bucket");
}

/// F42: a listing is complete, though a store gives it in pages of a thousand.
#[tokio::test]
async fn a_long_listing_is_whole() {
    let s3 = S3Server::start().await;
    let folder = s3.bucket().join("many");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..1_003 {
        std::fs::write(folder.join(format!("{number:04}")), "").unwrap();
    }
    let listed = files(&opened(&s3.settings()), "many", true).await;
    assert_eq!(listed.len(), 1_003);
    assert_eq!(listed.last().map(String::as_str), Some("many/1002"));
}

/// F42: what was stored under a key stays what it is; a second put is refused, also by twenty at once. The same bytes
/// once more are no conflict: an answer may have been lost.
#[tokio::test]
async fn a_key_is_written_once() {
    let (s3, folder) = (S3Server::start().await, TempDir::new().unwrap());
    let in_folder = in_folder(&folder);
    for (settings, says) in [
        (&s3.settings(), "S3 put pictures/a.jpg: there is another object under this key already"),
        (&in_folder, "there is another file under this key already"),
    ] {
        let store = opened(settings);
        put(&store, "a.jpg", "first").await;
        put(&store, "a.jpg", "first").await;
        for other in ["tenth", "longer than the first"] {
            let refused = store.upload(Path::new("a.jpg"), &Bytes::from(other)).await.unwrap_err();
            assert!(refused.to_string().ends_with(says), "{refused}");
        }
        assert_eq!(read(&store, "a.jpg").await.as_deref(), Some("first"));
    }
    let store = opened(&in_folder);
    let puts = (0..20).map(|n| {
        let (store, bytes) = (&store, Bytes::from(vec![n; 100_000]));
        async move { store.upload(Path::new("runs/1/b.jpg"), &bytes).await.is_ok() }
    });
    let won = futures::future::join_all(puts).await.into_iter().filter(|won| *won).count();
    let stored = std::fs::read(in_folder.dir.join("runs/1/b.jpg")).unwrap();
    assert_eq!((won, stored.len()), (1, 100_000));
    assert!(stored.iter().all(|byte| *byte == stored[0]), "no two are mixed");
}

/// F42: a folder within it that somebody tidied away while the process runs is made anew.
#[tokio::test]
async fn a_folder_that_was_tidied_away_comes_back() {
    let folder = TempDir::new().unwrap();
    let settings = in_folder(&folder);
    let store = opened(&settings);
    put(&store, "runs/1/a.jpg", "first").await;
    std::fs::remove_dir_all(settings.dir.join("runs")).unwrap();
    put(&store, "runs/1/b.jpg", "second").await;
    assert_eq!(read(&store, "runs/1/b.jpg").await.as_deref(), Some("second"));
}

/// F42: no key leads out of the folder.
#[tokio::test]
async fn a_key_stays_in_its_folder() {
    let folder = TempDir::new().unwrap();
    let store = opened(&in_folder(&folder));
    for key in ["../out.jpg", "runs/../../out.jpg", "/tmp/out.jpg", "", "."] {
        assert!(store.upload(Path::new(key), &Bytes::from("x")).await.is_err(), "{key:?}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["files"]);
}

/// F42: a folder that cannot be written stops the start and says which.
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("taken"), "a file").unwrap();
    let settings = settings::Storage { dir: folder.path().join("taken/files"), ..in_folder(&folder) };
    let error = storage::open(&settings).unwrap_err().to_string();
    assert!(
        error.starts_with("STORAGE_DIR: folder make ") && error.contains("taken/files: Not a directory"),
        "{error}"
    );
}

/// X10: a full disk is an error that says so, leaves no half of a file, and is forgotten as soon as there is room again.
/// Needs the right to mount a small disk; without it, this test has nothing to look at.
#[tokio::test]
async fn a_full_disk_heals() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path().join("files")) else {
        println!("not run: no small disk can be mounted here");
        return;
    };
    let store = storage::open(&in_folder(&folder)).unwrap();
    let files = store.storage();
    let large = Bytes::from(vec![7; 2 * 1024 * 1024]);
    put(&files, "a.jpg", "small").await;

    let error = files.upload(Path::new("runs/b.jpg"), &large).await.unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
    assert!(!files.exists(Path::new("runs/b.jpg")).await.unwrap(), "half a file is left");
    put(&files, "runs/b.jpg", "small too").await;

    std::fs::write(disk.path.join("filling"), vec![0; 1024 * 1024]).unwrap_err();
    assert!(store.check().await.is_err(), "a full disk is not ready");
    assert!(storage::open(&in_folder(&folder)).is_ok(), "what frees room can be started");
    assert_eq!(read(&files, "a.jpg").await.as_deref(), Some("small"), "reading goes on");
    std::fs::remove_file(disk.path.join("filling")).unwrap();
    store.check().await.unwrap();
    put(&files, "runs/c.jpg", "small again").await;
}

/// One megabyte, in memory.
struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    fn mount(path: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let mount =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).output();
        mount.is_ok_and(|mounted| mounted.status.success()).then_some(Self { path })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(&self.path).output());
    }
}

/// X7: a store that asks for patience gets it.
#[tokio::test]
async fn a_store_that_slows_down_is_asked_again_later() {
    let s3 = S3Server::start().await;
    let store = opened(&s3.settings());
    for fault in [Fault::SlowDown, Fault::SlowDown] {
        s3.fail_next(Method::PUT, fault);
    }
    let began = std::time::Instant::now();
    put(&store, "a.jpg", "first").await;
    assert_eq!(s3.faults_left(), 0);
    assert!(began.elapsed() > Duration::from_millis(20), "asked again at once");
}

/// X7: an object that is not the one that was just taken does not count as stored.
#[tokio::test]
async fn another_tag_is_found_out() {
    let s3 = S3Server::start().await;
    s3.fail_next(Method::PUT, Fault::OtherTag);
    let error = opened(&s3.settings()).upload(Path::new("a.jpg"), &Bytes::from("first")).await.unwrap_err();
    insta::assert_snapshot!(error, @"S3 put pictures/a.jpg: taken, but something else is stored");
}

/// X7: a store that is busy for a moment is asked again, and nobody notices.
#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let s3 = S3Server::start().await;
    let store = opened(&s3.settings());
    for method in [Method::PUT, Method::PUT, Method::HEAD, Method::GET] {
        s3.fail_next(method, Fault::Busy);
    }

    put(&store, "a.jpg", "first").await;
    assert_eq!(read(&store, "a.jpg").await.as_deref(), Some("first"));

    assert_eq!(s3.faults_left(), 0);
}

/// X7: a store that stays busy is an error that says so.
#[tokio::test]
async fn a_store_that_stays_busy_is_an_error() {
    let s3 = S3Server::start().await;
    for _ in 0..3 {
        s3.fail_next(Method::PUT, Fault::Busy);
    }
    let error = opened(&s3.settings()).upload(Path::new("a.jpg"), &Bytes::from("first")).await.unwrap_err();
    assert_eq!(error.to_string(), "S3 put pictures/a.jpg: 503");
    assert_eq!((s3.faults_left(), s3.object("a.jpg")), (0, None));
}

/// X7: the picture was stored but the answer got lost: sending it again meets one's own object, which is no conflict.
#[tokio::test]
async fn a_lost_answer_is_not_a_conflict() {
    let s3 = S3Server::start().await;
    let store = opened(&s3.settings());
    s3.fail_next(Method::PUT, Fault::Lost);

    put(&store, "a.jpg", "first").await;

    assert_eq!(s3.faults_left(), 0);
    assert_eq!(s3.object("a.jpg").unwrap(), b"first");
}

/// X7: what the store says it has taken is looked at: nothing counts as stored that is not there.
#[tokio::test]
async fn a_store_that_keeps_nothing_is_found_out() {
    let s3 = S3Server::start().await;
    s3.fail_next(Method::PUT, Fault::Forgotten);
    let error = opened(&s3.settings()).upload(Path::new("a.jpg"), &Bytes::from("first")).await.unwrap_err();
    insta::assert_snapshot!(error, @"S3 head pictures/a.jpg: 404 NotFound");
}

/// X7: half a picture is never taken for a whole one.
#[tokio::test]
async fn a_cut_object_is_an_error() {
    let s3 = S3Server::start().await;
    let store = opened(&s3.settings());
    let bytes = Bytes::from(vec![7; 100_000]);
    store.upload(Path::new("a.jpg"), &bytes).await.unwrap();

    s3.fail_next(Method::GET, Fault::Cut);
    let error = store.download::<Vec<u8>>(Path::new("a.jpg")).await.unwrap_err();
    assert!(error.to_string().starts_with("S3 get pictures/a.jpg: the object ended early: "), "{error}");

    s3.fail_next(Method::GET, Fault::Cut);
    let stream = store.download_stream(Path::new("a.jpg")).await.unwrap();
    assert!(stream.try_collect::<Vec<_>>().await.is_err());

    assert_eq!(store.download::<Vec<u8>>(Path::new("a.jpg")).await.unwrap(), bytes, "the next read is whole");
}

/// F42: with the wrong credentials nothing can be read, written, found or linked to, and the errors tell no secret.
#[tokio::test]
async fn wrong_credentials_open_nothing() {
    let s3 = S3Server::start().await;
    put(&opened(&s3.settings()), "a.jpg", "first").await;
    let wrong = "canary/a/wrong/secret";
    let settings = settings::Storage { s3_secret_access_key: wrong.to_owned().into(), ..s3.settings() };
    let store = opened(&settings);
    let (path, other) = (Path::new("a.jpg"), Path::new("b.jpg"));

    let mut errors = vec![
        store.download::<Vec<u8>>(path).await.unwrap_err(),
        store.upload(other, &Bytes::from("x")).await.unwrap_err(),
        store.exists(path).await.unwrap_err(),
        store.exists(other).await.unwrap_err(),
        store.stat(path).await.unwrap_err(),
        store.copy(path, other).await.unwrap_err(),
        store.rename(path, other).await.unwrap_err(),
        store.delete(path).await.unwrap_err(),
        store.list(Path::new("x"), true).await.unwrap_err(),
    ];
    errors.extend(store.download_stream(path).await.err());
    assert_eq!(errors.len(), 10);
    for error in &errors {
        assert!(error.to_string().contains("403"), "{error}");
        let told = format!("{error} {error:?}");
        assert!(![wrong, SECRET_KEY, ACCESS_KEY].iter().any(|secret| told.contains(secret)), "{told}");
    }
    insta::assert_snapshot!(errors[0], @"S3 get pictures/a.jpg: 403 SignatureDoesNotMatch");
    assert_eq!((s3.object("a.jpg").unwrap(), s3.object("b.jpg")), (b"first".to_vec(), None));
    let link = store.presign_get(path, LONGEST_LINK).await.unwrap();
    assert_eq!(reqwest::get(link.url()).await.unwrap().status(), 403);
}

/// F42: a store that is gone, or a bucket that never was, is an error and not an empty store: `/ready` depends on it.
#[tokio::test]
async fn a_store_that_is_gone_is_not_an_empty_store() {
    let s3 = S3Server::start().await;
    let elsewhere = settings::Storage { s3_bucket: "never-made".into(), ..s3.settings() };
    let error = opened(&elsewhere).exists(Path::new("ready")).await.unwrap_err();
    insta::assert_snapshot!(error, @"S3 bucket never-made: 404 NotFound");

    s3.stop().await;
    let error = opened(&s3.settings()).exists(Path::new("ready")).await.unwrap_err();
    insta::assert_snapshot!(error, @"S3 head pictures/ready: no connection: Connection refused (os error 111)");
}

/// F42: a link opens one object for some minutes, to whoever has it, and nothing else.
#[tokio::test]
async fn a_link_opens_one_object_for_some_minutes() {
    let s3 = S3Server::start().await;
    let bucket = S3::new(&s3.settings()).unwrap();
    let store = opened(&s3.settings());
    put(&store, "a.jpg", "first").await;
    put(&store, "b.jpg", "second").await;
    let (a, hour) = (Path::new("a.jpg"), Duration::from_secs(3_600));

    assert_eq!(reqwest::get(s3.url("a.jpg")).await.unwrap().status(), 403, "without a signature");
    let download = Download { file_name: "a-lighthouse.jpg", mime: "image/jpeg" };
    let link = bucket.link(a, hour, Some(download)).await.unwrap().url();
    let seconds = |link: &str| {
        let url: Url = link.parse().unwrap();
        let (_, value) = url.query_pairs().find(|(name, _)| name == "X-Amz-Expires").unwrap();
        value.parse::<u64>().unwrap()
    };
    assert_eq!(seconds(&link), 300, "an hour is asked for, five minutes are given");
    assert_eq!(seconds(&store.presign_get(a, hour).await.unwrap().url()), 300);

    let answer = reqwest::get(&link).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"a-lighthouse.jpg\"");
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert_eq!(answer.bytes().await.unwrap(), "first");

    for (what, changed) in [
        ("another object", link.replace("/a.jpg?", "/b.jpg?")),
        ("a longer life", link.replace("X-Amz-Expires=300", "X-Amz-Expires=3000")),
        ("another file name", link.replace("lighthouse", "windmill")),
        ("another signature", link.replace("X-Amz-Signature=", "X-Amz-Signature=0")),
    ] {
        assert_ne!(changed, link, "{what}");
        let status = reqwest::get(changed).await.unwrap().status();
        assert!([400, 403].contains(&status.as_u16()), "{what}: {status}");
    }
    assert_eq!(reqwest::Client::new().delete(&link).send().await.unwrap().status(), 403, "a link to read only reads");

    let brief = bucket.link(a, Duration::from_secs(1), None).await.unwrap().url();
    eventually("the link to end", || async { (reqwest::get(&brief).await.unwrap().status() == 403).then_some(()) })
        .await;
    assert!(store.presign_put(a, hour, Default::default()).await.is_err(), "only the application writes");
}

/// F42: inside a private network the store has another address than for browsers; links carry theirs.
#[tokio::test]
async fn links_lead_where_browsers_reach_the_store() {
    let s3 = S3Server::start().await;
    let public = format!("http://localhost:{}", s3.port());
    let settings = settings::Storage { s3_public_endpoint: public.clone(), ..s3.settings() };
    let store = opened(&settings);
    put(&store, "a.jpg", "first").await;

    let link = store.presign_get(Path::new("a.jpg"), LONGEST_LINK).await.unwrap().url();

    assert!(link.starts_with(&format!("{public}/{BUCKET}/a.jpg?")), "{link}");
    assert_eq!(reqwest::get(link).await.unwrap().bytes().await.unwrap(), "first");
}

/// F42: a bucket with half of its settings stops the start and says what is missing, without repeating what is not.
#[tokio::test]
async fn a_bucket_needs_all_of_its_settings() {
    let s3 = S3Server::start().await;
    let whole = s3.settings();
    let refusal = |settings: settings::Storage| storage::open(&settings).unwrap_err().to_string();
    insta::assert_snapshot!(refusal(settings::Storage { s3_region: String::new(), ..whole.clone() }), @"S3_BUCKET is set, so pictures go to S3, but S3_REGION is not set");
    let only_a_bucket = settings::Storage { s3_bucket: BUCKET.into(), ..in_folder(&TempDir::new().unwrap()) };
    insta::assert_snapshot!(refusal(only_a_bucket), @"S3_BUCKET is set, so pictures go to S3, but S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY are not set");
    let at = |endpoint: &str| refusal(settings::Storage { s3_endpoint: endpoint.into(), ..whole.clone() });
    insta::assert_snapshot!(at("s3.example.com"), @"S3_ENDPOINT: not an address; write it like https://s3.example.com");
    insta::assert_snapshot!(at("ftp://s3.example.com"), @"S3_ENDPOINT: not an http or https address; write it like https://s3.example.com");
    insta::assert_snapshot!(at("https://me:canary@s3.example.com"), @"S3_ENDPOINT: credentials do not belong into the address; write it like https://s3.example.com");
    let shown = format!("{:?} {whole:?}", storage::open(&whole).unwrap());
    assert!(shown.contains(BUCKET) && !shown.contains(SECRET_KEY), "{shown}");
}
