//! One action on all that fit, on every page of a list.

use super::{admin, count, newest_reason};
use crate::support::{Setup, TestApp};

async fn app() -> TestApp {
    TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await
}

async fn keys(app: &TestApp, count: usize) {
    let now = "SELECT created_at FROM users WHERE email = 'ada@example.com'";
    app.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO provider_keys (provider, label, secret_enc, secret_hint, state, epoch, consecutive_failures, \
         max_concurrency, turn, successes, failures, created_at, updated_at) \
         SELECT 'gemini', 'key ' || n.i, 'x', '…', 'active', 0, 0, 1, 0, 0, 0, ({now}), ({now}) FROM n"
    ))
    .await;
}

/// F51: the list says how many fit on all its pages; ticked once, the page of the action names them, counts the rest and
/// says what follows, and what it named is what is done: who fits only afterwards is left alone.
#[tokio::test]
async fn all_that_fit_are_disabled_at_once() {
    let app = app().await;
    let cy = admin(&app).await;
    keys(&app, 60).await;
    app.sql("UPDATE provider_keys SET state = 'disabled' WHERE label = 'key 7'").await;
    let list = cy.get("/admin/keys?scope=active&size=20").await.html();
    assert_eq!(list.texts("tbody tr").len(), 20);
    assert!(
        list.texts("#batch label").join(" ").contains("All 59 that fit, on every page"),
        "{:?}",
        list.texts("#batch")
    );
    let mut form = list.form("#batch").fill("noun", "deactivation");
    form.fields.push(("all".into(), "yes".into()));
    let asked: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let page = cy.get(&format!("{}?{asked}", form.action)).await.html();
    assert!(page.text().contains("Disable: 59 rows") && page.text().contains("and 9 more"), "{}", page.text());
    assert!(page.texts("#consequences").join(" ").contains("It gets no more calls"));
    assert_eq!(page.attribute("#action a", "href"), "/admin/keys?scope=active&size=20", "back to the same list");

    app.add_key("late", 1).await;
    let before = count(&app).await;
    let done = cy.submit(&page.form("#action").fill("reason", "the vendor is gone")).await;
    assert_eq!((done.status, done.html().texts("#done li").len()), (200, 59));
    assert_eq!(count(&app).await, before + 59, "one activity each");
    assert_eq!(app.texts("SELECT label FROM provider_keys WHERE state = 'active'").await, ["late"]);
    let last = app.count("SELECT MAX(id) FROM provider_keys WHERE label LIKE 'key%'").await;
    assert_eq!(newest_reason(&app, "provider_key", last).await, "the vendor is gone");
    app.finish().await;
}

/// F47, F51: a filter and a search narrow what "all" means; without a tick nothing is asked, and of more than a thousand
/// rows nothing is done, neither through the page nor past it.
#[tokio::test]
async fn all_is_what_the_list_shows_and_has_an_end() {
    let app = app().await;
    let cy = admin(&app).await;
    keys(&app, 120).await;
    let list = cy.get("/admin/keys?q=label:key&state=active").await.html();
    assert!(list.texts("#batch label").join(" ").contains("All 120 that fit"), "{:?}", list.texts("#batch"));
    let one = cy.get("/admin/keys?q=id:7").await.html();
    assert!(one.texts("#batch label").join(" ").contains("All 1 that fit"));

    for (query, says) in [
        ("noun=deactivation&wish=scope%3Dactive", "Nothing was ticked."),
        ("noun=activation&wish=scope%3Dactive&all=yes", "This is for none of them, as they stand."),
        ("noun=deactivation&wish=q%3Dlabel%3Anothing&all=yes", "Nothing was ticked."),
    ] {
        let page = cy.get(&format!("/admin/keys/batch?{query}")).await;
        assert_eq!(page.status, 409, "{query}");
        assert!(page.html().text().contains(says), "{query}: {}", page.html().text());
    }
    assert_eq!(cy.get("/admin/keys/batch?noun=edit&all=yes").await.status, 404, "some things are done one by one");

    app.sql("DELETE FROM provider_keys").await;
    keys(&app, 1_001).await;
    let list = cy.get("/admin/keys").await.html();
    assert!(list.text().contains("All 1,000+ that fit are too many for one step"));
    assert!(!list.has("#batch [name=all]"));
    let before = count(&app).await;
    let refused = cy.get("/admin/keys/batch?noun=deactivation&all=yes").await;
    assert_eq!(refused.status, 409);
    let ids = app.texts("SELECT CAST(id AS TEXT) FROM provider_keys").await;
    let mut form: Vec<(&str, &str)> = vec![("noun", "deactivation"), ("reason", "all of them")];
    form.extend(ids.iter().map(|id| ("id", id.as_str())));
    let refused = cy.post("/admin/keys/batch", &form).await;
    assert_eq!((refused.status, count(&app).await), (409, before));
    assert_eq!(app.count("SELECT COUNT(*) FROM provider_keys WHERE state = 'disabled'").await, 0);
    app.finish().await;
}

/// F47: a page of a list has as many rows as its address says, of the numbers that it knows.
#[tokio::test]
async fn a_page_is_as_long_as_somebody_wants() {
    let app = app().await;
    let cy = admin(&app).await;
    keys(&app, 110).await;
    for (query, rows) in
        [("", 50), ("?size=20", 20), ("?size=100", 100), ("?size=200", 110), ("?size=7", 50), ("?size=x", 50)]
    {
        let page = cy.get(&format!("/admin/keys{query}")).await.html();
        assert_eq!(page.texts("tbody tr").len(), rows, "{query}");
        let next = page.attributes("a[rel=next]", "href");
        assert!(next.iter().all(|next| !query.contains("=20") || next.contains("size=20")), "{next:?}");
    }
    app.finish().await;
}
