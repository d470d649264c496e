//! People as operators see them.

use nproxy::models::{
    activities::Actor,
    allowances, ledger_entries,
    users::{Blocking, Role, block_by_rank},
};

use super::{admin, count, leaves_one, newest_reason, staff};
use crate::support::{Person, Setup, TestApp};

async fn app() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// F47: the list finds people by the beginning of their mail address, by number and by status; the page shows one.
#[tokio::test]
async fn people_are_listed_and_found() {
    let app = app().await;
    let cy = admin(&app).await;
    let ada = app.user("ada").await;
    let all = cy.get("/admin/users").await.html();
    assert_eq!(all.texts("tbody tr").len(), 5);
    assert_eq!(all.texts("nav.choices [aria-current]"), ["All 5"]);
    for q in ["ada", "email:ada@exam", "ADA@example.com", &format!("id:{}", ada.id), &format!("pid:{}", ada.pid)] {
        let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
        let found = cy.get(&format!("/admin/users?q={q}")).await.html();
        let rows = found.attributes("tbody tr", "id");
        assert_eq!(rows, [format!("row-{}", ada.id)], "{q}");
    }
    assert!(cy.get("/admin/users?q=nobody").await.html().text().contains("Nothing here"));
    assert_eq!(cy.get("/admin/users?scope=staff").await.html().texts("tbody tr").len(), 1);
    assert_eq!(cy.get("/admin/users?scope=blocked").await.html().texts("tbody tr").len(), 0);
    let page = cy.get(&format!("/admin/users/{}", ada.id)).await.html();
    assert_eq!(page.texts("h1"), ["ada@example.com"]);
    assert_eq!(cy.get("/admin/users/999999").await.status, 404);
    app.finish().await;
}

/// F47: blocking says what follows and asks why; it is one activity, ends the person's sessions, and is undone likewise.
#[tokio::test]
async fn somebody_is_blocked_and_let_in_again() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let ada = app.user("ada").await;
    let ada_herself = app.sign_in("ada").await;
    let about = format!("user:{}", ada.id);
    let page = cy.get(&format!("/admin/users/{}/block", ada.id)).await.html();
    assert!(page.texts("#consequences").join(" ").contains("Every session ends"));
    let form = page.form("#action").fill("reason", "they asked for it");
    let answer = leaves_one(&app, &me, "block_user", &about, cy.submit(&form)).await;
    assert_eq!(answer.location(), format!("/admin/users/{}?done=block", ada.id));
    assert!(cy.get(&answer.location()).await.html().text().contains("The account is blocked."));
    assert_eq!(newest_reason(&app, "user", ada.id).await, "they asked for it");
    assert_eq!(ada_herself.get("/app").await.status, 303, "out with the next request");
    assert_eq!(cy.submit(&form).await.status, 409, "twice is once");

    let form = cy.get(&format!("/admin/users/{}/unblocking", ada.id)).await.html().form("#action");
    leaves_one(&app, &me, "unblock_user", &about, cy.submit(&form.fill("reason", "they did not"))).await;
    assert_eq!(app.user("ada").await.status, "activated");

    let before = count(&app).await;
    let form = cy.get(&format!("/admin/users/{}/block", me.id)).await.html().form("#action");
    let refused = cy.submit(&form.fill("reason", "a slip of the hand")).await;
    assert_eq!((refused.status, count(&app).await), (409, before), "nobody locks himself out");
    app.finish().await;
}

/// F47: nobody of the house shuts out somebody above them, or ends their sessions; it says so, and nothing is changed.
#[tokio::test]
async fn nobody_shuts_out_who_stands_above() {
    let app = app().await;
    let cy = admin(&app).await;
    let dee = staff(&app, "dee", Role::Owner).await;
    let base = format!("/admin/users/{}", app.user("dee").await.id);
    let one = cy.get(&base).await.html().attribute("#sessions tbody a", "href");
    let before = count(&app).await;
    for path in [format!("{base}/block"), format!("{base}/sessions"), one] {
        let form = cy.get(&path).await.html().form("#action").fill("reason", "because I can");
        let refused = cy.submit(&form).await;
        assert_eq!(refused.status, 409, "{path}");
        assert!(refused.html().text().contains("they stand above you"), "{path}: {}", refused.html().text());
    }
    assert_eq!((count(&app).await, dee.get("/admin").await.status), (before, 200));

    let form = dee.get(&format!("/admin/users/{}/block", app.user("cy").await.id)).await.html().form("#action");
    assert_eq!(dee.submit(&form.fill("reason", "went too far")).await.status, 303);
    assert_eq!(app.user("cy").await.status, "blocked");
    app.finish().await;
}

/// F47: of two owners who block each other at the same moment one is left, and the last one is blocked by nobody of the
/// house. The console can do it still.
#[tokio::test]
async fn somebody_owns_the_place() {
    let app = app().await;
    let (bo, dee) = (staff(&app, "bo", Role::Owner).await, staff(&app, "dee", Role::Owner).await);
    let page = async |who: &Person, whom: &str| {
        let page = who.get(&format!("/admin/users/{}/block", app.user(whom).await.id)).await.html();
        page.form("#action").fill("reason", "a quarrel")
    };
    let (by_bo, by_dee) = (page(&bo, "dee").await, page(&dee, "bo").await);

    let (one, two) = tokio::join!(bo.submit(&by_bo), dee.submit(&by_dee));

    let done = [&one, &two].into_iter().filter(|answer| answer.location().ends_with("?done=block")).count();
    assert_eq!(done, 1, "{} {}", one.status, two.status);
    let owners = "SELECT email FROM users WHERE role = 'owner' AND status = 'activated'";
    let last = app.texts(owners).await;
    assert_eq!(last.len(), 1, "{last:?}");
    let id = app.user(last[0].split('@').next().unwrap()).await.id;
    let refused = block_by_rank(&app.ctx, id, "nobody would be left", &Actor::System).await.unwrap();
    assert!(matches!(refused, Blocking::LastOwner), "{refused:?}");
    assert_eq!(app.texts(owners).await, last);

    app.task("user_block", &[("email", &last[0])]).await.unwrap();
    assert_eq!(app.texts(owners).await, [""; 0]);
    app.finish().await;
}

/// F54: what the page shows of allowances is what is stored, and what the ledger adds up to.
#[tokio::test]
async fn allowances_are_exact_and_equal_the_ledger() {
    let app = TestApp::start().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let bo = app.user("bo").await;
    app.sign_in("bo").await.make("a boat", &[("batch_size", "2")]).await;
    let quota = allowances::all_of(&app.ctx.db, bo.id).await.unwrap();
    let quota = quota.iter().find(|it| it.kind == "quota").unwrap().clone();
    let adjust = format!("/admin/users/{}/adjustment?allowance={}", bo.id, quota.id);
    let form = cy.get(&adjust).await.html().form("#action").fill("by", "-7").fill("reason", "a slip");
    leaves_one(&app, &me, "adjust_allowance", &format!("allowance:{}", quota.id), cy.submit(&form)).await;

    let page = cy.get(&format!("/admin/users/{}", bo.id)).await.html();
    assert!(page.has(&format!("#allowances a[href='{adjust}']")));
    let now = allowances::by_id(&app.ctx.db, quota.id).await.unwrap().unwrap();
    let entries = ledger_entries::of_allowance(&app.ctx.db, quota.id).await.unwrap();
    assert_eq!(now.available, entries.iter().map(|it| it.available_delta).sum::<i64>());
    assert_eq!(now.available, 100 - 2 - 7);
    let rows = page.texts("#allowances tbody tr");
    let row = rows.iter().find(|row| row.starts_with(&format!("Quota {}", quota.id))).unwrap();
    assert!(row.contains(&format!("Counts {} {} {}", now.granted, now.available, now.posted - now.available)), "{row}");
    let ledger = page.texts("#ledger tbody tr");
    for entry in &entries {
        let line = ledger.iter().find(|line| line.starts_with(&format!("{} ", entry.id))).unwrap();
        assert!(
            line.contains(&format!(
                "{:+} {:+} {} {}",
                entry.available_delta, entry.posted_delta, entry.available_after, entry.posted_after
            )),
            "{line}"
        );
    }
    let below = cy.get(&adjust).await.html().form("#action").fill("by", "-1000").fill("reason", "a slip");
    let refused = cy.submit(&below).await;
    assert_eq!(refused.status, 422);
    assert!(refused.html().text().contains("Only 91 are free, so nothing was taken."));
    app.finish().await;
}

/// F47, F54: granting, taking back and letting a debt go, each with its reason and one activity; a stranger's allowance
/// cannot be named on somebody's page.
#[tokio::test]
async fn things_are_given_and_taken() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let ada = app.user("ada").await;
    let base = format!("/admin/users/{}", ada.id);
    let form = cy.get(&format!("{base}/grant")).await.html().form("#action");
    let form = form.fill("kind", "tokens").fill("amount", "500").fill("reason", "a gift");
    leaves_one(&app, &me, "grant_allowance", &format!("user:{}", ada.id), cy.submit(&form)).await;
    let id = app.count(&format!("SELECT MAX(id) FROM allowances WHERE user_id = {}", ada.id)).await;

    let back = format!("{base}/revocation?allowance={id}");
    let page = cy.get(&back).await.html();
    assert!(page.texts("#consequences").join(" ").contains("What was used becomes a debt"));
    let form = page.form("#action").fill("reason", "a slip").fill("confirm", "ada@example.com");
    let bo = app.user("bo").await;
    let before = count(&app).await;
    let mut stranger = form.clone().fill("confirm", "bo@example.com");
    stranger.action = format!("/admin/users/{}/revocation", bo.id);
    assert_eq!(cy.submit(&stranger).await.status, 409);
    assert_eq!(count(&app).await, before, "that is not bo's");
    leaves_one(&app, &me, "revoke_allowance", &format!("allowance:{id}"), cy.submit(&form)).await;
    assert_eq!(cy.submit(&form).await.status, 409, "twice is once");
    app.finish().await;
}

/// F47: sessions are listed and ended one by one or all together; notes are written and stay.
#[tokio::test]
async fn sessions_and_notes() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let ada = app.user("ada").await;
    let (one, two) = (app.sign_in("ada").await, app.sign_in("ada").await);
    let base = format!("/admin/users/{}", ada.id);
    let about = format!("user:{}", ada.id);
    let page = cy.get(&base).await.html();
    let links = page.attributes("#sessions tbody a", "href");
    assert_eq!(links.len(), 2);
    let form = cy.get(&links[0]).await.html().form("#action").fill("reason", "a stolen phone");
    leaves_one(&app, &me, "revoke_session", &about, cy.submit(&form)).await;
    let still = [one.get("/app").await.status, two.get("/app").await.status];
    assert_eq!(still.iter().filter(|status| **status == 200).count(), 1, "{still:?}");
    let form = cy.get(&format!("{base}/sessions")).await.html().form("#action").fill("reason", "to be sure");
    leaves_one(&app, &me, "revoke_sessions", &about, cy.submit(&form)).await;
    assert_eq!([one.get("/app").await.status, two.get("/app").await.status], [303, 303]);

    let form = cy.get(&format!("{base}/note")).await.html().form("#action").fill("text", "Asks <b>kindly</b>.");
    leaves_one(&app, &me, "write_note", &about, cy.submit(&form)).await;
    let page = cy.get(&base).await;
    assert_eq!(page.html().texts("#notes tbody td:first-child"), ["Asks <b>kindly</b>."], "shown as it was written");
    for sql in ["UPDATE notes SET text = ''", "DELETE FROM notes"] {
        let refused = sea_orm::ConnectionTrait::execute_unprepared(&app.ctx.db, sql).await;
        assert!(refused.unwrap_err().to_string().contains("append-only"), "{sql}");
    }
    app.finish().await;
}

/// F47: an account that nobody proved is activated by its button, with its free pictures, once.
#[tokio::test]
async fn somebody_is_activated() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    app.visitor().post("/register", &[("email", "new@example.com"), ("password", "an otter in a red canoe")]).await;
    let new = app.user("new").await;
    let path = format!("/admin/users/{}/activation", new.id);
    leaves_one(&app, &me, "activate_user", &format!("user:{}", new.id), cy.post(&path, &[])).await;
    assert_eq!(app.user("new").await.status, "activated");
    assert_eq!(cy.post(&path, &[]).await.status, 409);
    app.finish().await;
}
