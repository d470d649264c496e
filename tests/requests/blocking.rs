//! Somebody is shut out, and let in again.

use nproxy::models::{
    activities,
    generations::{self, Ask, Submission},
    users::seeds,
};

use super::accounts::{NORA, PASSWORD, forgot, link, log_in, post_token, registered};
use crate::support::TestApp;

const BLOCKED: &str = "This account is blocked. Write to support if you think that is a mistake.";

/// F12: blocked while logged in: the next request leads to the login page, nothing starts, links open nothing; only the
/// right password hears why. Lifted, all is as before, and the old session stays ended.
#[tokio::test]
async fn a_blocked_person_is_out_at_once() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    forgot(&app.visitor(), "ada@example.com").await;
    let reset = link(&app.mail("ada@example.com", 1).await);

    app.task("user_block", &[("email", "Ada@example.com"), ("reason", "spam")]).await.unwrap();

    assert_eq!(ada.get("/app").await.location(), "/login");
    let asked = ada.try_ask("a boat", &[], None).await;
    assert_eq!((asked.status, asked.location().as_str()), (303, "/login"));
    assert_eq!(app.count("SELECT COUNT(*) FROM generations").await, 0);
    let visitor = app.visitor();
    let right = log_in(&visitor, "ada@example.com", seeds::PASSWORD).await;
    assert_eq!((right.status, right.html().texts("[role=alert]")), (422, vec![BLOCKED.to_owned()]));
    let wrong = log_in(&visitor, "ada@example.com", "not the password").await;
    assert_eq!(wrong.html().texts("[role=alert]"), ["E-mail address or password is wrong."]);
    assert_eq!(post_token(&visitor, "/password/reset", &reset).await.status, 422);
    forgot(&visitor, "ada@example.com").await;
    app.mail("ada@example.com", 1).await;
    assert_eq!(visitor.cookie(), None);

    app.task("user_unblock", &[("email", "ada@example.com")]).await.unwrap();
    assert_eq!(ada.get("/app").await.location(), "/login", "what has ended stays ended");
    assert_eq!(log_in(&visitor, "ada@example.com", seeds::PASSWORD).await.status, 303);
    let id = app.user("ada").await.id;
    let trace: Vec<_> =
        activities::about(&app.ctx.db, "user", id).await.unwrap().into_iter().map(|row| row.activity_type).collect();
    assert_eq!(trace[..2], ["unblock_user", "block_user"]);
    app.finish().await;
}

/// F12: the rule stands in the transaction that starts something: a request that was let in before the block, and comes
/// to it after, starts nothing.
#[tokio::test]
async fn a_request_under_way_starts_nothing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.task("user_block", &[("email", "ada@example.com")]).await.unwrap();

    let ask = Ask { prompt: "a boat".into(), client_token: "a press".into(), ..Ask::default() };
    let submitted = generations::submit(&app.ctx, &ada, None, ask).await.unwrap();

    assert!(matches!(submitted, Submission::Barred), "{submitted:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 0);
    assert_eq!(app.open_holds().await, 0);
    app.finish().await;
}

/// F12: what was under way when the block came goes on to its end, paid by what was set aside for it.
#[tokio::test]
async fn what_is_under_way_is_finished() {
    let mut app = TestApp::with(crate::support::Setup { jobs: false, ..Default::default() }).await;
    let ada = app.sign_in("ada").await;
    ada.ask("a boat", &[]).await;
    app.task("user_block", &[("email", "ada@example.com")]).await.unwrap();
    app.work();
    app.idle().await;
    assert_eq!(app.text("SELECT state FROM runs").await, "succeeded");
    assert_eq!(app.story("ada").await, "trial: grant 3 / hold -1 / capture -1");
    app.finish().await;
}

/// F12, F7: an account that waits for its proof can be blocked too: its link opens nothing, and lifting the block does
/// not prove the address.
#[tokio::test]
async fn a_block_does_not_prove_an_address() {
    let app = TestApp::start().await;
    let activation = registered(&app).await;
    app.task("user_block", &[("email", NORA)]).await.unwrap();
    let nora = app.visitor();
    assert_eq!(post_token(&nora, "/activation", &activation).await.status, 422);
    assert_eq!(nora.cookie(), None);
    assert_eq!(log_in(&nora, NORA, PASSWORD).await.html().texts("[role=alert]"), [BLOCKED]);
    app.idle().await;

    app.task("user_unblock", &[("email", NORA)]).await.unwrap();
    assert_eq!(app.user("nora").await.status, "new");
    assert_eq!(post_token(&nora, "/activation", &activation).await.status, 422, "the old link is over");
    log_in(&nora, NORA, PASSWORD).await;
    let fresh = link(&app.mail(NORA, 2).await);
    assert_eq!(post_token(&nora, "/activation", &fresh).await.status, 303);
    app.finish().await;
}
