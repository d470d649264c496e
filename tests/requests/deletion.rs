//! The end of an account.

use nproxy::models::{
    generations::{self, Ask, Submission},
    users::{Role, seeds},
};
use sandbox::{Fault, gemini::EVERY_KEY};

use super::accounts::{PASSWORD, forgot, link, log_in, post_token, press, register};
use crate::support::{Answer, Person, Setup, TestApp, eventually};

async fn leave(person: &Person, password: &str) -> Answer {
    let form = person.get("/app/account/deletion").await.html().form("main form");
    person.submit(&form.fill("password", password)).await
}

/// F10: who leaves with the password is gone: sessions, links, words and pictures; the bytes leave the store, and the
/// books stay without anything that says who it was.
#[tokio::test]
async fn an_account_is_deleted() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let (ada, elsewhere) = (app.sign_in("ada").await, app.sign_in("ada").await);
    let conversation = ada.ask("my secret garden wedding", &[]).await;
    let page = ada.settled(&conversation).await;
    let picture = page.attribute(".cell img", "src");
    forgot(&app.visitor(), "ada@example.com").await;
    let reset = link(&app.mail("ada@example.com", 1).await);
    assert_eq!(app.stored().len(), 2);
    let id = app.user("ada").await.id;

    let wrong = leave(&ada, "not the password").await;
    assert_eq!((wrong.status, wrong.html().texts("#password-help")[0].as_str()), (422, "This is not your password."));
    assert_eq!(ada.get("/app").await.status, 200);
    let answer = leave(&ada, seeds::PASSWORD).await;

    assert_eq!((answer.status, answer.html().texts("h1")), (200, vec!["Your account is deleted".to_owned()]));
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    for path in ["/app", &conversation, &picture] {
        assert_eq!(elsewhere.get(path).await.status, 303, "{path}");
    }
    assert_eq!(log_in(&app.visitor(), "ada@example.com", seeds::PASSWORD).await.status, 422);
    assert_eq!(post_token(&app.visitor(), "/password/reset", &reset).await.status, 422);
    app.idle().await;
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new());
    for (table, left) in [("sessions", 0), ("links", 0), ("auth_events", 0), ("conversations", 0), ("runs", 1)] {
        let count = match table {
            "runs" => app.count("SELECT COUNT(*) FROM runs").await,
            _ => app.count(&format!("SELECT COUNT(*) FROM {table} WHERE user_id = {id}")).await,
        };
        assert_eq!(count, left, "{table}");
    }
    let books = "FROM ledger_entries e JOIN allowances a ON a.id = e.allowance_id";
    assert_eq!(app.count(&format!("SELECT COUNT(*) {books} WHERE a.user_id = {id}")).await, 3, "grant, hold, capture");
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'delete_user'").await, 1);
    for (text, place) in [
        ("prompt", "generations"),
        ("CAST(inputs_snapshot AS TEXT)", "runs"),
        ("CAST(detail AS TEXT)", "activities"),
        ("COALESCE(email, '')", "users"),
        ("args", "jobs"),
        ("reason", "ledger_entries"),
        ("source", "allowances"),
    ] {
        for of_hers in ["secret garden", "ada@"] {
            let held = format!("SELECT COUNT(*) FROM {place} WHERE {text} LIKE '%{of_hers}%'");
            assert_eq!(app.count(&held).await, 0, "{place} still says {of_hers}");
        }
    }
    app.finish().await;
}

/// F24, X62: the address is free for a new account, which starts from nothing: the pictures on the house are given once,
/// also when the account went by another address in between.
#[tokio::test]
async fn coming_back_is_no_second_gift() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let form = ada.get("/app/account/email").await.html().form("main form");
    ada.submit(&form.fill("email", "zed@example.com").fill("password", seeds::PASSWORD)).await;
    press(&ada, &link(&app.mail("zed@example.com", 1).await)).await;
    leave(&ada, seeds::PASSWORD).await;

    for (email, count, gift) in [("ada@example.com", 2, 0), ("zed@example.com", 2, 3)] {
        let back = app.visitor();
        register(&back, email, PASSWORD).await;
        assert_eq!(press(&back, &link(&app.mail(email, count).await)).await.status, 303);
        let shown = back.get("/app").await.html().texts("#allowance").join(" ");
        let expected = if gift == 0 { "No pictures left" } else { "3 free pictures left" };
        assert_eq!(shown, expected, "{email}");
        assert!(back.get("/app").await.html().text().contains("Nothing here yet"));
        leave(&back, PASSWORD).await;
    }
    let back = app.visitor();
    register(&back, "zed@example.com", PASSWORD).await;
    press(&back, &link(&app.mail("zed@example.com", 3).await)).await;
    assert_eq!(back.get("/app").await.html().texts("#allowance"), ["No pictures left"]);
    app.finish().await;
}

/// F31: what is under way when somebody leaves is let go: nothing is charged, and what the worker brings is not kept.
#[tokio::test]
async fn runs_under_way_are_let_go() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().latency(std::time::Duration::from_secs(2));
    let ada = app.sign_in("ada").await;
    let stale = app.user("ada").await;
    ada.ask("two boats", &[("batch_size", "2")]).await;
    eventually("the calls", || async { (app.sandbox.gemini().calls().len() == 2).then_some(()) }).await;

    assert_eq!(leave(&ada, seeds::PASSWORD).await.status, 200);

    assert_eq!(app.text("SELECT state FROM runs").await, "canceled");
    assert_eq!(app.open_holds().await, 0);
    let id = stale.id;
    assert_eq!(app.count(&format!("SELECT available FROM allowances WHERE user_id = {id}")).await, 3);
    let ask = Ask { prompt: "a boat".into(), client_token: "a press".into(), ..Ask::default() };
    assert!(matches!(generations::submit(&app.ctx, &stale, None, ask).await.unwrap(), Submission::Barred));
    app.idle().await;
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new());
    assert_eq!(app.text("SELECT state FROM runs").await, "canceled");
    app.finish().await;
}

/// X8: a store that does not answer keeps nobody from leaving; the bytes go when it is back. So does a file that was
/// still on its way at that moment.
#[tokio::test]
async fn the_bytes_go_when_the_store_is_back() {
    let mut app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    let id = app.user("ada").await.id;
    ada.ask("a boat", &[]).await;
    app.work();
    app.idle().await;
    let asset = app.text("SELECT thumb_key FROM assets").await;
    // A folder where a file should be cannot be taken away as one.
    let path = app.files().join(&asset);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir_all(path.join("in the way")).unwrap();

    assert_eq!(leave(&ada, seeds::PASSWORD).await.status, 200);
    eventually("a failed try", || async {
        let tried = "SELECT COUNT(*) FROM jobs WHERE class = 'EraseFiles' AND state = 'queued' AND attempts > 0";
        (app.count(tried).await == 1).then_some(())
    })
    .await;
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new(), "what could go has gone");
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    app.set_time("jobs", "run_at", chrono::Utc::now(), "class = 'EraseFiles'").await;
    app.idle().await;
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new());

    std::fs::write(&path, b"late").unwrap();
    app.sql(&format!("UPDATE assets SET deleted_at = NULL WHERE user_id = {id}")).await;
    app.task("account_cleanup", &[]).await.unwrap();
    app.idle().await;
    assert_eq!(app.stored(), Vec::<std::path::PathBuf>::new());
    assert_eq!(app.count("SELECT COUNT(*) FROM assets WHERE deleted_at IS NULL").await, 0);
    app.finish().await;
}

/// F10: pressing the button twice is leaving once.
#[tokio::test]
async fn leaving_twice_is_leaving_once() {
    let app = TestApp::start().await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::RefusedPrompt);
    let (one, two) = (app.sign_in("ada").await, app.sign_in("ada").await);
    let form = [("password", seeds::PASSWORD)];
    let (first, second) =
        tokio::join!(one.post("/app/account/deletion", &form), two.post("/app/account/deletion", &form));
    assert!([first.status, second.status].contains(&200), "{} {}", first.status, second.status);
    assert!([200, 303].contains(&first.status) && [200, 303].contains(&second.status));
    app.idle().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'delete_user'").await, 1);
    app.finish().await;
}

/// F10, F47: the last who owns the place cannot leave, and reads why; of two who leave at the same moment one stays.
#[tokio::test]
async fn the_last_owner_stays() {
    let app = TestApp::start().await;
    app.appoint("ada", Role::Owner).await;
    let ada = app.sign_in("ada").await;

    let stays = leave(&ada, seeds::PASSWORD).await;

    assert_eq!(stays.status, 422);
    let said = stays.html().texts("[role=alert]").join(" ");
    assert!(said.contains("Make somebody else owner first"), "{said}");
    assert_eq!(ada.get("/app").await.status, 200);
    assert_eq!(app.user("ada").await.status, "activated");

    app.appoint("bo", Role::Owner).await;
    let bo = app.sign_in("bo").await;
    let (one, two) = tokio::join!(leave(&ada, seeds::PASSWORD), leave(&bo, seeds::PASSWORD));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    let owners = "SELECT COUNT(*) FROM users WHERE role = 'owner' AND status = 'activated'";
    assert_eq!(app.count(owners).await, 1);
    app.idle().await;
    app.finish().await;
}
