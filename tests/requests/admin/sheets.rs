//! Lists as spreadsheets.

use super::admin;
use crate::support::{Setup, TestApp};

/// F47, F51: the sheet has what the list was narrowed to, over all its pages, and nothing in it is a formula.
#[tokio::test]
async fn a_sheet_is_the_filtered_list_and_no_formula() {
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    for label in ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(1)", "a,\"b\"", " =1"] {
        app.add_key(label, 1).await;
    }
    let more = if crate::support::is_postgres() {
        "generate_series(1, 1200) n(i)"
    } else {
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i FROM n) n"
    };
    app.sql(&format!(
        "INSERT INTO provider_keys (provider, label, secret_enc, secret_hint, state, epoch, consecutive_failures, max_concurrency, \
         turn, successes, failures, created_at, updated_at) SELECT 'gemini', 'bulk ' || n.i, 'x', '…', 'disabled', 0, 0, 1, 0, 0, 0, \
         u.created_at, u.created_at FROM {more} CROSS JOIN users u WHERE u.email = 'ada@example.com'"
    ))
    .await;
    let sheet = cy.get("/admin/keys/sheet?scope=disabled").await;
    assert_eq!(sheet.header("content-disposition"), "attachment; filename=\"keys.csv\"");
    let mut reader = csv::Reader::from_reader(&sheet.bytes[..]);
    assert_eq!(reader.headers().unwrap().iter().take(2).collect::<Vec<_>>(), ["label", "state"]);
    let labels: Vec<_> = reader.records().map(|line| line.unwrap()[0].to_owned()).collect();
    assert_eq!(labels.len(), 1200);
    assert_eq!((labels[0].as_str(), labels[1199].as_str()), ("bulk 1200", "bulk 1"));

    let sheet = cy.get("/admin/keys/sheet?scope=active&sort=oldest").await;
    let mut reader = csv::Reader::from_reader(&sheet.bytes[..]);
    let labels: Vec<_> = reader.records().map(|line| line.unwrap()[0].to_owned()).collect();
    assert_eq!(labels, ["'=cmd|' /C calc'!A0", "'+1", "'-2+3", "'@SUM(1)", "a,\"b\"", "' =1"]);
    app.finish().await;
}
