//! What is told once.

use futures::future::join_all;
use nproxy::models::notifications::{self, Channel, Kind, Notice};
use serde_json::json;

use crate::support::{Setup, TestApp};

fn to_chat(key: &str) -> Notice {
    Notice {
        kind: Kind::PlanEnded,
        dedupe_key: key.into(),
        channel: Channel::Telegram,
        user_id: None,
        recipient: Some("42".into()),
        detail: json!({ "month": 7 }),
    }
}

/// F22, F59: of twenty who have the same to tell one does, another key is another telling, and what was sent stays sent.
#[tokio::test]
async fn a_key_is_claimed_once() {
    let app = TestApp::with(Setup { jobs: false, people: false, ..Setup::default() }).await;
    let db = &app.ctx.db;
    let claims = join_all((0..20).map(|_| notifications::once(db, to_chat("plan_ended:7:42")))).await;
    let won: Vec<_> = claims.into_iter().filter_map(|claim| claim.unwrap()).collect();
    assert_eq!(won.len(), 1);
    assert!(notifications::once(db, to_chat("plan_ended:8:42")).await.unwrap().is_some());

    let notice = &won[0];
    assert_eq!((notice.kind(), notice.channel()), (Kind::PlanEnded, Channel::Telegram));
    notice.mark_failed(db, &"x".repeat(2_000)).await.unwrap();
    let failed = notifications::by_id(db, notice.id).await.unwrap().unwrap();
    assert_eq!((failed.sent_at, failed.error.unwrap().len()), (None, 500));
    notice.mark_sent(db).await.unwrap();
    notice.mark_failed(db, "a second worker, too late").await.unwrap();
    let sent = notifications::by_id(db, notice.id).await.unwrap().unwrap();
    assert!(sent.sent_at.is_some() && sent.error.is_none());
    app.finish().await;
}
