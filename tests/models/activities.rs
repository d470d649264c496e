//! The audit log: one row per change, in a chain that shows every gap.

use chrono::Months;
use futures::future::join_all;
use nproxy::models::{
    activities::{self, Actor},
    allowances::{self, Kind},
};

use crate::support::{Setup, TestApp};

/// F62, invariant 10: twenty changes at the same moment leave twenty rows in one unbroken chain, and a row that somebody
/// would change no longer fits its hash.
#[tokio::test]
async fn the_chain_holds_under_load() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.user("ada").await;
    let before = activities::about(&app.ctx.db, "user", ada.id).await.unwrap().len();

    join_all((0..20).map(|_| async {
        let month = Months::new(1);
        let granted =
            allowances::grant_by_hand(&app.ctx, "ada@example.com", Kind::Tokens, 5, month, "thanks", &Actor::Cli).await;
        assert!(granted.unwrap().is_some());
    }))
    .await;

    let mut rows = activities::about(&app.ctx.db, "user", ada.id).await.unwrap();
    rows.truncate(rows.len() - before);
    rows.reverse();
    assert_eq!(rows.len(), 20);
    for pair in rows.windows(2) {
        assert_eq!(pair[1].previous_hash, pair[0].hash);
    }
    for row in &mut rows {
        assert_eq!((row.actor_type.as_str(), row.activity_type.as_str()), ("cli", "grant_allowance"));
        assert_eq!(row.hash, row.expected_hash());
        row.detail["amount"] = 5_000.into();
        assert_ne!(row.hash, row.expected_hash(), "a changed row shows");
    }
    app.finish().await;
}

/// F61: an account that does not exist gets neither a grant nor a trace of one.
#[tokio::test]
async fn nothing_is_recorded_for_nobody() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let before = app.count("SELECT COUNT(*) FROM activities").await;
    let month = Months::new(1);
    let granted =
        allowances::grant_by_hand(&app.ctx, "nobody@example.com", Kind::Tokens, 5, month, "", &Actor::Cli).await;
    assert!(granted.unwrap().is_none());
    assert_eq!(app.count("SELECT COUNT(*) FROM activities").await, before);
    app.finish().await;
}
