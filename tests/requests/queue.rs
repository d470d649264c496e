//! What somebody waits for.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use sandbox::{Fault, gemini::EVERY_KEY};
use serde_json::json;

use crate::support::{Answer, Person, Setup, TestApp, bulk, eventually, is_postgres};

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

/// Where very many wait already, nobody is told to wait for nothing: the wish is turned away uncharged, and is taken when
/// there is room again.
#[tokio::test]
async fn a_full_queue_takes_nobody_in() {
    let pool = json!({ "waiting_max": 2 });
    let mut app = TestApp::with(Setup { jobs: false, pool, ..Setup::default() }).await;
    let (ada, bo) = (app.sign_in("ada").await, app.sign_in("bo").await);
    let stays = ada.ask("a boat", &[]).await;
    ada.ask("a kite", &[]).await;

    let away = bo.try_ask("a hill", &[], None).await;
    assert_eq!(away.status, 503);
    assert!(away.html().text().contains("Very many pictures are waiting already. Nothing was charged."));
    assert_eq!(away.html().texts("#prompt"), ["a hill"]);

    app.work();
    ada.settled(&stays).await;
    eventually("room", || async { (bo.try_ask("a hill", &[], None).await.status == 303).then_some(()) }).await;
    app.finish().await;
}

/// F111: the place in line stands beside the pictures too; a poll brings it when it moves, and nothing while it does not.
#[tokio::test]
async fn a_turn_says_its_place_in_line() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let (ada, bo) = (app.sign_in("ada").await, app.sign_in("bo").await);
    let before = ada.ask("a kite", &[]).await;
    let conversation = bo.ask("a boat", &[]).await;
    let page = bo.get(&conversation).await.html();
    assert!(page.text().contains("Place 2 in line"), "{}", page.text());
    let run = page.attribute("[hx-trigger]", "hx-get");
    let look = async |tag: &str| {
        let request = bo.request(Method::GET, &run).header("hx-request", "true").header("hx-ptag", tag);
        bo.send(request).await
    };
    let tag = page.attribute("[hx-trigger]", "hx-ptag");
    assert_eq!(look(&tag).await.status, 304);

    ada.submit(&ada.get(&before).await.html().form("form[action$='/cancellation']")).await;

    let moved = look(&tag).await;
    assert_eq!(moved.status, 200);
    assert!(moved.html().text().contains("Next in line"), "{}", moved.body);
    assert_eq!(look(moved.header("hx-ptag")).await.status, 304);
    app.abandon().await;
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
    // What does not hold any more is said where nothing else has changed.
    assert!(app.sandbox.gemini().wait_for_calls(6, crate::support::PATIENCE).await);
    let page = bo.get(&conversation).await.html();
    let (run, tag) = (page.attribute("[hx-trigger]", "hx-get"), page.attribute("[hx-trigger]", "hx-ptag"));
    let look = async |tag: &str| {
        let request = bo.request(Method::GET, &run).header("hx-request", "true").header("hx-ptag", tag);
        bo.send(request).await
    };
    assert_eq!(look(&tag).await.status, 304);
    app.set_time("runs", "created_at", Utc::now() - TimeDelta::seconds(24), "finished_at IS NULL").await;
    let late = look(&tag).await;
    assert_eq!(late.status, 200);
    assert!(late.html().text().contains("taking longer than usual"), "{}", late.body);
    assert_eq!(look(late.header("hx-ptag")).await.status, 304);
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
    let found = bo.get("/app/history?q=LIGHT").await.html();
    assert_eq!(found.texts("main .nav-link .text-sm"), ["a Lighthouse above the sea"]);
    let page = bo.get("/app/history?q=harbour").await.html();
    assert!(page.text().contains("Nothing found"));
    assert_eq!(page.value("q"), "harbour");
    app.abandon().await;
}

/// F67: what was found leads to the turn that has the words, also where the conversation no longer opens with it, and says
/// them; a title that has them leads to the conversation.
#[tokio::test]
async fn what_was_found_leads_to_its_turn() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a harbour in fog", &[]).await;
    let id = app.count("SELECT id FROM conversations").await;
    let pid = if is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
    for n in 1..=20 {
        let prompt = if n == 20 { "a kite" } else { "a pier" };
        app.sql(&format!(
            "INSERT INTO generations (pid, user_id, conversation_id, kind, mode, model, prompt, params, client_token, \
             request_hash, state, created_at) SELECT {pid}, user_id, conversation_id, kind, mode, model, '{prompt}', params, \
             'token {n}', request_hash, state, created_at FROM generations WHERE conversation_id = {id} ORDER BY id LIMIT 1"
        ))
        .await;
        app.sql(&format!(
            "INSERT INTO runs (pid, generation_id, number, state, inputs_snapshot, outputs_requested, outputs_delivered, \
             failure, version, deadline_at, created_at, finished_at) SELECT {pid}, (SELECT MAX(id) FROM generations), 1, \
             'failed', inputs_snapshot, 1, 0, 'empty', 1, deadline_at, created_at, created_at FROM runs ORDER BY id LIMIT 1"
        ))
        .await;
    }
    app.sql("UPDATE conversations SET title = 'By the water'").await;
    for (words, said) in [("harbour", "a harbour in fog"), ("PIER", "a pier"), ("kite", "a kite")] {
        let page = bo.get(&format!("/app/history?q={words}")).await.html();
        assert_eq!(page.texts("main .nav-link .text-sm"), [said]);
        let found = page.attribute("main .nav-link", "href");
        let (path, turn) = found.split_once('#').unwrap();
        assert_eq!(path.contains("?before="), words == "harbour", "{found}");
        assert_eq!(bo.get(path).await.html().texts(&format!("#{turn} .bubble")), [said]);
    }
    let page = bo.get("/app/history?q=water").await.html();
    assert_eq!(page.attribute("main .nav-link", "href"), conversation);
    assert!(!page.has("main .nav-link .text-sm"));
    app.abandon().await;
}

/// F67: the first picture that is there stands for its conversation, in the sidebar and in every list; it is shown to nobody
/// else, and where there is none, none is asked for.
#[tokio::test]
async fn a_conversation_has_a_cover() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a boat", &[("batch_size", "2")]).await;
    let page = bo.settled(&conversation).await;
    let pictures = page.attributes(".cell img", "src");
    let covers = async |path: &str, list: &str| bo.get(path).await.html().attributes(&format!("{list} a img"), "src");
    for (path, list) in [("/app", "#conversation-list"), ("/app/history", "main .panel")] {
        assert_eq!(covers(path, list).await, pictures[..1], "{path}");
    }
    let cover = bo.get("/app").await.html();
    for (name, value) in [("alt", ""), ("width", "32"), ("height", "32"), ("loading", "lazy")] {
        assert_eq!(cover.attribute("#conversation-list img", name), value, "{name}");
    }
    assert_eq!(app.sign_in("eve").await.get(&pictures[0]).await.status, 404);

    bo.submit(&page.form("form[action$='/deletion']")).await;
    assert_eq!(covers("/app", "#conversation-list").await, pictures[1..], "the next one");
    let second = bo.get(&conversation).await.html().form("form[action$='/deletion']");
    bo.submit(&second).await;
    assert_eq!(covers("/app", "#conversation-list").await, Vec::<String>::new());
    app.finish().await;
}
