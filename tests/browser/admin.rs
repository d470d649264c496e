//! An admin's day, at a desk and on a phone.

use nproxy::models::activities;
use serde_json::json;

use crate::{
    bot::{click, paired, say},
    requests::admin::{admin, count, failed_run, since},
    support::{Browser, Process, Screen, Scripts, TestApp},
};

/// F47 to F53: an admin disables a key, hands in two new ones and tests them, finds a person by the mail address, reads what
/// was tried for a run that failed, marks an invoice as paid and takes a list home; without JavaScript, on a phone too.
/// F60, F62: the same person brings the key back through the bot: the same activity with its reason, by another actor.
#[tokio::test]
async fn a_day_of_an_admin() {
    let app = TestApp::start().await;
    let run = failed_run(&app).await;
    let dee = app.sign_in("dee").await;
    let invoice = app.bill(&dee, "btcpay").await;
    let invoice = app.invoice(&invoice).await.id;
    let cy = admin(&app).await;
    let me = app.user("cy").await;
    let ada = app.user("ada").await;
    let browser = Browser::open(&app).await;
    for (screen, scripts, tag) in [(Screen::Desk, Scripts::On, "desk"), (Screen::Phone, Scripts::Off, "phone")] {
        let before = count(&app).await;
        let window = browser.stranger(screen, Scripts::On).await;
        window.open("/login").await;
        window.read(&format!("document.cookie = '{}; path=/; secure'", cy.cookie().unwrap())).await;
        window.close().await;
        let window = browser.window(screen, scripts).await;

        let key = app.key("sandbox-k1").await.id;
        app.sql(&format!("UPDATE provider_keys SET state = 'active' WHERE id = {key}")).await;
        window.open("/admin/keys").await;
        window.click(&format!("#row-{key} a[href$='/deactivation']")).await;
        window.write("#reason", "it leaked").await;
        window.click("#action button[type=submit]").await;
        window.until("the key's page", &format!("location.pathname === '/admin/keys/{key}'")).await;
        window.sees("#facts").await;
        assert!(window.texts("#facts").await[0].contains("Disabled"));

        window.open("/admin/keys/import").await;
        let lines = format!("{tag}-one sandbox-{tag}-one-secret\n{tag}-two sandbox-{tag}-two-secret");
        window.write("#keys", &lines).await;
        window.click("#action button[type=submit]").await;
        window.until("the list", "document.body.textContent.includes('2 keys were added.')").await;
        for label in ["one", "two"] {
            let id = app.key(&format!("{tag}-{label}")).await.id;
            window.open(&format!("/admin/keys/{id}")).await;
            window.click("#actions form[action$='/test'] button").await;
            window.until("the answer", "document.body.textContent.includes('The provider takes it')").await;
        }

        window.open("/admin/users").await;
        window.write("#q", "ada@exa").await;
        window.click("main form[role=search] button").await;
        window.until("one row", "document.querySelectorAll('tbody tr').length === 1").await;
        window.click("tbody a").await;
        window.until("ada's page", &format!("location.pathname === '/admin/users/{}'", ada.id)).await;

        window.click(&format!("#runs a[href='/admin/generations/{run}']")).await;
        window.sees("#timeline").await;
        assert_eq!(window.texts("#timeline tbody tr").await.len(), 3);

        app.sql(&format!(
            "UPDATE invoices SET state = 'expired', paid_at = NULL WHERE id = {invoice} AND state = 'new'"
        ))
        .await;
        if tag == "desk" {
            window.open(&format!("/admin/payments/{invoice}")).await;
            window.click("#actions a[href$='/marking']").await;
            window.write("#reason", "the bank says so").await;
            window.click("#action button[type=submit]").await;
            window.until("the payment", "document.body.textContent.includes('The payment is marked as paid.')").await;
        }
        assert_eq!(
            window.read("document.documentElement.scrollWidth <= window.innerWidth").await,
            true,
            "{tag}: nothing sticks out"
        );
        window.open("/admin/keys?scope=disabled").await;
        window.click("main a[href*='/sheet']").await;
        let sheet = browser.downloaded().await;
        assert!(String::from_utf8_lossy(&sheet).starts_with("label,state,"), "{sheet:?}");

        let written: Vec<_> =
            since(&app, before).await.into_iter().filter(|(who, ..)| *who == format!("admin:{}", me.id)).collect();
        let mut expected = vec![
            "change_provider_key_state",
            "create_provider_key",
            "create_provider_key",
            "test_provider_key",
            "test_provider_key",
        ];
        if tag == "desk" {
            expected.push("mark_invoice_paid");
        }
        assert_eq!(written.iter().map(|(_, what, _)| what.as_str()).collect::<Vec<_>>(), expected);
        window.assert_quiet();
        window.close().await;
    }
    browser.close().await;

    let bot = Process::bot(&app, &[]);
    let ann = paired(&app).await;
    let key = app.key("sandbox-k1").await.id;
    let before = count(&app).await;
    let question = say(&app, &ann, "/activate sandbox-k1 the vendor is back").await;
    assert!(question.text.contains("Reason: the vendor is back"), "{}", question.text);
    click(&app, &ann, "Yes, activate").await;
    let what = ("change_provider_key_state".to_owned(), format!("provider_key:{key}"));
    assert_eq!(since(&app, before).await, [("bot:42".to_owned(), what.0, what.1)]);
    let moves = activities::about(&app.ctx.db, "provider_key", key).await.unwrap();
    let moves: Vec<_> = moves.iter().take(2).map(|it| (it.actor(), it.activity_type.as_str(), &it.detail)).collect();
    assert_eq!(
        moves,
        [
            (
                "bot:42".into(),
                "change_provider_key_state",
                &json!({ "from": "disabled", "to": "active", "reason": "the vendor is back" })
            ),
            (
                format!("admin:{}", me.id),
                "change_provider_key_state",
                &json!({ "from": "active", "to": "disabled", "reason": "it leaked" })
            ),
        ]
    );
    bot.stop().await;
    app.finish().await;
}
