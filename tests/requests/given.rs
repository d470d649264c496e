//! A picture that came along with a wish: what is refused is offered again, whatever came of the rest.

use bytes::Bytes;
use reqwest::Method;
use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Answer, Html, Person, Setup, TestApp, pictures};

fn png() -> Bytes {
    pictures::png(&pictures::drawing(40, 30))
}

fn alerts(page: &Html) -> String {
    page.texts("#composer [data-error-text]").join(" / ")
}

/// A form as a program of one's own would write it.
async fn raw(person: &Person, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = person.request(Method::POST, "/app/conversations").header("sec-fetch-site", "same-origin");
    person.send(request.header("content-type", kind).body(body.into())).await
}

/// F28: the file of a wish that is refused for something else is not asked for again: it stands in the form that comes
/// back, as a picture and as a field, and sending that form makes the picture. No JavaScript is needed.
#[tokio::test]
async fn a_refused_wish_keeps_its_picture() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let fields = [("composer", "1"), ("mode", "image_to_image"), ("strength", "0.35")];

    let refused = ada.try_ask("", &fields, Some(("a.png", png()))).await;

    assert_eq!(refused.status, 422);
    let page = refused.html();
    assert_eq!(page.texts("#prompt-error"), ["Say what you would like to see."]);
    assert_eq!(
        page.attribute("#composer fieldset img", "src"),
        format!("/app/files/{}/thumbnail", page.value("input"))
    );
    assert_eq!(page.value("strength"), "0.35");
    let form = page.form("#composer").fill("prompt", "as a woodcut");
    let taken = ada.submit(&form).await;
    assert_eq!(taken.status, 303, "{}", taken.html().text());
    ada.settled(&taken.location()).await;
    let calls = app.sandbox.gemini().calls();
    assert_eq!(image::load_from_memory(&calls[0].inputs[0].bytes).unwrap().to_rgb8(), pictures::drawing(40, 30));

    let many = [fields.as_slice(), &[("batch_size", "4")]].concat();
    let short = ada.try_ask("another", &many, Some(("a.png", png()))).await;
    assert_eq!((short.status, short.html().has("#composer input[name=input]")), (402, true));
    assert_eq!(
        app.count("SELECT COUNT(*) FROM assets WHERE origin = 'upload'").await,
        1,
        "the same picture is kept once"
    );
    app.finish().await;
}

/// F43: a bad file and a missing prompt are both said, and two files are one too many.
#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let fields = [("composer", "1"), ("mode", "image_to_image")];
    let answer = ada.try_ask("", &fields, Some(("a.png", Bytes::from_static(b"no picture")))).await;
    let page = answer.html();
    assert_eq!(page.texts("#prompt-error"), ["Say what you would like to see."]);
    assert!(alerts(&page).contains("This file is not a picture we can read."), "{}", alerts(&page));

    let part = |name: &str| {
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\n\r\n");
        [head.as_bytes(), &png(), b"\r\n"].concat()
    };
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    let typed = [field("prompt", "a boat"), field("composer", "1"), field("client_token", "one")].concat();
    let form = "multipart/form-data; boundary=b";
    let two = raw(&ada, form, [typed.clone(), part("a.png"), part("b.png"), b"--b--\r\n".to_vec()].concat()).await;
    assert_eq!(two.status, 422);
    assert_eq!(alerts(&two.html()), "Choose one picture to start from. Nothing was charged.");
    assert_eq!(two.html().texts("#prompt"), ["a boat"]);

    // Names are nobody's business: none of them leads anywhere.
    for name in ["", "../../../etc/passwd", "a\u{202e}gnp.exe", "con.png", &"x".repeat(5_000)] {
        let odd = [
            field("prompt", ""),
            field("composer", "1"),
            field("client_token", "x"),
            part(name),
            b"--b--\r\n".to_vec(),
        ];
        let answer = raw(&ada, form, odd.concat()).await;
        assert_eq!((answer.status, answer.html().has("#composer input[name=input]")), (422, true), "{name:?}");
    }
    assert!(app.stored().iter().all(|path| path.starts_with("uploads")), "{:?}", app.stored());
    assert_eq!(app.stored().len(), 2, "it was the same picture each time");

    for (what, kind, body) in [
        ("cut in the file", form, [typed.clone(), part("a.png")[..200].to_vec()].concat()),
        (
            "with a name of control characters",
            form,
            [typed.clone(), part("a\u{7f}\u{1}.png"), b"--b--\r\n".to_vec()].concat(),
        ),
        ("without an end", form, [typed.clone(), part("a.png")].concat()),
        ("without a boundary", "multipart/form-data", typed.clone()),
        ("with another boundary", "multipart/form-data; boundary=c", typed.clone()),
    ] {
        let answer = raw(&ada, kind, body).await;
        assert_eq!(answer.status, 400, "{what}");
        assert!(answer.html().text().contains("Nothing was charged."), "{what}: {}", answer.html().text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM generations").await, 0);
    app.finish().await;
}

/// F28: a run whose picture to start from cannot be read any more says so, costs nothing and asks no provider.
#[tokio::test]
async fn a_source_that_is_gone_is_said() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    for spoil in [true, false] {
        let file = pictures::png(&pictures::drawing(if spoil { 20 } else { 21 }, 20));
        let answer = ada.try_ask("as a woodcut", &[], Some(("a.png", file))).await;
        assert_eq!(answer.status, 303, "{}", answer.html().text());
        let key = app.text("SELECT storage_key FROM assets ORDER BY id DESC LIMIT 1").await;
        let place = app.files().join(key);
        if spoil { std::fs::write(place, "other bytes").unwrap() } else { std::fs::remove_file(place).unwrap() }
    }
    app.work();
    app.idle().await;

    assert_eq!(app.texts("SELECT failure FROM runs").await, ["source", "source"]);
    assert_eq!(app.sandbox.gemini().calls().len(), 0);
    assert_eq!((app.spent("ada").await, app.open_holds().await), (0, 0));
    let home = ada.get("/app/conversations").await.html();
    let first = home.attributes("a[href^='/app/conversations/']", "href").remove(0);
    let page = ada.settled(&first).await;
    let says = "The picture you started from could not be read. You were not charged. Choose it again.";
    assert!(page.text().contains(says), "{}", page.text());
    app.finish().await;
}

/// X19, X20: what a provider sends is as hostile as any upload. Bombs, garbage and words called pictures end the run; it
/// costs nothing, and nothing of them comes near the store.
#[tokio::test]
async fn hostile_answers_leave_nothing() {
    // Of a pool of one: several that fail alike are an outage, and the next run would wait for its end.
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    for fault in [Fault::Bomb, Fault::NotAPicture, Fault::BadBase64, Fault::Garbage, Fault::Truncated, Fault::Huge] {
        app.sandbox.gemini().fault(EVERY_KEY, fault.clone());
        app.sql("UPDATE provider_keys SET state = 'active', cooldown_until = NULL, consecutive_failures = 0").await;
        let page = ada.make("a boat", &[]).await;
        assert!(!page.has(".cell img"), "{fault:?}");
        assert!(page.text().contains("charged"), "{fault:?}: {}", page.text());
        assert_eq!(app.stored().len(), 0, "{fault:?}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM storage_objects").await, 0);
    assert_eq!((app.spent("ada").await, app.open_holds().await), (0, 0));
    app.finish().await;
}
