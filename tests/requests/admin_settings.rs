//! What is switched while the site runs, through the web admin and on the console.

use nproxy::models::{
    activities::{self, Actor},
    switches::{self, Switch, Thrown},
    users::Role,
};

use crate::support::{Setup, TestApp};

/// A pause is a sentence to people: nothing new begins, nothing is charged, what is under way is finished; and afterwards
/// the same button works again. F62: two activities, by their two actors.
#[tokio::test]
async fn generation_is_paused_and_resumed() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let (ada, cy) = (app.sign_in("ada").await, app.sign_in_staff("cy").await);
    let under_way = ada.ask("a lighthouse, begun before", &[]).await;

    let says = "We move house until noon.";
    let paused = cy.post("/admin/settings/generation_paused", &[("says", says), ("reason", "moving")]).await;
    assert_eq!((paused.status, paused.location().as_str()), (303, "/admin/settings?done=generation_paused"));
    assert!(ada.get("/app/conversations").await.html().texts("#paused").concat().contains(says));
    let refused = ada.try_ask("a lighthouse, begun after", &[], None).await;
    assert_eq!(refused.status, 409);
    assert!(refused.html().text().contains(says), "{}", refused.html().text());
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 1);
    assert_eq!(app.open_holds().await, 1);

    app.work();
    ada.settled(&under_way).await;
    assert_eq!(app.spent("ada").await, 1, "what was under way was finished");

    app.task("switch_set", &[("name", "generation_paused"), ("on", "false"), ("reason", "moved")]).await.unwrap();
    ada.make("a lighthouse, begun again", &[]).await;
    assert_eq!(app.spent("ada").await, 2);
    let told = app.text(
        "SELECT string_agg(line, ' ') FROM (SELECT actor_type || ':' || activity_type AS line FROM activities \
         WHERE resource_type = 'switch' ORDER BY id) AS lines",
    );
    assert_eq!(told.await, "admin:pause_generation cli:resume_generation");
    app.finish().await;
}

/// Sign-ups closed: the form is not there, and sending it does nothing; open again, it works.
#[tokio::test]
async fn sign_ups_are_closed() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = app.sign_in_staff("cy").await;
    let visitor = app.visitor();
    let form = [("email", "fay@example.com"), ("password", "a long enough sentence")];
    let close = cy.post("/admin/settings/sign_ups_closed", &[("says", ""), ("reason", "a flood")]).await;
    assert_eq!(close.status, 303, "{}", close.html().text());
    let page = visitor.get("/register").await.html();
    assert!(!page.has("form[action='/register']") && page.text().contains("New accounts are not open"));
    assert!(!visitor.get("/").await.html().has("main a[href='/register']"));
    assert_eq!(visitor.post("/register", &form).await.status, 403);
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE email = 'fay@example.com'").await, 0);
    assert_eq!(cy.post("/admin/settings/sign_ups_closed/release", &[("reason", "over")]).await.status, 303);
    assert_eq!(visitor.post("/register", &form).await.status, 200);
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE email = 'fay@example.com'").await, 1);
    app.finish().await;
}

/// A banner stands above every page, as text; without a sentence or a reason nothing is switched, and what was typed
/// stands in the form again. X38: markup in it is words.
#[tokio::test]
async fn a_banner_is_put_up() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let (ada, cy) = (app.sign_in("ada").await, app.sign_in_staff("cy").await);
    let put =
        async |says: &str, reason: &str| cy.post("/admin/settings/banner", &[("says", says), ("reason", reason)]).await;
    for (says, reason, fault) in [
        ("", "news", "It needs a sentence"),
        ("news", " ", "Say why"),
        (&"x".repeat(301), "news", "at most 300 letters"),
    ] {
        let answer = put(says, reason).await;
        assert_eq!(answer.status, 422, "{says}");
        let page = answer.html();
        assert!(page.texts("#banner-help").concat().contains(fault), "{says}");
        assert_eq!(page.texts("#banner-says").concat(), says);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM switches").await, 0);

    let says = "<script>alert(1)</script> Maintenance at 22:00";
    assert_eq!(put(says, "news").await.status, 303);
    assert_eq!(put(says, "news").await.status, 303, "twice is once");
    for (person, path) in [(&ada, "/app"), (&ada, "/app/account"), (&app.visitor(), "/login"), (&cy, "/admin")] {
        let page = person.get(path).await.html();
        assert_eq!(page.texts("#banner"), [says], "{path}");
    }
    assert_eq!(put("At 23:00", "later").await.status, 303);
    assert_eq!(ada.get("/app").await.html().texts("#banner"), ["At 23:00"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'put_up_banner'").await, 2);
    assert_eq!(cy.post("/admin/settings/banner/release", &[("reason", "over")]).await.status, 303);
    assert!(!ada.get("/app").await.html().has("#banner"));
    assert_eq!(cy.post("/admin/settings/coffee", &[("says", "x"), ("reason", "x")]).await.status, 404);
    app.finish().await;
}

/// Support sees the switches and changes none.
#[tokio::test]
async fn support_looks() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.appoint("bo", Role::Support).await;
    let bo = app.sign_in_staff("bo").await;
    let page = bo.get("/admin/settings").await;
    assert_eq!(page.status, 200);
    assert!(!page.html().has("form[action^='/admin/settings']"));
    assert!(page.html().text().contains("You have 10 recovery codes left"), "{}", page.html().text());
    for path in ["/admin/settings/generation_paused", "/admin/settings/generation_paused/release"] {
        assert_eq!(bo.post(path, &[("reason", "x")]).await.status, 404, "{path}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM switches").await, 0);
    app.finish().await;
}

/// Of twenty who pause at once one does, with one trace.
#[tokio::test]
async fn of_many_pauses_one_counts() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let pause = || switches::pause_generation(&app.ctx, "", "a race", &Actor::Cli);
    let done = futures::future::join_all((0..20).map(|_| pause())).await;
    assert_eq!(done.iter().filter(|thrown| matches!(thrown, Ok(Thrown::Done))).count(), 1, "{done:?}");
    assert!(
        switches::says(&app.ctx.db, Switch::GenerationPaused).await.unwrap().unwrap().starts_with("No new pictures")
    );
    let id = app.count("SELECT id FROM switches").await;
    assert_eq!(activities::about(&app.ctx.db, "switch", id).await.unwrap().len(), 1);
    app.finish().await;
}
