//! Links to one picture.

use chrono::{TimeDelta, Utc};

use crate::support::{Person, TestApp};

async fn share(person: &Person, picture: &str, days: &str, prompt: &str) -> String {
    let form = person.get(picture).await.html().form("form[action$='/shares']");
    let mut fields: Vec<_> = vec![("days", days)];
    fields.extend((!prompt.is_empty()).then_some(("prompt", prompt)));
    let answer = person.post(&form.action, &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let links = person.get(picture).await.html().attributes("#links input[readonly]", "value");
    links.last().unwrap().clone()
}

/// F112: a link shows one picture to whoever has it, with the prompt only if its owner wants; it is in no search engine,
/// ends on its day, when it is taken back, and with the picture; a link that was guessed or changed looks the same.
#[tokio::test]
async fn a_link_shows_one_picture_until_it_ends() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    bo.make("my secret garden", &[]).await;
    let picture = bo.get("/app/gallery").await.html().attribute(".gallery-item a", "href");
    let visitor = app.visitor();

    let plain = share(&bo, &picture, "1", "").await;
    let page = visitor.get(&plain).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("x-robots-tag"), "noindex, nofollow");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.html().attribute("meta[name=robots]", "content"), "noindex, nofollow");
    for private in ["secret garden", "bo@", "/app/pictures", picture.rsplit('/').next().unwrap()] {
        assert!(!page.body.contains(private), "{private}");
    }
    let bytes = visitor.get(&page.html().attribute("main img", "src")).await;
    assert_eq!(bytes.status, 200);
    assert_eq!(bytes.bytes, app.sandbox.gemini().calls()[0].picture.clone().unwrap(), "the picture itself");
    assert_eq!(bytes.header("cache-control"), "no-store", "nobody keeps what can be taken back");

    let told = share(&bo, &picture, "30", "1").await;
    assert!(visitor.get(&told).await.html().text().contains("my secret garden"));
    assert_ne!(plain, told);

    let revoke = bo.get(&picture).await.html().form("#links form[action$='/revocation']");
    assert_eq!(app.sign_in("eve").await.submit(&revoke).await.status, 404, "a stranger takes nothing back");
    assert_eq!(visitor.get(&plain).await.status, 200);
    assert_eq!(bo.submit(&revoke).await.status, 303);
    let dead = visitor.get(&plain).await;
    assert_eq!(dead.status, 404);
    assert!(dead.html().text().contains("The link has ended, or whoever made it took it back."));
    assert_eq!(visitor.get(&format!("{plain}/picture")).await.status, 404);
    assert_eq!(visitor.get(&told).await.status, 200, "the other link stays");

    let mut changed = told.clone();
    let last = changed.pop().unwrap();
    changed.insert(changed.len() - 4, last);
    let foreign = visitor.get(&changed).await;
    assert_eq!((foreign.status, foreign.without_reference()), (404, dead.without_reference()));

    let short = share(&bo, &picture, "7", "").await;
    app.set_time("shares", "expires_at", Utc::now() - TimeDelta::seconds(1), "shows_prompt = false").await;
    assert_eq!(visitor.get(&short).await.status, 404, "its day is over");

    let delete = bo.get(&picture).await.html().form("form[action$='/deletion']");
    bo.submit(&delete).await;
    assert_eq!(visitor.get(&told).await.status, 404, "with the picture its links end");
    app.finish().await;
}

/// F112: ten links to one picture are enough, and the page says so; a day that is not on offer becomes the usual one.
#[tokio::test]
async fn links_are_counted() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    let picture = bo.get("/app/gallery").await.html().attribute(".gallery-item a", "href");
    let picture = picture.split('?').next().unwrap();
    for _ in 0..10 {
        share(&bo, picture, "9999", "").await;
    }
    let eleventh = bo.post(&format!("{picture}/shares"), &[("days", "1")]).await;
    assert_eq!(eleventh.status, 422);
    assert!(eleventh.html().text().contains("This picture has ten links already."));
    let week = Utc::now() + TimeDelta::days(8);
    assert_eq!(app.count("SELECT COUNT(*) FROM shares").await, 10);
    assert!(app.time("SELECT MAX(expires_at) FROM shares").await < week);
    app.finish().await;
}
