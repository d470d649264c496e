//! Another mail address for an account.

use chrono::TimeDelta;
use nproxy::models::{activities, doctor, users::seeds};

use super::accounts::{NORA, PASSWORD, age, forgot, link, log_in, post_token, press, register};
use crate::support::{Answer, Person, TestApp};

async fn ask(person: &Person, email: &str, password: &str) -> Answer {
    let form = person.get("/app/account/email").await.html().form("main form");
    person.submit(&form.fill("email", email).fill("password", password)).await
}

/// F10: the account moves to a new address when the link that went there is opened, not before; the old address is told,
/// its links are over, and it is free again.
#[tokio::test]
async fn an_account_moves() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    forgot(&app.visitor(), "ada@example.com").await;
    let old_link = link(&app.mail("ada@example.com", 1).await);

    let answer = ask(&ada, " Nora@Example.com ", seeds::PASSWORD).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/account?done=email"));
    let page = ada.get("/app/account").await.html();
    assert!(page.text().contains("Waiting for the link that was sent to nora@example.com"), "{}", page.text());
    let mail = app.mail(NORA, 1).await;
    assert_eq!(mail.subject, "Confirm your new address");
    let notice = app.mail("ada@example.com", 2).await;
    assert_eq!(notice.subject, "Your nproxy account is about to change its address");
    assert!(!notice.text.contains("nora"), "where it goes is not for the old mailbox");
    assert_eq!(log_in(&app.visitor(), NORA, seeds::PASSWORD).await.status, 422, "not yet");

    let link = link(&mail);
    for _ in 0..3 {
        assert_eq!(app.visitor().get(&link).await.status, 200, "looking uses nothing up");
    }
    let pressed = press(&app.visitor(), &link).await;

    assert_eq!((pressed.status, pressed.html().texts("h1")), (200, vec!["Your address is changed".to_owned()]));
    assert!(ada.get("/app/account").await.html().text().contains(NORA), "the session goes on");
    assert_eq!(log_in(&app.visitor(), "ada@example.com", seeds::PASSWORD).await.status, 422);
    assert_eq!(log_in(&app.visitor(), NORA, seeds::PASSWORD).await.status, 303);
    assert!(!app.visitor().get(&old_link).await.html().has("main form"), "links in the old mailbox are over");
    let again = post_token(&app.visitor(), "/email/confirmation", &link).await;
    assert_eq!((again.status, again.html().texts("h1")), (422, vec!["This link was already used".to_owned()]));
    register(&app.visitor(), "ada@example.com", PASSWORD).await;
    assert_eq!(app.mail("ada@example.com", 3).await.subject, "Activate your nproxy account");
    app.finish().await;
}

/// F10: a link to a new address lives for 24 hours, and a newer one, or a new password, ends it.
#[tokio::test]
async fn a_link_to_a_new_address_ends() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let asked = async |count| {
        assert_eq!(ask(&ada, NORA, seeds::PASSWORD).await.status, 303);
        link(&app.mail(NORA, count).await)
    };
    let late = asked(1).await;
    age(&app, "links", "expires_at", TimeDelta::hours(24) + TimeDelta::minutes(1)).await;
    let answer = post_token(&ada, "/email/confirmation", &late).await;
    assert_eq!((answer.status, answer.html().texts("h1")), (422, vec!["This link has expired".to_owned()]));
    assert_eq!(answer.html().attribute("main a.btn", "href"), "/app/account");

    let (older, newer) = (asked(2).await, asked(3).await);
    assert_eq!(post_token(&ada, "/email/confirmation", &older).await.status, 422);
    let form = ada.get("/app/account/password").await.html().form("main form");
    ada.submit(&form.fill("current_password", seeds::PASSWORD).fill("password", PASSWORD)).await;
    assert_eq!(post_token(&ada, "/email/confirmation", &newer).await.status, 422, "a new password stops it");
    assert!(!ada.get("/app/account").await.html().text().contains(NORA));

    assert_eq!(ask(&ada, NORA, PASSWORD).await.status, 303);
    let newest = link(&app.mail(NORA, 4).await);
    let expires = app.time("SELECT MAX(expires_at) FROM links").await;
    app.set_time("links", "expires_at", expires - TimeDelta::hours(24) + TimeDelta::minutes(1), "1 = 1").await;
    assert_eq!(post_token(&ada, "/email/confirmation", &newest).await.status, 200, "23 hours and 59 minutes");
    app.finish().await;
}

/// X45: an address that somebody has is answered like a free one; nothing is sent to it, and its account is untouched.
#[tokio::test]
async fn a_taken_address_is_not_told() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let said = async |email: &str| {
        let answer = ask(&ada, email, seeds::PASSWORD).await;
        let page = ada.get(&answer.location()).await;
        (answer.status, answer.location(), page.without_reference().replace(email, "ADDRESS"))
    };
    let free = said("zed@example.com").await;
    assert_eq!(said("eve@example.com").await, free);
    app.idle().await;
    assert_eq!(app.sandbox.mail().to("zed@example.com").len(), 1);
    assert!(app.sandbox.mail().to("eve@example.com").is_empty());
    for (email, said) in
        [("ada@example.com", "This is your address already."), ("nobody", "This is not an e-mail address.")]
    {
        let answer = ask(&ada, email, seeds::PASSWORD).await;
        assert_eq!((answer.status, answer.html().texts("#email-help")), (422, vec![said.to_owned()]));
    }
    let wrong = ask(&ada, NORA, "not the password").await;
    assert_eq!(wrong.html().texts("#password-help"), ["This is not your password."]);
    assert_eq!(wrong.html().value("email"), NORA);
    app.finish().await;
}

/// F10: an address that somebody registered and never proved belongs to whoever proves it; one that was proved meanwhile
/// stays where it is.
#[tokio::test]
async fn who_proves_an_address_has_it() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    register(&app.visitor(), NORA, PASSWORD).await;
    app.idle().await;
    ask(&ada, NORA, seeds::PASSWORD).await;
    let ours = link(&app.mail(NORA, 2).await);
    ask(&eve, NORA, seeds::PASSWORD).await;
    let hers = link(&app.mail(NORA, 3).await);

    assert_eq!(press(&ada, &ours).await.status, 200);
    let late = press(&eve, &hers).await;

    assert_eq!((late.status, late.html().texts("h1")), (422, vec!["This address has an account".to_owned()]));
    assert_eq!(app.count(&format!("SELECT COUNT(*) FROM users WHERE email = '{NORA}'")).await, 1);
    assert_eq!(log_in(&app.visitor(), NORA, PASSWORD).await.status, 422, "the squatter's password opens nothing");
    assert_eq!(log_in(&app.visitor(), NORA, seeds::PASSWORD).await.status, 303);
    assert!(eve.get("/app/account").await.html().text().contains("eve@example.com"));
    app.finish().await;
}

/// F10, F68: an account that gave way is told in the audit log like every other that ends, and the doctor finds nothing wrong
/// with it; what named whoever registered it is gone.
#[tokio::test]
async fn who_gives_way_is_told() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    register(&app.visitor(), NORA, PASSWORD).await;
    app.idle().await;
    let squatter = app.user("nora").await.id;
    ask(&ada, NORA, seeds::PASSWORD).await;
    let ours = link(&app.mail(NORA, 2).await);

    assert_eq!(press(&ada, &ours).await.status, 200);

    let told = activities::about(&app.ctx.db, "user", squatter).await.unwrap();
    let told: Vec<_> = told.iter().map(|row| format!("{} {}", row.actor(), row.activity_type)).collect();
    assert_eq!(told, ["system:nproxy delete_user"]);
    for table in ["links", "auth_events"] {
        let left = format!("SELECT COUNT(*) FROM {table} WHERE user_id = {squatter}");
        assert_eq!(app.count(&left).await, 0, "{table}");
    }
    app.idle().await;
    let report = doctor::examine_books(&app.ctx, &app.ctx.db).await.unwrap();
    let broken: Vec<_> = report.failed().collect();
    assert!(broken.is_empty(), "{broken:?}");
    app.finish().await;
}
