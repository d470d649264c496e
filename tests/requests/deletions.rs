//! What people take away: one picture, a whole conversation; and what they only put aside.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use sandbox::{Fault, gemini::EVERY_KEY};

use crate::support::{Setup, TestApp, is_postgres, pictures};

/// Lets the time to undo pass.
async fn later(app: &TestApp) {
    for table in ["assets", "conversations"] {
        app.set_time(table, "deleted_at", Utc::now() - TimeDelta::seconds(60), "deleted_at IS NOT NULL").await;
    }
    let erasing = "class IN ('ErasePicture', 'EraseConversation')";
    app.set_time("jobs", "run_at", Utc::now() - TimeDelta::seconds(1), erasing).await;
}

/// C21: a deleted picture is gone from every page and address at once and from the store soon after; what it cost stays,
/// and so do its conversation and what was made from it.
#[tokio::test]
async fn one_picture_is_deleted() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a house", &[]).await;
    let page = ada.settled(&conversation).await;
    let file = page.attribute(".cell img", "src");
    let composer = ada.get(&page.attribute(".cell a[title='Use as input']", "href")).await.html();
    ada.submit(&composer.form("#composer").fill("prompt", "in snow")).await;
    let page = ada.settled(&conversation).await;
    let story = app.story("ada").await;
    let form = page.form("form[action$='/deletion']");

    let answer = ada.submit(&form).await;

    assert!(answer.location().starts_with(&format!("{conversation}#turn-")));
    for path in [&file, file.trim_end_matches("/thumbnail"), &form.action.replace("/deletion", "")] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
    assert_eq!(ada.submit(&form).await.status, 303, "a second press is harmless");
    let page = ada.get(&conversation).await.html();
    assert_eq!(page.attributes(".cell img", "src").len(), 1);
    assert!(page.text().contains("The picture this started from was deleted"));
    assert!(!page.0.contains(&file));
    let input = form.action.replace("/app/pictures/", "").replace("/deletion", "");
    assert!(!ada.get(&format!("{conversation}?input={input}")).await.body.contains("Starting from this picture"));

    let undo = page.form("form[action$='/restoration']");
    assert_eq!(ada.submit(&undo).await.status, 303);
    assert_eq!(ada.get(&file).await.status, 200, "brought back");
    later(&app).await;
    app.idle().await;
    assert_eq!(ada.get(&file).await.status, 200, "and it stays");

    ada.submit(&form).await;
    let stored = app.stored().len();
    later(&app).await;
    app.idle().await;
    assert_eq!(app.stored().len(), stored - 2, "picture and thumbnail");
    let late = ada.submit(&undo).await;
    assert_eq!((late.status, late.html().texts("#flash")), (410, vec!["Too late, the picture is erased.".to_owned()]));
    assert!(late.html().has("article"), "with what there is");
    let request = ada.request(Method::POST, &undo.action).header("hx-request", "true");
    let late = ada.send(request.header("sec-fetch-site", "same-origin")).await;
    assert_eq!(late.status, 200);
    assert!(late.html().text().contains("Too late, the picture is erased."), "{}", late.body);
    assert!(late.html().has("[id^=run-]") && !late.body.contains("/restoration"), "the button is gone");
    assert!(!ada.get(&conversation).await.html().has("form[action$='/restoration']"));
    assert_eq!(app.story("ada").await, story);
    assert_eq!(app.count("SELECT COUNT(*) FROM runs WHERE state = 'succeeded'").await, 2);
    app.finish().await;
}

/// C21: a deleted conversation is gone at once with everything in it; what is being made is canceled and not charged, the
/// files go, the books stay.
#[tokio::test]
async fn a_conversation_is_deleted() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let kept = ada.ask("kept", &[]).await;
    ada.settled(&kept).await;
    let conversation = ada.ask("a house", &[]).await;
    let page = ada.settled(&conversation).await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Hang);
    ada.submit(&page.form("#composer").fill("prompt", "a slow house").fill("batch_size", "1")).await;
    assert!(app.sandbox.gemini().wait_for_calls(3, crate::support::PATIENCE).await);
    let question = ada.get(&format!("{conversation}/deletion")).await.html();
    assert!(question.text().contains("What you wrote in it and one picture are gone at once"), "{}", question.text());

    let answer = ada.submit(&question.form("main form")).await;

    assert_eq!(answer.location(), conversation.replace("conversations/", "conversations?deleted="));
    let studio = ada.get(&answer.location()).await.html();
    assert!(studio.text().contains("The conversation is deleted."));
    assert!(!studio.text().contains("a house"));
    assert_eq!(studio.texts("#allowance"), ["1 free picture left"]);
    for path in [
        &conversation,
        &format!("{conversation}/deletion"),
        &page.attribute(".cell img", "src"),
        &page.attribute(".cell a", "href"),
    ] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
    assert_eq!(ada.submit(&question.form("main form")).await.status, 303, "a second press is harmless");
    assert_eq!(ada.submit(&page.form("form[action$='/repetition']")).await.status, 404);
    assert_eq!(app.stored().len(), 4, "nothing is erased while it can be undone");
    later(&app).await;
    app.idle().await;
    assert_eq!(app.stored().len(), 2, "only what was kept");
    assert_eq!(ada.get(&kept).await.html().attributes(".cell img", "src").len(), 1);
    assert_eq!(
        app.story("ada").await,
        "trial: grant 3 / hold -1 / capture -1 / hold -1 / capture -1 / hold -1 / release 1"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 3);
    app.finish().await;
}

/// C21: a deleted conversation comes back for some seconds, with the pictures that went with it and in its place; what was
/// being made in it has ended, what was deleted by itself stays deleted, and nothing is erased until it is too late.
#[tokio::test]
async fn a_deleted_conversation_comes_back() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let conversation = ada.ask("a house", &[("batch_size", "2")]).await;
    let page = ada.settled(&conversation).await;
    let [alone, with_it] = page.attributes(".cell img", "src").try_into().unwrap();
    ada.submit(&page.form("form[action$='/deletion']")).await;
    let undo_alone = ada.get(&conversation).await.html().form("form[action$='/restoration']");
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Hang);
    let calls = app.sandbox.gemini().calls().len();
    ada.submit(&page.form("#composer").fill("prompt", "a slow house").fill("batch_size", "1")).await;
    assert!(app.sandbox.gemini().wait_for_calls(calls + 1, crate::support::PATIENCE).await);
    let question = ada.get(&format!("{conversation}/deletion")).await.html();
    assert!(question.text().contains("You can undo this for 20 seconds"), "{}", question.text());

    let deleted = ada.submit(&question.form("main form")).await.location();

    assert_eq!(ada.get(&with_it).await.status, 404);
    assert_eq!(ada.submit(&undo_alone).await.status, 404, "nothing comes back into what is gone");
    assert!(!ada.get("/app/gallery").await.html().has(".gallery-item"));
    for path in ["/app", "/app/history", "/app/history?q=house", "/app/history?shelf=archived", "/app/queue"] {
        assert!(!ada.get(path).await.body.contains(&conversation), "{path}");
    }
    let undo = ada.get(&deleted).await.html().form("#deleted form");
    assert_eq!(app.sign_in("eve").await.submit(&undo).await.status, 404);
    for _ in 0..2 {
        let answer = ada.submit(&undo).await;
        assert_eq!((answer.status, answer.location()), (303, conversation.clone()), "pressed twice it is the same");
    }
    assert!(!ada.get(&deleted).await.html().has("#deleted"));
    assert_eq!(ada.get(&conversation).await.html().attributes(".cell img", "src"), std::slice::from_ref(&with_it));
    assert_eq!(ada.get(&alone).await.status, 404);
    assert_eq!(app.count("SELECT COUNT(*) FROM runs WHERE state = 'canceled'").await, 1, "what was ended stays so");
    later(&app).await;
    app.idle().await;
    assert_eq!(ada.get(&with_it).await.status, 200, "and it stays");
    assert_eq!(app.stored().len(), 2, "picture and thumbnail");

    ada.submit(&question.form("main form")).await;
    later(&app).await;
    let late = ada.submit(&undo).await.location();
    assert!(ada.get(&late).await.html().text().contains("It was too late"), "{late}");
    assert_eq!(ada.get(&conversation).await.status, 404);
    app.idle().await;
    assert_eq!(app.stored().len(), 0);
    assert!(ada.get(&deleted).await.html().text().contains("Its pictures are being erased."));
    app.finish().await;
}

/// C21: what was uploaded for two conversations goes with the second of them, and comes back with the first.
#[tokio::test]
async fn an_upload_comes_back_with_either() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let file = || Some(("a.png", pictures::png(&pictures::drawing(64, 64))));
    let mut conversations = Vec::new();
    for prompt in ["in snow", "in rain"] {
        let answer = ada.try_ask(prompt, &[("mode", "image_to_image")], file()).await;
        ada.settled(&answer.location()).await;
        conversations.push(answer.location());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM assets WHERE origin = 'upload'").await, 1);
    let there = "SELECT COUNT(*) FROM assets WHERE origin = 'upload' AND deleted_at IS NULL";
    let mut undo = Vec::new();
    for (conversation, left) in conversations.iter().zip([1, 0]) {
        let deleted = ada.post(&format!("{conversation}/deletion"), &[]).await.location();
        undo.push(ada.get(&deleted).await.html().form("#deleted form"));
        assert_eq!(app.count(there).await, left);
    }

    ada.submit(&undo[0]).await;

    assert_eq!(app.count(there).await, 1);
    later(&app).await;
    app.idle().await;
    assert_eq!(app.count(there).await, 1, "the other conversation goes without it");
    assert_eq!(app.stored().len(), 4, "a picture and what it was made from");
    assert_eq!(ada.get(&conversations[1]).await.status, 404);
    app.finish().await;
}

/// C21: a conversation is renamed, put into the archive, found there, and brought back by hand or by a new prompt.
#[tokio::test]
async fn names_and_the_archive() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a house", &[]).await;
    let page = bo.get(&conversation).await.html();

    let renamed = bo.submit(&page.form("#rename").fill("title", "  The  <b>old</b>\n house ")).await;
    assert_eq!(renamed.location(), conversation);
    let page = bo.get(&conversation).await.html();
    assert_eq!(page.texts("main h1"), ["The <b>old</b> house"]);
    for (name, said) in [(" \n ", "Give it a name."), (&"x".repeat(81), "Keep the name under 80 characters.")] {
        let refused = bo.submit(&page.form("#rename").fill("title", name)).await;
        assert_eq!(refused.status, 422);
        assert!(refused.html().text().contains(said), "{said}");
    }
    assert_eq!(bo.get(&conversation).await.html().texts("main h1"), ["The <b>old</b> house"]);

    bo.submit(&page.form("form[action$='/archival']")).await;
    let listed = async |path: &str, selector: &str| bo.get(path).await.html().attributes(selector, "href");
    assert_eq!(listed("/app", "#conversation-list a").await, Vec::<String>::new());
    assert_eq!(listed("/app/history?shelf=archived", "main a.nav-link").await, std::slice::from_ref(&conversation));
    assert!(bo.get(&conversation).await.html().texts("#shelf").join(" ").contains("In the archive."));
    let archive = bo.get("/app/history?shelf=archived").await.html();
    assert_eq!(bo.submit(&archive.form("main form[method=post]")).await.location(), "/app/history?shelf=archived");
    assert_eq!(listed("/app", "#conversation-list a").await, std::slice::from_ref(&conversation));
    bo.submit(&page.form("form[action$='/archival']")).await;
    bo.submit(&bo.get(&conversation).await.html().form("#composer").fill("prompt", "a barn")).await;
    assert_eq!(
        listed("/app", "#conversation-list a").await,
        std::slice::from_ref(&conversation),
        "a new prompt brings it back"
    );
    app.finish().await;
}

/// C21: a long list and a long conversation are read page by page, each thing once.
#[tokio::test]
async fn long_lists_come_in_pages() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("turn 0", &[]).await;
    let id = app.count("SELECT id FROM conversations").await;
    for n in 1..45 {
        app.sql(&format!(
            "INSERT INTO generations (pid, user_id, conversation_id, kind, mode, model, prompt, params, client_token, request_hash, state, created_at) \
             SELECT {}, user_id, conversation_id, kind, mode, model, 'turn {n}', params, 'token {n}', request_hash, state, created_at FROM generations WHERE conversation_id = {id} AND prompt = 'turn 0'",
            pid()
        )).await;
        app.sql(&format!(
            "INSERT INTO runs (pid, generation_id, number, state, inputs_snapshot, outputs_requested, outputs_delivered, failure, version, deadline_at, created_at, finished_at) \
             SELECT {}, (SELECT MAX(id) FROM generations), 1, 'failed', inputs_snapshot, 1, 0, 'empty', 1, deadline_at, created_at, created_at FROM runs WHERE number = 1 ORDER BY id LIMIT 1",
            pid()
        )).await;
        app.sql(&format!(
            "INSERT INTO conversations (pid, user_id, title, created_at, updated_at) SELECT {}, user_id, 'talk {n}', created_at, updated_at FROM conversations WHERE id = {id}",
            pid()
        )).await;
    }
    let (mut path, mut turns) = (conversation.clone(), Vec::new());
    loop {
        let page = bo.get(&path).await.html();
        let mut some = page.texts("article .bubble");
        some.append(&mut turns);
        turns = some;
        let Some(earlier) = page.attributes("#earlier a", "href").first().cloned() else { break };
        path = earlier;
    }
    assert_eq!(turns, (0..45).map(|n| format!("turn {n}")).collect::<Vec<_>>());

    let (mut path, mut talks) = ("/app/history".to_owned(), Vec::new());
    loop {
        let page = bo.get(&path).await.html();
        talks.extend(page.attributes("main a.nav-link", "href"));
        let Some(older) = page.attributes("main nav[aria-label=Pages] a[href*='before=']", "href").first().cloned()
        else {
            break;
        };
        path = older;
    }
    assert_eq!(talks.len(), 45);
    talks.sort();
    talks.dedup();
    assert_eq!(talks.len(), 45, "each once, though all were used at the same moment");
    app.abandon().await;
}

/// A new id as the database spells it in SQL.
fn pid() -> String {
    let pid = uuid::Uuid::now_v7();
    if is_postgres() { format!("'{pid}'::uuid") } else { format!("X'{}'", pid.simple()) }
}
