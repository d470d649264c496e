//! The door of the admin: every address below it, for everybody who may not come in.

use std::collections::BTreeMap;

use loco_rs::app::Hooks;
use nproxy::{
    app::App,
    models::{activities::Actor, admin::ALL, users::Role},
};
use reqwest::Method;

use super::{admin, count, failed_run, staff};
use crate::support::{Answer, Person, Setup, TestApp};

/// Addresses below `/admin` that are no resource's, with their own tests.
const OTHERS: [&str; 3] = ["/admin/health", "/admin/settings", "/admin/second-factor"];

/// `(method, address)` of every route below `/admin`, from the declarations.
fn declared(app: &TestApp) -> Vec<(Method, String)> {
    let routes = App::routes(&app.ctx).collect();
    let below = routes.iter().filter(|route| route.uri == "/admin" || route.uri.starts_with("/admin/"));
    let mut all = Vec::new();
    for route in below {
        for method in &route.actions {
            all.push((Method::from_bytes(method.as_str().as_bytes()).unwrap(), route.uri.clone()));
        }
    }
    assert!(all.len() > 60, "{all:?}");
    all
}

/// Of each resource a row that is there.
pub async fn rows(app: &TestApp) -> BTreeMap<&'static str, i64> {
    let mut rows = BTreeMap::new();
    for (path, table) in [
        ("users", "users WHERE email = 'ada@example.com'"),
        ("subscriptions", "subscriptions"),
        ("payments", "invoices"),
        ("events", "payment_events"),
        ("generations", "runs"),
        ("keys", "provider_keys"),
        ("proxies", "proxies"),
        ("jobs", "jobs"),
        ("activities", "activities"),
        ("notifications", "notifications"),
    ] {
        if ALL.iter().any(|resource| resource.about().path == path) {
            rows.insert(path, app.count(&format!("SELECT MAX(id) FROM {table}")).await);
            assert!(rows[path] > 0);
        }
    }
    rows
}

/// Something of everything.
pub async fn furnished() -> TestApp {
    let app = TestApp::start().await;
    let run = failed_run(&app).await;
    assert!(run > 0);
    let dee = app.sign_in("dee").await;
    let invoice = app.bill(&dee, "btcpay").await;
    let reference = app.reference(&invoice).await;
    assert_eq!(app.deliver("a", "InvoiceProcessing", &reference, sandbox::btcpay::WEBHOOK_SECRET).await, 200);
    app.sql(
        "INSERT INTO notifications (kind, dedupe_key, channel, user_id, detail, created_at) \
         SELECT 'receipt', 'test', 'mail', id, '{}', created_at FROM users WHERE email = 'ada@example.com'",
    )
    .await;
    let address = "http://ann:canary@127.0.0.1:9".to_owned().into();
    nproxy::models::proxies::add(&app.ctx, "way", &address, &Actor::System).await.unwrap();
    app.idle().await;
    app.sql(
        "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, last_error, created_at, \
         finished_at) SELECT 'FulfilRun', '{\"run\":999999}', 'default', 0, 'dead', created_at, 10, 10, 'boom', created_at, \
         created_at FROM users WHERE email = 'ada@example.com'",
    )
    .await;
    app
}

fn with_id(address: &str, rows: &BTreeMap<&'static str, i64>) -> String {
    let resource = address.split('/').nth(2).unwrap_or_default();
    address.replace("{id}", &rows.get(resource).copied().unwrap_or(1).to_string())
}

/// What an operator could have changed, as it stands.
async fn everything(app: &TestApp) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT id || ' ' || COALESCE(email, '') || ' ' || status || ' ' || role || ' ' || session_epoch FROM users ORDER BY id",
        "SELECT id || ' ' || label || ' ' || state || ' ' || secret_enc || ' ' || max_concurrency || ' ' || COALESCE(balance_micros, 0) FROM provider_keys ORDER BY id",
        "SELECT id || ' ' || label || ' ' || state || ' ' || url_enc FROM proxies ORDER BY id",
        "SELECT id || ' ' || state || ' ' || paid_minor || ' ' || version FROM invoices ORDER BY id",
        "SELECT id || ' ' || available || ' ' || posted FROM allowances ORDER BY id",
        "SELECT id || ' ' || state || ' ' || attempts FROM jobs WHERE class = 'FulfilRun' ORDER BY id",
        "SELECT CAST(COUNT(*) AS TEXT) FROM activities",
        "SELECT CAST(COUNT(*) AS TEXT) FROM notes",
        "SELECT CAST(COUNT(*) AS TEXT) FROM ledger_entries",
        "SELECT CAST(COUNT(*) AS TEXT) FROM sessions WHERE revoked_at IS NOT NULL",
    ] {
        all.extend(app.texts(sql).await);
    }
    all
}

/// Every field that any form has, so that nothing fails for want of one.
const FORM: [(&str, &str); 18] = [
    ("reason", "because I can"),
    ("id", "1"),
    ("noun", "deactivation"),
    ("label", "hacked"),
    ("secret", "hacked-secret-of-a-stranger"),
    ("keys", "hacked hacked-secret"),
    ("provider", "gemini"),
    ("max_concurrency", "7"),
    ("cents", "1"),
    ("address", "http://127.0.0.1:1"),
    ("kind", "tokens"),
    ("amount", "1000"),
    ("months", "1"),
    ("by", "5"),
    ("text", "hacked"),
    ("days", "7"),
    ("allowance", "1"),
    ("role", "owner"),
];

async fn send(person: &Person, method: &Method, path: &str) -> Answer {
    if *method == Method::POST {
        person.post(path, &FORM).await
    } else {
        person.send(person.request(method.clone(), path)).await
    }
}

/// F47 to F54: for somebody without a role every address of the admin, with every method that it takes, is a page that is
/// not there, down to the last byte; whoever is not signed in is led to the login page or finds nothing; a supporter looks
/// and finds nothing to press. Nothing happens, whatever any of them sends.
#[tokio::test]
async fn nobody_gets_in() {
    let app = furnished().await;
    let rows = rows(&app).await;
    let (ada, visitor) = (app.sign_in("ada").await, app.visitor());
    let eve = staff(&app, "eve", Role::Support).await;
    let before = everything(&app).await;
    let missing = ada.get("/admin/there-is-no-such-page").await;
    assert_eq!(missing.status, 404);
    for (method, address) in declared(&app) {
        let path = with_id(&address, &rows);
        let stranger = send(&ada, &method, &path).await;
        assert_eq!(
            (stranger.status, stranger.without_reference()),
            (404, missing.without_reference()),
            "{method} {path}"
        );
        let unknown = send(&visitor, &method, &path).await;
        match method {
            Method::GET => {
                assert_eq!(unknown.status, 303, "{path}");
                assert!(unknown.location().starts_with("/login?next=%2Fadmin"), "{path}: {}", unknown.location());
            }
            _ => assert_eq!(unknown.status, 404, "{method} {path}"),
        }
        assert!(unknown.header("set-cookie").is_empty());
        if method != Method::GET && !OTHERS.iter().any(|other| address.starts_with(other)) {
            assert_eq!(send(&eve, &method, &path).await.status, 404, "support: {method} {path}");
        }
    }
    assert_eq!(everything(&app).await, before, "nothing happened");
    app.finish().await;
}

/// F47 to F54: a supporter sees every list and every page, without a secret in it and without a button.
#[tokio::test]
async fn support_looks_and_touches_nothing() {
    let app = furnished().await;
    let rows = rows(&app).await;
    let eve = staff(&app, "eve", Role::Support).await;
    for resource in ALL {
        let path = resource.about().path;
        let row = rows.get(path).map(|id| format!("/admin/{path}/{id}"));
        for address in std::iter::once(format!("/admin/{path}")).chain(row) {
            let page = eve.get(&address).await;
            assert_eq!(page.status, 200, "{address}");
            let html = page.html();
            let posts = html.attributes("form[method=post]", "action");
            assert_eq!(posts, ["/logout"], "{address}");
            for secret in ["canary", "secret lighthouse", "sandbox-k1-", "v1."] {
                assert!(!page.body.contains(secret), "{address} tells {secret}");
            }
        }
        let sheet = eve.get(&format!("/admin/{path}/sheet")).await;
        assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/csv; charset=utf-8"), "{path}");
        assert!(!sheet.body.contains("canary") && !sheet.body.contains("secret lighthouse"), "{path}");
    }
    app.finish().await;
}

/// What is sent to a route so that it does what it is there for, and what the world has to be like before; the activity
/// that it leaves.
async fn prepared(
    app: &TestApp,
    address: &str,
    rows: &BTreeMap<&'static str, i64>,
) -> Option<(Vec<(&'static str, String)>, &'static str)> {
    let why = ("reason", "for the test".to_owned());
    let key = |state: &str| format!("UPDATE provider_keys SET state = '{state}' WHERE id = {}", rows["keys"]);
    let user = rows["users"];
    let one = |sql: &'static str| async move { app.count(sql).await.to_string() };
    Some(match address {
        "/admin/keys/{id}/test" => (vec![], "test_provider_key"),
        "/admin/keys/{id}/activation" => {
            app.sql(&key("disabled")).await;
            (vec![why], "change_provider_key_state")
        }
        "/admin/keys/{id}/deactivation" => {
            app.sql(&key("active")).await;
            (vec![why], "change_provider_key_state")
        }
        "/admin/keys/{id}/edit" => {
            (vec![("label", "other".into()), ("max_concurrency", "3".into())], "edit_provider_key")
        }
        "/admin/keys/{id}/secret" => {
            let label = app.text(&format!("SELECT label FROM provider_keys WHERE id = {}", rows["keys"])).await;
            (vec![("secret", "sandbox-other-secret".into()), ("confirm", label), why], "rotate_provider_key")
        }
        "/admin/keys/{id}/balance" => (vec![("cents", "100".into())], "enter_provider_balance"),
        "/admin/keys/new" => (
            vec![
                ("provider", "gemini".into()),
                ("label", "n".into()),
                ("secret", "sandbox-n".into()),
                ("max_concurrency", "1".into()),
            ],
            "create_provider_key",
        ),
        "/admin/keys/import" => (
            vec![("provider", "gemini".into()), ("keys", "m sandbox-m".into()), ("max_concurrency", "1".into())],
            "create_provider_key",
        ),
        "/admin/keys/batch" => (vec![("noun", "test".into()), ("id", rows["keys"].to_string())], "test_provider_key"),
        "/admin/proxies/{id}/test" => (vec![], "test_proxy"),
        "/admin/proxies/{id}/activation" => {
            app.sql("UPDATE proxies SET state = 'disabled'").await;
            (vec![why], "change_proxy_state")
        }
        "/admin/proxies/{id}/deactivation" => {
            app.sql("UPDATE proxies SET state = 'active'").await;
            (vec![why], "change_proxy_state")
        }
        "/admin/proxies/{id}/edit" => (vec![("label", "other way".into())], "edit_proxy"),
        "/admin/proxies/new" => {
            (vec![("label", "p".into()), ("address", "http://proxy.example:9".into())], "create_proxy")
        }
        "/admin/proxies/batch" => (vec![("noun", "test".into()), ("id", rows["proxies"].to_string())], "test_proxy"),
        "/admin/users/{id}/activation" => {
            app.sql(&format!("UPDATE users SET status = 'new', activated_at = NULL WHERE id = {user}")).await;
            (vec![], "activate_user")
        }
        "/admin/users/{id}/note" | "/admin/payments/{id}/note" => (vec![("text", "a note".into())], "write_note"),
        "/admin/users/{id}/grant" => {
            (vec![("kind", "tokens".into()), ("amount", "5".into()), ("months", "1".into()), why], "grant_allowance")
        }
        "/admin/users/{id}/block" => {
            app.sql(&format!("UPDATE users SET status = 'activated' WHERE id = {user}")).await;
            (vec![why], "block_user")
        }
        "/admin/users/{id}/unblocking" => {
            app.sql(&format!("UPDATE users SET status = 'blocked' WHERE id = {user}")).await;
            (vec![why], "unblock_user")
        }
        "/admin/users/batch" => {
            app.sql(&format!("UPDATE users SET status = 'activated' WHERE id = {user}")).await;
            (vec![("noun", "block".into()), ("id", user.to_string()), why], "block_user")
        }
        "/admin/users/{id}/view" => {
            app.sql(&format!("UPDATE users SET status = 'activated', role = 'user' WHERE id = {user}")).await;
            (vec![why], "view_as")
        }
        "/admin/viewing/end" => (vec![], "end_view_as"),
        "/admin/users/{id}/month" => (vec![why], "grant_allowance"),
        "/admin/users/{id}/role" => (vec![("role", "support".into()), why], "change_role"),
        "/admin/payments/{id}/check" => (vec![], "check_invoice"),
        "/admin/payments/{id}/marking" => (vec![why], "mark_invoice_paid"),
        "/admin/payments/{id}/refund" => {
            app.sql("UPDATE invoices SET state = 'paid', paid_at = created_at WHERE state <> 'paid'").await;
            (vec![("confirm", format!("Invoice {}", rows["payments"])), why], "refund_invoice")
        }
        "/admin/users/{id}/sessions" => (vec![why], "revoke_sessions"),
        "/admin/users/{id}/session" => {
            app.sql(&format!("UPDATE users SET status = 'activated' WHERE id = {user}")).await;
            app.sign_in("ada").await;
            let page = admin(app).await.get(&format!("/admin/users/{user}")).await.html();
            let link = page.attributes("#sessions tbody a", "href").remove(0);
            (vec![("session", link.rsplit('=').next().unwrap().to_owned()), why], "revoke_session")
        }
        "/admin/users/{id}/adjustment" => {
            let id = app.count(&format!("SELECT MIN(id) FROM allowances WHERE user_id = {user}")).await;
            (vec![("allowance", id.to_string()), ("by", "2".into()), why], "adjust_allowance")
        }
        "/admin/users/{id}/revocation" => {
            let id = app
                .count(&format!("SELECT MIN(id) FROM allowances WHERE user_id = {user} AND revoked_at IS NULL"))
                .await;
            (vec![("allowance", id.to_string()), ("confirm", "ada@example.com".into()), why], "revoke_allowance")
        }
        "/admin/users/{id}/forgiveness" => {
            app.sql(&format!(
                "INSERT INTO debts (user_id, allowance_id, unit, amount, outstanding, forgiven, source, reason, created_at) \
                 SELECT user_id, id, 'pictures', 1, 1, 0, 'test', 'test', created_at FROM allowances \
                 WHERE id = (SELECT MIN(id) FROM allowances WHERE user_id = {user})"
            ))
            .await;
            let debt = one("SELECT MAX(id) FROM debts").await;
            (vec![("debt", debt), ("confirm", "ada@example.com".into()), why], "forgive_debt")
        }
        "/admin/subscriptions/{id}/extension" => (vec![("days", "3".into()), why], "extend_subscription"),
        "/admin/subscriptions/{id}/cancellation" => {
            (vec![("confirm", "bo@example.com".into()), why], "cancel_subscription")
        }
        "/admin/generations/{id}/revelation" => (vec![why], "reveal_run"),
        "/admin/jobs/{id}/retrial" => (vec![], "retry_job"),
        "/admin/jobs/{id}/discard" => {
            app.sql(&format!("UPDATE jobs SET state = 'dead', last_error = 'boom', finished_at = created_at, lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE id = {}", rows["jobs"])).await;
            (vec![("confirm", format!("FulfilRun {}", rows["jobs"])), why], "discard_job")
        }
        "/admin/jobs/batch" => {
            app.sql(&format!("UPDATE jobs SET state = 'dead', last_error = 'boom', finished_at = created_at, lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE id = {}", rows["jobs"])).await;
            (
                vec![
                    ("noun", "discard".into()),
                    ("id", rows["jobs"].to_string()),
                    ("confirm", format!("FulfilRun {}", rows["jobs"])),
                    why,
                ],
                "discard_job",
            )
        }
        _ => return None,
    })
}

/// F62, invariant 10: every address of the admin that changes something leaves exactly one activity, by the admin who did
/// it; one that this test does not know fails it.
#[tokio::test]
async fn every_change_is_written_down_once() {
    let app = furnished().await;
    // From here on nothing happens by itself.
    let rows = {
        let mut rows = rows(&app).await;
        let bo = app.count(
            "SELECT s.id FROM subscriptions s JOIN users u ON u.id = s.user_id WHERE u.email = 'bo@example.com'",
        );
        rows.insert("subscriptions", bo.await);
        rows
    };
    let cy = staff(&app, "cy", Role::Owner).await;
    let me = app.user("cy").await;
    let (mut unknown, mut known) = (Vec::new(), 0);
    for (method, address) in declared(&app) {
        if method != Method::POST || OTHERS.iter().any(|other| address.starts_with(other)) {
            continue;
        }
        let Some((form, activity)) = prepared(&app, &address, &rows).await else {
            unknown.push(address);
            continue;
        };
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = count(&app).await;
        // X49: a field that is none of the form's ends it; one that reads no form has none to add to.
        if address != "/admin/viewing/end" {
            let more: Vec<_> = form.iter().copied().chain([("price_minor", "1")]).collect();
            let answer = cy.post(&with_id(&address, &rows), &more).await;
            assert!([400, 422].contains(&answer.status), "{address}: {}", answer.html().text());
            assert!(answer.html().text().contains("a field that is not known here"), "{address}");
            assert_eq!(count(&app).await, before, "{address}");
        }
        let answer = cy.post(&with_id(&address, &rows), &form).await;
        assert!([200, 303].contains(&answer.status), "{address}: {} {}", answer.status, answer.html().text());
        let written = super::since(&app, before).await;
        let by_admin: Vec<_> = written.iter().filter(|(actor, ..)| *actor == format!("admin:{}", me.id)).collect();
        assert_eq!(by_admin.len(), 1, "{address}: {written:?}");
        assert_eq!(by_admin[0].1, activity, "{address}");
        known += 1;
    }
    assert_eq!(unknown, [""; 0], "addresses that change something, and that nobody looks at");
    assert!(known > 30, "{known}");
    app.abandon().await;
}

/// F47 to F54: what comes from another site is refused before anything is looked at.
#[tokio::test]
async fn no_other_site_presses_a_button() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    let id = app.key("sandbox-k1").await.id;
    let request = cy.request(Method::POST, &format!("/admin/keys/{id}/deactivation"));
    let answer = cy.send(request.header("sec-fetch-site", "cross-site").form(&[("a", "b")])).await;
    assert_eq!((answer.status, app.key("sandbox-k1").await.state.as_str()), (403, "active"));
    app.finish().await;
}
