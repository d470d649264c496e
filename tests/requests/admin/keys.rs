//! The pool of keys, and F38 to F41 as an admin sees them.

use sandbox::Fault;

use super::{admin, count, leaves_one, newest_reason};
use crate::support::{Setup, TestApp};

const SECRET: &str = "sandbox-canary-secret-of-a-key";

async fn app() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// F51: a key is added by the form; its secret is never rendered, not even to who typed something else wrong, and the
/// database holds its ciphertext.
#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let form = cy.get("/admin/keys/new").await.html().form("#action");
    let form = form.fill("label", "=fresh").fill("secret", SECRET).fill("max_concurrency", "0");
    let wrong = cy.submit(&form).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.html().text().contains("Between 1 and 1000."));
    assert_eq!(wrong.html().value("label"), "=fresh");
    assert!(!wrong.body.contains(SECRET), "what was typed is not shown again");

    let form = form.fill("max_concurrency", "2");
    let next = app.count("SELECT MAX(id) + 1 FROM provider_keys").await;
    let added = leaves_one(&app, &me, "create_provider_key", &format!("provider_key:{next}"), cy.submit(&form)).await;
    assert_eq!((added.status, added.location()), (303, format!("/admin/keys/{next}?done=new")));
    let page = cy.get(&added.location()).await;
    assert!(page.html().text().contains("The key is added."));
    for path in [
        "/admin/keys".to_owned(),
        format!("/admin/keys/{next}"),
        format!("/admin/keys/{next}/edit"),
        "/admin/keys/sheet".into(),
        "/admin/activities".into(),
    ] {
        let page = cy.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains(SECRET) && !page.body.contains("secret_enc"), "{path}");
    }
    let sealed = app.text(&format!("SELECT secret_enc FROM provider_keys WHERE id = {next}")).await;
    assert!(sealed.starts_with("v1.") && !sealed.contains(SECRET), "{sealed}");
    assert_eq!(app.count(&format!("SELECT max_concurrency FROM provider_keys WHERE id = {next}")).await, 2);

    let again = cy.submit(&form).await;
    assert_eq!(again.status, 422);
    assert!(again.html().text().contains("Another key of this provider is called so."));
    app.finish().await;
}

/// F51: many keys in one form, one a line; a label that is taken leaves its line out and is named. Each is one activity.
#[tokio::test]
async fn many_keys_at_once() {
    let app = app().await;
    let cy = admin(&app).await;
    let before = count(&app).await;
    let form = cy.get("/admin/keys/import").await.html().form("#action");
    let answer = cy
        .submit(
            &form
                .fill("keys", "one sandbox-secret-number-one\n\nsandbox-k1 sandbox-secret\nsandbox-bare-secret-of-two"),
        )
        .await;
    assert_eq!(answer.status, 200);
    let text = answer.html().text();
    assert!(text.contains("2 keys were added. Line 2 was left out: there is a key “sandbox-k1” already."), "{text}");
    assert_eq!(app.count("SELECT COUNT(*) FROM provider_keys").await, 5);
    assert_eq!(count(&app).await, before + 2);
    assert!(!answer.body.contains("number-one") && !answer.body.contains("sandbox-bare"), "no secret comes back");
    app.finish().await;
}

/// F51: label, proxy and concurrency are edited; a second press changes nothing and says so.
#[tokio::test]
async fn a_key_is_edited() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let id = app.key("sandbox-k1").await.id;
    let new = cy.get("/admin/proxies/new").await.html().form("#action");
    cy.submit(&new.fill("label", "way").fill("address", "http://ann:canary@proxy.example:9")).await;
    let proxy = app.count("SELECT MAX(id) FROM proxies").await;

    let form = cy.get(&format!("/admin/keys/{id}/edit")).await.html().form("#action");
    let form = form.fill("label", "renamed").fill("proxy", &proxy.to_string()).fill("max_concurrency", "9");
    let about = format!("provider_key:{id}");
    let edited = leaves_one(&app, &me, "edit_provider_key", &about, cy.submit(&form)).await;
    assert_eq!(edited.status, 303);
    let key = app.key("renamed").await;
    assert_eq!((key.id, key.proxy_id, key.max_concurrency), (id, Some(proxy), 9));

    let before = count(&app).await;
    let again = cy.submit(&form).await;
    assert_eq!(again.status, 409);
    assert!(again.html().text().contains("it is like this already"));
    assert_eq!(count(&app).await, before);

    let page = cy.get(&format!("/admin/keys/{id}")).await.html();
    assert!(page.has(&format!("a[href='/admin/proxies/{proxy}']")));
    assert!(!page.0.contains("canary"), "the proxy's password is not shown");
    app.finish().await;
}

/// F51: a new secret takes the place of the old one, with a reason, and is what the provider gets from then on.
#[tokio::test]
async fn a_secret_is_replaced() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let id = app.key("sandbox-k1").await.id;
    let path = format!("/admin/keys/{id}/secret");
    let page = cy.get(&path).await.html();
    assert!(page.texts("#consequences").join(" ").contains("The next call uses the new secret."));
    let form = page.form("#action");
    let silent = cy.submit(&form.clone().fill("secret", "sandbox-k1-rotated")).await;
    assert_eq!(silent.status, 422, "it takes a reason");
    assert!(silent.html().text().contains("Say why"));

    let form = form.fill("secret", "sandbox-k1-rotated").fill("reason", "it leaked");
    let hasty = cy.submit(&form.clone().fill("confirm", "sandbox-k2")).await;
    assert_eq!(hasty.status, 422, "it takes the label");
    assert!(hasty.html().text().contains("Type sandbox-k1 This is not it."), "{}", hasty.html().text());
    assert!(!hasty.body.contains("sandbox-k1-rotated"));
    let form = form.fill("confirm", "sandbox-k1");
    let answer = leaves_one(&app, &me, "rotate_provider_key", &format!("provider_key:{id}"), cy.submit(&form)).await;
    assert_eq!(answer.status, 303);
    assert_eq!(newest_reason(&app, "provider_key", id).await, "it leaked");
    app.sandbox.gemini().fault("sandbox-k1", Fault::KeyInvalid);
    let tested = cy.post(&format!("/admin/keys/{id}/test"), &[]).await;
    assert!(tested.html().text().contains("The provider takes it (directly)."), "the old secret is not used any more");
    app.finish().await;
}

/// F38, F39, F40: a key under review, and one without money, come back by an admin alone, who is told what the provider
/// says; while it does not take the key, nothing changes.
#[tokio::test]
async fn a_key_comes_back_by_an_admin_alone() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    for (label, state) in [("sandbox-k1", "manual_review"), ("sandbox-k2", "out_of_funds")] {
        let id = app.key(label).await.id;
        app.sql(&format!("UPDATE provider_keys SET state = '{state}', consecutive_failures = 11 WHERE id = {id}"))
            .await;
        let waiting = cy.get("/admin/keys?scope=waiting").await.html();
        assert!(waiting.has(&format!("#row-{id}")), "{label} waits for somebody");

        app.sandbox.gemini().fault(label, Fault::KeyInvalid);
        let before = count(&app).await;
        let path = format!("/admin/keys/{id}/activation");
        let page = cy.get(&path).await.html();
        assert!(page.texts("#consequences").join(" ").contains("The provider is asked first"));
        let form = page.form("#action");
        assert_eq!(cy.submit(&form).await.status, 422, "it takes a reason");
        let form = form.fill("reason", "the account is paid up");
        let refused = cy.submit(&form).await;
        assert_eq!(refused.status, 409);
        assert!(refused.html().text().contains("Nothing was changed. The provider does not take it"));
        assert_eq!((app.key(label).await.state.as_str(), count(&app).await), (state, before));

        app.sandbox.gemini().heal_all();
        let about = format!("provider_key:{id}");
        let back = leaves_one(&app, &me, "change_provider_key_state", &about, cy.submit(&form)).await;
        assert_eq!(back.status, 303);
        assert_eq!(newest_reason(&app, "provider_key", id).await, "the account is paid up");
        let key = app.key(label).await;
        assert_eq!((key.state.as_str(), key.consecutive_failures), ("active", 0));
        let again = cy.submit(&form).await;
        assert_eq!(again.status, 409, "twice is once");
    }
    app.finish().await;
}

/// F41, F51: what a key rests for and until when is on its page; a key is disabled by its button and stays out.
#[tokio::test]
async fn a_resting_key_says_until_when() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let id = app.key("sandbox-k3").await.id;
    app.sql(&format!(
        "UPDATE provider_keys SET state = 'cooldown', state_reason = 'rate_limited', cooldown_until = created_at WHERE id = {id}"
    ))
    .await;
    let until = chrono::DateTime::from_timestamp(1_900_000_000, 0).unwrap();
    app.set_time("provider_keys", "cooldown_until", until, &format!("id = {id}")).await;
    let facts = cy.get(&format!("/admin/keys/{id}")).await.html().lines("#facts");
    assert!(
        facts.contains("Resting") && facts.contains("rate_limited") && facts.contains("2030-03-17 17:46"),
        "{facts}"
    );

    let path = format!("/admin/keys/{id}/deactivation");
    let form = cy.get(&path).await.html().form("#action");
    let before = count(&app).await;
    assert_eq!((cy.submit(&form).await.status, count(&app).await), (422, before), "it takes a reason");
    let form = form.fill("reason", "it leaked");
    leaves_one(&app, &me, "change_provider_key_state", &format!("provider_key:{id}"), cy.submit(&form)).await;
    assert_eq!(app.key("sandbox-k3").await.state, "disabled");
    let page = cy.get(&format!("/admin/keys/{id}")).await.html();
    assert!(page.lines("#facts").contains("it leaked") && page.texts("#activities tbody tr")[0].contains("it leaked"));
    app.finish().await;
}

/// F51: several keys at once: the page lists them, what follows and those that it is not for; each is one activity.
#[tokio::test]
async fn several_keys_are_disabled_at_once() {
    let app = app().await;
    let cy = admin(&app).await;
    let [k1, k2, k3] = [app.key("sandbox-k1").await.id, app.key("sandbox-k2").await.id, app.key("sandbox-k3").await.id];
    app.sql(&format!("UPDATE provider_keys SET state = 'disabled' WHERE id = {k3}")).await;
    let page = cy.get(&format!("/admin/keys/batch?noun=deactivation&id={k1}&id={k2}&id={k3}")).await.html();
    assert_eq!(page.texts("#rows li"), ["sandbox-k1", "sandbox-k2"]);
    assert!(page.text().contains("Not for these, as they stand sandbox-k3"));
    assert!(page.texts("#consequences").join(" ").contains("It gets no more calls"));
    let before = count(&app).await;
    let silent = cy.submit(&page.form("#action")).await;
    assert_eq!((silent.status, count(&app).await), (422, before), "it takes a reason");
    let done = cy.submit(&silent.html().form("#action").fill("reason", "they leaked")).await;
    assert_eq!(done.status, 200);
    assert_eq!(
        [newest_reason(&app, "provider_key", k1).await, newest_reason(&app, "provider_key", k2).await],
        ["they leaked"; 2]
    );
    assert_eq!(done.html().texts("#done li").len(), 2);
    assert_eq!(count(&app).await, before + 2);
    assert_eq!(app.count("SELECT COUNT(*) FROM provider_keys WHERE state = 'disabled'").await, 3);
    let nothing = cy.get("/admin/keys/batch?noun=secret&id=1&id=2").await;
    assert_eq!(nothing.status, 404, "some things are done one by one");
    app.finish().await;
}

/// F51: the balance that an admin enters is what the list shows.
#[tokio::test]
async fn a_balance_is_entered() {
    let app = app().await;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let id = app.key("sandbox-k1").await.id;
    let path = format!("/admin/keys/{id}/balance");
    let form = cy.get(&path).await.html().form("#action").fill("cents", "1250");
    leaves_one(&app, &me, "enter_provider_balance", &format!("provider_key:{id}"), cy.submit(&form)).await;
    assert!(cy.get("/admin/keys").await.html().texts(&format!("#row-{id}"))[0].contains("$12.50"));
    app.finish().await;
}
