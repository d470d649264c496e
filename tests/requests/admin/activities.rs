//! The audit log, to read.

use sea_orm::ConnectionTrait;

use super::admin;
use crate::support::{Setup, TestApp};

/// F53: the log is filtered by door, by kind and by what it is about; nothing on it can be pressed, and the database
/// refuses to change or remove a line.
#[tokio::test]
async fn the_log_is_read_and_never_edited() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let id = app.key("sandbox-k1").await.id;
    cy.post(&format!("/admin/keys/{id}/deactivation"), &[("reason", "a test")]).await;

    let page = cy.get("/admin/activities?scope=admin").await.html();
    let mine = page.texts("tbody tr");
    assert!(mine.iter().all(|line| line.contains("cy@example.com")), "{mine:?}");
    let line = page.texts("tbody tr")[0].clone();
    assert!(line.starts_with(&format!("Change provider key state Provider key {id} cy@example.com")), "{line}");
    assert_eq!(page.attributes("form[method=post]", "action"), ["/logout"]);
    assert!(!page.has("#batch"));
    for (query, count) in [
        (format!("row=provider_key:{id}"), 2),
        ("about=proxy".into(), 0),
        ("what=create_provider_key".into(), 3),
        (format!("q=by:{}", me.id), mine.len()),
        ("q=type:change_provider_key_state".into(), 1),
        ("what=change_provider_key_state&scope=admin".into(), 1),
        ("scope=bot".into(), 0),
    ] {
        let found = cy.get(&format!("/admin/activities?{query}")).await.html().texts("tbody tr").len();
        assert_eq!(found, count, "{query}");
    }
    let link = page.attribute("tbody a", "href");
    let shown = cy.get(&link).await.html();
    assert!(shown.text().contains("\"from\": \"active\""));
    assert!(!shown.has("#actions a") && !shown.has("#actions form"));
    for sql in ["UPDATE activities SET actor_id = '1'", "DELETE FROM activities"] {
        let refused = app.ctx.db.execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    app.finish().await;
}
