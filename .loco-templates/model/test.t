{% set plural = name | plural | snake_case -%}
to: "tests/requests/admin/{{plural}}.rs"
skip_exists: true
message: "`tests/requests/admin/{{plural}}.rs` holds the pages; add to it what the resource is there for."
injections:
- into: "tests/requests/admin/mod.rs"
  before_last: "^mod "
  content: "mod {{plural}};"
---
//! The pages of `{{plural}}`.

use super::admin;
use crate::support::{Setup, TestApp};

/// The list, its sheet and a row that is not there, for an admin; a page that is not there, for somebody else.
#[tokio::test]
async fn the_pages_are_there() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let list = cy.get("/admin/{{plural}}").await;
    assert_eq!(list.status, 200, "{}", list.body);
    assert_eq!(cy.get("/admin/{{plural}}/999999").await.status, 404);
    let sheet = cy.get("/admin/{{plural}}/sheet").await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/csv; charset=utf-8"));
    {% for column in columns -%}
    assert!(sheet.body.lines().next().unwrap().contains("{{column.0}}"));
    {% endfor -%}
    assert_eq!(app.sign_in("ada").await.get("/admin/{{plural}}").await.status, 404);
    app.finish().await;
}
