//! Generations with every attempt.

use super::{admin, failed_run, leaves_one, newest_reason};
use crate::support::TestApp;

/// F50: a failed run shows each call with its key, way and outcome, in order; the list tells failed from succeeded, and
/// finds the runs of a person. What the person wrote is nowhere on them.
#[tokio::test]
async fn a_failed_run_shows_its_attempts() {
    let app = TestApp::start().await;
    let run = failed_run(&app).await;
    app.sign_in("bo").await.make("a boat", &[]).await;
    let cy = admin(&app).await;
    let list = cy.get("/admin/generations?scope=failed").await;
    assert_eq!(list.html().attributes("tbody tr", "id"), [format!("row-{run}")]);
    let line = list.html().texts("tbody tr")[0].clone();
    assert!(line.contains("Failed Unavailable ada@example.com nano_banana 0 of 1"), "{line}");
    assert_eq!(cy.get("/admin/generations?scope=succeeded").await.html().texts("tbody tr").len(), 1);
    assert_eq!(cy.get("/admin/generations?failure=unavailable").await.html().texts("tbody tr").len(), 1);
    for query in ["q=user:ada@example.com".to_owned(), format!("user={}", app.user("ada").await.id)] {
        let found = cy.get(&format!("/admin/generations?{query}")).await.html().attributes("tbody tr", "id");
        assert_eq!(found, [format!("row-{run}")], "{query}");
    }

    let page = cy.get(&format!("/admin/generations/{run}")).await;
    let calls = page.html().texts("#timeline tbody tr");
    assert_eq!(calls.len(), 3, "{calls:?}");
    let mut keys: Vec<_> = page.html().texts("#timeline tbody a");
    keys.sort();
    assert_eq!(keys, ["sandbox-k1", "sandbox-k2", "sandbox-k3"]);
    for call in &calls {
        assert!(call.contains("direct") && call.contains("(500)") && call.contains(" s "), "{call}");
    }
    for (path, body) in [("list", &list.body), ("page", &page.body)] {
        assert!(!body.contains("secret lighthouse"), "the {path} tells what somebody wrote");
    }
    app.finish().await;
}

/// F50: prompt and pictures are shown to who asks for them and says why; that is one activity, and nothing of it stays in
/// an address.
#[tokio::test]
async fn a_look_is_written_down() {
    let app = TestApp::start().await;
    app.sign_in("bo").await.make("a secret boat", &[]).await;
    let run = app.newest_run().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let path = format!("/admin/generations/{run}/revelation");
    let page = cy.get(&path).await;
    assert!(!page.body.contains("a secret boat"));
    let form = page.html().form("#action");
    let silent = cy.submit(&form).await;
    assert_eq!(silent.status, 422);
    assert!(!silent.body.contains("a secret boat"));
    let answer =
        leaves_one(&app, &me, "reveal_run", &format!("run:{run}"), cy.submit(&form.fill("reason", "a complaint")))
            .await;
    assert_eq!(newest_reason(&app, "run", run).await, "a complaint");
    let shown = answer.html();
    assert_eq!(shown.texts("#prompt pre"), ["a secret boat"]);
    assert!(shown.attribute("#revealed img", "src").starts_with("data:image/jpeg;base64,/9j/"));
    assert_eq!(answer.header("cache-control"), "no-store");
    app.finish().await;
}
