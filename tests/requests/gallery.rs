//! All my pictures.

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    assets::gallery,
    conversations::{self, Shelf},
};
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};

use crate::support::{Answer, Html, Person, Setup, TestApp, bulk, is_postgres, pictures};

/// The pictures of a page, by what they show.
fn shown(page: &Html) -> Vec<String> {
    page.attributes(".gallery-item img", "alt")
}

async fn look(person: &Person, query: &str) -> Vec<String> {
    let answer = person.get(&format!("/app/gallery{query}")).await;
    assert_eq!(answer.status, 200, "{query}");
    shown(&answer.html())
}

async fn htmx(person: &Person, path: &str) -> Answer {
    person.send(person.request(Method::GET, path).header("hx-request", "true")).await
}

/// F112: my pictures and nobody else's, the newest first; a star marks one and moves none; filters and search are in the
/// address and stand in the form again.
#[tokio::test]
async fn pictures_are_found_again() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    assert_eq!(look(&bo, "").await, Vec::<String>::new());
    bo.make("a boat at dawn", &[]).await;
    bo.make("a tower, 100% steel_blue", &[("aspect_ratio", "9:16")]).await;
    let source = [("mode", "image_to_image"), ("aspect_ratio", "16:9")];
    let answer =
        bo.try_ask("The Boat in winter", &source, Some(("a.png", pictures::png(&pictures::drawing(64, 64))))).await;
    bo.settled(&answer.location()).await;
    app.sign_in("ada").await.make("a stranger's boat", &[]).await;

    let all = ["The Boat in winter", "a tower, 100% steel_blue", "a boat at dawn"];
    assert_eq!(look(&bo, "").await, all);
    for (query, found) in [
        ("?q=BOAT", vec![all[0], all[2]]),
        ("?q=boat+dawn", vec![]),
        ("?q=100%25", vec![all[1]]),
        ("?q=steel_", vec![all[1]]),
        ("?q=s_eel", vec![]),
        ("?q=%27%20OR%201=1", vec![]),
        ("?shape=wide", vec![all[0]]),
        ("?shape=tall", vec![all[1]]),
        ("?shape=square", vec![all[2]]),
        ("?from_picture=1", vec![all[0]]),
        ("?model=nano_banana&q=boat", vec![all[0], all[2]]),
        ("?model=another", vec![]),
        ("?favorites=1", vec![]),
        ("?shape=round&since=soon&before=x&pages=x", all.to_vec()),
    ] {
        assert_eq!(look(&bo, query).await, found, "{query}");
    }
    let today = Utc::now();
    let day = |days: i64| (today + TimeDelta::days(days)).format("%Y-%m-%d").to_string();
    assert_eq!(look(&bo, &format!("?since={}&until={}", day(0), day(0))).await, all);
    assert_eq!(look(&bo, &format!("?until={}", day(-1))).await, Vec::<String>::new());
    assert_eq!(look(&bo, &format!("?since={}", day(1))).await, Vec::<String>::new());

    let page = bo.get("/app/gallery?q=boat").await.html();
    let star = page.form(".gallery-item:last-of-type form[action$='/favorite']");
    assert_eq!(page.attribute(".gallery-item:last-of-type .star", "aria-pressed"), "false");
    let back = bo.submit(&star).await;
    assert_eq!(back.status, 303);
    assert!(back.location().starts_with("/app/gallery?q=boat#picture-"), "{}", back.location());
    assert_eq!(look(&bo, "").await, all, "a star moves nothing");
    assert_eq!(look(&bo, "?favorites=1").await, [all[2]]);
    let page = bo.get("/app/gallery?favorites=1&shape=square").await.html();
    assert_eq!(page.attribute(".star", "aria-pressed"), "true");
    assert!(page.has("[name=favorites][checked]") && page.has("#shape option[value=square][selected]"));
    bo.submit(&star).await;
    assert_eq!(look(&bo, "?favorites=1").await, [all[2]], "pressed twice from the same page it is the same");
    let unstar = page.form("form[action$='/favorite']");
    let request = bo.request(Method::POST, &unstar.action).header("hx-request", "true");
    let request = request.header("sec-fetch-site", "same-origin").form(&[("on", "0"), ("back", "/app/gallery")]);
    let fragment = bo.send(request).await;
    assert_eq!((fragment.status, fragment.html().attribute(".star", "aria-pressed").as_str()), (200, "false"));
    assert!(!fragment.body.contains("<html"));

    let stranger = app.sign_in("eve").await;
    assert_eq!(stranger.post(&unstar.action, &[("on", "1")]).await.status, 404);
    let picture = bo.get("/app/gallery").await.html().attribute(".gallery-item a", "href");
    assert_eq!(stranger.get(&picture).await.status, 404);
    let away = bo.post(&unstar.action, &[("on", "0"), ("back", "https://example.com/app/")]).await;
    assert!(away.location().starts_with("/app/pictures/"), "nobody is led elsewhere: {}", away.location());
    app.finish().await;
}

/// F112: a picture in the gallery leads to its prompt and settings, to the ones beside it, and to its turn.
#[tokio::test]
async fn a_picture_leads_on() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for prompt in ["one", "two", "three"] {
        bo.make(prompt, &[]).await;
    }
    let gallery = bo.get("/app/gallery").await.html();
    let urls = gallery.attributes(".gallery-item > a", "href");

    let page = bo.get(&urls[1]).await.html();

    assert_eq!(page.texts("#prompt"), ["two"]);
    assert_eq!(page.texts(".badge")[..4], ["Nano Banana", "1K", "1:1", "1 picture"]);
    assert_eq!(page.attribute("a[rel=prev]", "href"), urls[0]);
    assert_eq!(page.attribute("a[rel=next]", "href"), urls[2]);
    assert_eq!(page.attribute("a[rel=next]", "data-key"), "ArrowRight");
    let turn = page.attribute("a[href*='#turn-']", "href");
    let (conversation, anchor) = turn.split_once('#').unwrap();
    assert!(bo.get(conversation).await.html().has(&format!("#{anchor}")));
    let reuse = page.attributes("a", "href").into_iter().find(|href| href.contains("?from=")).unwrap();
    assert_eq!(bo.get(reuse.split('#').next().unwrap()).await.html().texts("#prompt"), ["two"]);
    assert!(!bo.get(&urls[0]).await.html().has("a[rel=prev]"), "the newest has nothing before it");
    assert!(!bo.get(&urls[2]).await.html().has("a[rel=next]"));
    app.finish().await;
}

/// F112: who opens a picture of what was searched for stays among what was found: with the arrows, with the star, with the
/// comparison, and with the way back, which leads to the same place. Who comes from a conversation goes back to it.
#[tokio::test]
async fn a_picture_remembers_the_gallery() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    for prompt in ["a boat & an oar", "a tower", "a boat at dawn"] {
        bo.make(prompt, &[]).await;
    }
    let all = bo.get("/app/gallery").await.html().attributes(".gallery-item > a", "href");
    let found = bo.get("/app/gallery?q=a+BOAT&shape=square").await.html().attributes(".gallery-item > a", "href");
    assert_eq!(found.len(), 2);

    let page = bo.get(&found[0]).await.html();

    assert!(!page.has("a[rel=prev]"));
    assert_eq!(page.attribute("a[rel=next]", "href"), found[1], "not the tower");
    let back = page.attribute("a[data-key=Escape]", "href");
    let (gallery, anchor) = back.split_once('#').unwrap();
    assert_eq!(gallery, "/app/gallery?q=a+BOAT&shape=square");
    let gallery = bo.get(gallery).await.html();
    assert!(gallery.has(&format!("#{anchor}")) && shown(&gallery).len() == 2);
    let star = page.form("form[action$='/favorite']");
    let starred = bo.submit(&star).await.location();
    assert_eq!(starred.split('#').next().unwrap(), found[0]);
    let last = bo.get(&found[1]).await.html();
    assert_eq!(last.attribute("a[rel=prev]", "href"), found[0]);
    assert!(!last.has("a[rel=next]"));

    let page = bo.get(&all[0]).await.html();
    let (next, back) = (page.attribute("a[rel=next]", "href"), page.attribute("a[data-key=Escape]", "href"));
    assert_eq!(next, all[1], "everything, when nothing was left out");
    assert!(back.starts_with("/app/gallery#picture-"), "{back}");
    let alone = all[0].split('?').next().unwrap();
    let page = bo.get(alone).await.html();
    assert!(page.attribute("a[data-key=Escape]", "href").starts_with("/app/conversations/"));
    assert_eq!(page.attribute("a[rel=next]", "href"), all[1].split('?').next().unwrap());
    let strange = bo.get(&format!("{alone}?via=gallery&shape=round&since=soon&before=x&pages=x&q=%27")).await;
    assert_eq!(strange.status, 200);
    assert_eq!(bo.get(&format!("{alone}?via=elsewhere&q=tower")).await.status, 200);
    app.finish().await;
}

/// So many pictures of somebody, each with its prompt, written as SQL.
async fn many(app: &TestApp, name: &str, count: usize) -> nproxy::models::users::Model {
    let user = app.user(name).await;
    let db = &app.ctx.db;
    let runs = bulk::runs(db, user.id, count, 1).await;
    let (uuid, thread) =
        if is_postgres() { ("gen_random_uuid()", "gen_random_uuid()") } else { ("randomblob(16)", "randomblob(16)") };
    for sql in [
        format!(
            "INSERT INTO conversations (pid, user_id, title, created_at, updated_at) \
             SELECT {thread}, id, 'bulk', created_at, created_at FROM users WHERE id = {}",
            user.id
        ),
        format!(
            "UPDATE generations SET conversation_id = (SELECT MAX(id) FROM conversations), prompt = 'boat ' || id WHERE user_id = {}",
            user.id
        ),
        format!(
            "INSERT INTO assets (pid, user_id, storage_key, thumb_key, mime, bytes, sha256, width, height, origin, favorite, \
             created_at) SELECT {uuid}, {}, 'bulk-' || r.id, 'thumb', 'image/png', 1, 'hash', 64, 64, 'output', false, \
             r.created_at FROM runs r WHERE r.id IN ({}) ORDER BY r.id",
            user.id,
            runs.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
        ),
        "UPDATE outputs SET state = 'done', asset_id = (SELECT a.id FROM assets a WHERE a.storage_key = 'bulk-' || outputs.run_id) \
         WHERE run_id IN (SELECT id FROM runs)"
            .into(),
        "UPDATE runs SET state = 'succeeded', outputs_delivered = 1".into(),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
    if is_postgres() {
        app.sql("ANALYZE").await;
    }
    user
}

/// F112: pages without gaps or repeats; "load more" adds to the page and leaves an address that shows the same again.
#[tokio::test]
async fn pages_follow_each_other() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    many(&app, "eve", 130).await;
    let eve = app.sign_in("eve").await;

    let mut seen = Vec::new();
    let mut path = "/app/gallery".to_owned();
    for pages in 1.. {
        let page = eve.get(&path).await.html();
        seen.extend(shown(&page));
        match page.attributes("li.col-span-full a", "href").pop() {
            Some(next) => path = next,
            None => {
                assert_eq!(pages, 3);
                break;
            }
        }
    }
    assert_eq!(seen.len(), 130);
    let mut once = seen.clone();
    once.dedup();
    assert_eq!(once, seen);

    let first = eve.get("/app/gallery").await.html();
    let more = htmx(&eve, &first.attribute("li.col-span-full a", "hx-get")).await;
    assert!(!more.body.contains("<html"));
    assert_eq!(shown(&more.html()), seen[48..96]);
    assert_eq!(more.header("hx-replace-url"), "/app/gallery?pages=2");
    assert_eq!(shown(&eve.get("/app/gallery?pages=2").await.html()), seen[..96], "coming back shows the same");
    let more = htmx(&eve, &more.html().attribute("li.col-span-full a", "hx-get")).await;
    assert_eq!(more.header("hx-replace-url"), "/app/gallery?pages=3");
    assert_eq!(shown(&more.html()), seen[96..]);
    assert!(!more.html().has("li.col-span-full"));
    let page = eve.get("/app/gallery").await.html();
    assert_eq!(page.attributes(".gallery-item img", "loading").iter().filter(|it| *it == "lazy").count(), 48 - 6);
    app.abandon().await;
}

/// F112: five thousand pictures: every query of the gallery and of the list of conversations finds its rows by an index, and a page takes little.
#[tokio::test]
async fn five_thousand_pictures() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let user = many(&app, "eve", 5_000).await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut db = app.ctx.db.clone();
    let collected = seen.clone();
    db.set_metric_callback(move |info| collected.lock().unwrap().push(info.statement.to_string()));
    let all = gallery::Wanted::default();
    let began = std::time::Instant::now();
    let page = gallery::gallery(&db, &user, &all, None, 1).await.unwrap();
    let took = began.elapsed();
    assert_eq!(page.pieces.len(), 48);
    let words = gallery::Wanted { words: "boat 12".into(), ..gallery::Wanted::default() };
    assert!(!gallery::gallery(&db, &user, &words, page.older, 1).await.unwrap().pieces.is_empty());
    let stars = gallery::Wanted { favorites: true, ..gallery::Wanted::default() };
    assert!(gallery::gallery(&db, &user, &stars, None, 1).await.unwrap().pieces.is_empty());
    for wanted in [&all, &words, &stars] {
        gallery::neighbours(&db, &user, wanted, &page.pieces[5].asset).await.unwrap();
    }
    // The sidebar of every page, and a search.
    for words in ["", "boat 12"] {
        let listed = conversations::list(&db, &user, Shelf::Current, words, None).await.unwrap();
        assert_eq!((listed.covers.len(), listed.found.len()), (1, usize::from(!words.is_empty())));
    }
    println!("a page of the gallery took {took:?}");
    assert!(took.as_secs() < 3, "{took:?}");

    let statements = std::mem::take(&mut *seen.lock().unwrap());
    assert!(statements.len() >= 8, "{statements:#?}");
    let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
    if is_postgres() {
        txn.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
    }
    let mut scans = Vec::new();
    for sql in statements {
        let explain = if is_postgres() { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
        let ask = Statement::from_string(txn.get_database_backend(), format!("{explain} {sql}"));
        for row in txn.query_all_raw(ask).await.unwrap() {
            let line: String = if is_postgres() { row.try_get_by_index(0) } else { row.try_get("", "detail") }.unwrap();
            if line.contains("Seq Scan") || (line.starts_with("SCAN") && !line.contains("CONSTANT ROW")) {
                scans.push(format!("{sql}: {line}"));
            }
        }
    }
    txn.rollback().await.unwrap();
    assert!(scans.is_empty(), "{scans:#?}");
    app.abandon().await;
}
