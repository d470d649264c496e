//! What somebody waits for.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Method;
use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Answer, Person, Setup, TestApp, bulk, eventually};

async fn poll(person: &Person, tag: &str) -> Answer {
    person.send(person.request(Method::GET, "/app/queue").header("hx-request", "true").header("hx-ptag", tag)).await
}

/// F111: two runs with their places in line; a poll that brings nothing new is empty, the places move when somebody's
/// turn comes, and when all is over it asks no more.
#[tokio::test]
async fn the_queue_moves_by_itself() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    app.sign_in("ada").await.ask("a stranger's", &[]).await;
    let bo = app.sign_in("bo").await;
    assert!(bo.get("/app/queue").await.html().text().contains("Nothing is waiting"));
    bo.ask("a boat", &[]).await;
    bo.ask("a kite", &[("batch_size", "2")]).await;

    let page = bo.get("/app/queue").await;
    let html = page.html();
    assert!(page.body.contains("http-equiv=\"refresh\""), "without JavaScript the page reloads itself");
    assert_eq!(html.texts("#queue li .font-medium"), ["a boat", "Place 2 in line", "a kite", "Place 3 in line"]);
    assert!(!html.text().contains("stranger"));
    assert!(!html.text().contains("usually"), "nothing is promised that was not measured");
    let tag = html.attribute("#queue", "hx-ptag");
    let unchanged = poll(&bo, &tag).await;
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));

    app.sandbox.gemini().latency(Duration::from_secs(3));
    app.work();
    eventually("the turn to come", || async {
        let moved = poll(&bo, &tag).await;
        (moved.status == 200 && moved.html().texts("#queue li .font-medium").contains(&"Working".to_owned()))
            .then_some(())
    })
    .await;
    let last = eventually("the end", || async {
        let page = poll(&bo, "").await.html();
        (!page.has("[hx-trigger]")).then_some(page)
    })
    .await;
    assert_eq!(last.texts("[aria-labelledby=over-title] li .font-medium"), ["a kite", "Ready", "a boat", "Ready"]);
    let turn = last.attribute("[aria-labelledby=over-title] a", "href");
    let (conversation, anchor) = turn.split_once('#').unwrap();
    assert!(bo.get(conversation).await.html().has(&format!("#{anchor} img")), "it leads to the pictures");
    app.finish().await;
}

/// F111: what can be expected is what was measured lately, in the queue and beside the pictures.
#[tokio::test]
async fn what_is_expected_was_measured() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for _ in 0..5 {
        bo.make("a boat", &[]).await;
    }
    app.idle().await;
    // As slow as a real vendor is.
    for id in bulk::ids(&app.ctx.db, "SELECT id FROM runs").await {
        let began = app.time(&format!("SELECT created_at FROM runs WHERE id = {id}")).await;
        app.set_time("runs", "finished_at", began + TimeDelta::seconds(23), &format!("id = {id}")).await;
    }
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Hang);
    let conversation = bo.ask("a kite", &[]).await;
    for path in ["/app/queue", &conversation] {
        let text = bo.get(path).await.html().text();
        assert!(text.contains("usually about 25 s"), "{path}: {text}");
    }
    let cancel = bo.get("/app/queue").await.html().form("form[action$='/cancellation']");
    bo.submit(&cancel).await;
    app.sandbox.gemini().heal_all();
    bo.settled(&conversation).await;
    assert!(bo.get("/app/queue").await.html().text().contains("Canceled, not charged"));
    app.finish().await;
}

/// F67: a conversation is found by words of its title or of any prompt in it; what was searched for stays in the address.
#[tokio::test]
async fn conversations_are_found_by_their_words() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    bo.ask("a Lighthouse above the sea", &[]).await;
    bo.ask("a kite", &[]).await;
    app.sign_in("ada").await.ask("her own lighthouse", &[]).await;
    for (words, found) in [("LIGHT", 1), ("kite", 1), ("", 2), ("harbour", 0), ("%25", 0)] {
        let page = bo.get(&format!("/app/history?q={words}")).await.html();
        assert_eq!(page.attributes("main .panel li", "class").len(), found, "{words}");
        assert!(!page.text().contains("her own"));
    }
    let page = bo.get("/app/history?q=harbour").await.html();
    assert!(page.text().contains("Nothing found"));
    assert_eq!(page.value("q"), "harbour");
    app.abandon().await;
}
