//! The way out that a key goes by has a health of its own, and never the key's.

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    provider_keys::{self, Addition, NewKey, NewProxy},
    proxies,
};
use sandbox::{Proxy, ProxyFault, ProxyKind, ProxyOptions};

use crate::support::{Setup, TestApp};

/// F36: a proxy that failed three times in a row rests: its key goes directly at once, and nobody waits for it. When the
/// rest is over it is tried first again, and a single call through it mends its name.
#[tokio::test]
async fn a_failing_proxy_rests_for_itself() {
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let bad = ProxyOptions { kind: ProxyKind::Socks5, auth: None, fault: Some(ProxyFault::Drop) };
    let proxy = Proxy::start(bad).await.unwrap();
    let row = add_key_behind(&app, &proxy).await;
    let bo = app.sign_in("bo").await;

    for _ in 0..3 {
        bo.make("a boat", &[]).await;
        assert_eq!(app.calls().await, ["k1 proxy proxy_fault", "k1 direct delivered"]);
    }
    let asked = proxy.connections();
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 direct delivered"]);
    assert_eq!(proxy.connections(), asked, "left alone while it rests");
    assert_eq!(app.pool().await, ["k1 active"], "never the key's fault");
    let resting = proxies::by_id(&app.ctx.db, row.id).await.unwrap().unwrap();
    assert_eq!(resting.consecutive_failures, 3);
    assert!(resting.last_error.unwrap().starts_with("proxy_fault"));

    app.set_time("proxies", "rest_until", Utc::now() - TimeDelta::seconds(1), "id > 0").await;
    proxy.fail(None);
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 proxy delivered"]);
    let mended = proxies::by_id(&app.ctx.db, row.id).await.unwrap().unwrap();
    assert_eq!((mended.consecutive_failures, mended.rest_until), (0, None));
    app.finish().await;
}

/// A proxy that an operator took out of use is not asked; its key goes directly.
#[tokio::test]
async fn a_disabled_proxy_is_left_out() {
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    app.sandbox.gemini().sketch(true);
    let proxy = Proxy::start(ProxyOptions { kind: ProxyKind::Http, auth: None, fault: None }).await.unwrap();
    let row = add_key_behind(&app, &proxy).await;
    proxies::switch(&app.ctx, &row, false, "a test", &Actor::Cli).await.unwrap();
    let bo = app.sign_in("bo").await;
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 direct delivered"]);
    let row = proxies::by_id(&app.ctx.db, row.id).await.unwrap().unwrap();
    proxies::switch(&app.ctx, &row, true, "a test", &Actor::Cli).await.unwrap();
    bo.make("a boat", &[]).await;
    assert_eq!(app.calls().await, ["k1 proxy delivered"]);
    let told = app.texts("SELECT activity_type FROM activities WHERE resource_type = 'proxy' ORDER BY id").await;
    assert_eq!(told, ["create_proxy", "change_proxy_state", "change_proxy_state"]);
    app.finish().await;
}

/// The way is tried without any key of ours: reached or not, and why.
#[tokio::test]
async fn a_proxy_is_tested_without_a_key() {
    let app = TestApp::with(Setup { keys: vec![], ..Setup::default() }).await;
    for kind in [ProxyKind::Http, ProxyKind::Socks5] {
        let proxy = Proxy::start(ProxyOptions { kind, auth: None, fault: None }).await.unwrap();
        let label = format!("{kind:?}");
        let added = proxies::add(&app.ctx, &label, &proxy.url().into(), &Actor::Cli).await.unwrap();
        let proxies::Addition::Added(row) = added else { panic!("{added:?}") };
        let reached = proxies::check(&app.ctx, &row).await.unwrap();
        assert!(reached.is_none(), "{kind:?}: {reached:?}");
        proxy.fail(Some(ProxyFault::Refuse407));
        let closed = proxies::check(&app.ctx, &row).await.unwrap().unwrap();
        assert_eq!(closed.class(), "proxy_fault", "{closed}");
        let row = proxies::by_id(&app.ctx.db, row.id).await.unwrap().unwrap();
        assert_eq!(row.consecutive_failures, 1);
    }
    assert!(app.sandbox.gemini().calls().iter().all(|call| call.key == "nobody"));
    app.finish().await;
}

pub async fn add_key_behind(app: &TestApp, proxy: &Proxy) -> proxies::Model {
    let added = proxies::add(&app.ctx, "way", &proxy.url().into(), &Actor::Cli).await.unwrap();
    let proxies::Addition::Added(row) = added else { panic!("{added:?}") };
    let new = NewKey {
        provider: "gemini".into(),
        label: "sandbox-k1".into(),
        secret: "sandbox-k1".to_owned().into(),
        proxy: Some(NewProxy::Known("way".into())),
        max_concurrency: 4,
    };
    assert!(matches!(provider_keys::add(&app.ctx, new, &Actor::Cli).await.unwrap(), Addition::Added(_)));
    row
}
