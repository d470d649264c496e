//! Opening an account, proving the address, and a forgotten password.

use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::users::seeds;
use sandbox::Mail;

use crate::support::{Answer, Person, TestApp};

pub const NORA: &str = "nora@example.com";
pub const PASSWORD: &str = "four quiet otters swim";
const UNVERIFIED: &str = "Verify your e-mail address first. We have sent you a link.";
const WRONG: &str = "E-mail address or password is wrong.";

pub async fn register(person: &Person, email: &str, password: &str) -> Answer {
    let form = person.get("/register").await.html().form("form[action='/register']");
    person.submit(&form.fill("email", email).fill("password", password)).await
}

pub async fn log_in(person: &Person, email: &str, password: &str) -> Answer {
    let form = person.get("/login").await.html().form("form[action='/login']");
    person.submit(&form.fill("email", email).fill("password", password)).await
}

pub async fn forgot(person: &Person, email: &str) -> Answer {
    let form = person.get("/password/forgot").await.html().form("form[action='/password/forgot']");
    person.submit(&form.fill("email", email)).await
}

/// The one link of a mail.
pub fn link(mail: &Mail) -> String {
    let links = mail.links();
    assert_eq!(links.len(), 1, "{links:?}");
    links[0].clone()
}

/// Opens the page of a link and presses its button.
pub async fn press(person: &Person, link: &str) -> Answer {
    let form = person.get(link).await.html().form("main form");
    person.submit(&form).await
}

/// Opens the page of a reset link and sets a new password.
pub async fn choose(person: &Person, link: &str, password: &str) -> Answer {
    let form = person.get(link).await.html().form("main form");
    person.submit(&form.fill("password", password)).await
}

/// What a program sends that never looked at the page of the link.
pub async fn post_token(person: &Person, path: &str, link: &str) -> Answer {
    let (_, token) = link.split_once("token=").unwrap();
    let password = (path == "/password/reset").then_some(("password", PASSWORD));
    person.post(path, &[("token", token)].into_iter().chain(password).collect::<Vec<_>>()).await
}

pub async fn registered(app: &TestApp) -> String {
    register(&app.visitor(), NORA, PASSWORD).await;
    link(&app.mail(NORA, 1).await)
}

pub async fn age(app: &TestApp, table: &str, column: &str, by: TimeDelta) {
    let then = app.time(&format!("SELECT {column} FROM {table}")).await;
    app.set_time(table, column, then - by, "1 = 1").await;
}

/// F5: who registers is told to look into the mail, which has the link; the account is there, and opens nothing yet.
#[tokio::test]
async fn registering_sends_a_link() {
    let app = TestApp::start().await;
    let visitor = app.visitor();

    let answer = register(&visitor, " Nora@Example.com ", PASSWORD).await;

    assert_eq!(answer.status, 200);
    assert!(answer.html().text().contains("Check your mail"));
    assert_eq!(visitor.cookie(), None);
    let mail = app.mail(NORA, 1).await;
    assert!(link(&mail).starts_with(&format!("{}/activation?token=", app.url)), "{}", link(&mail));
    let id = app.user("nora").await.id;
    assert_eq!(app.text(&format!("SELECT status FROM users WHERE id = {id}")).await, "new");
    assert_eq!(app.count(&format!("SELECT COUNT(*) FROM allowances WHERE user_id = {id}")).await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 0);
    app.finish().await;
}

/// F5: an address that is taken, in whatever letters, gets the page that everybody gets, and makes no second account;
/// only its owner hears of it.
#[tokio::test]
async fn a_taken_address_looks_like_a_free_one() {
    let app = TestApp::start().await;
    let page_of = async |email: &str| {
        let answer = register(&app.visitor(), email, PASSWORD).await;
        (answer.status, answer.body.replace(email, "ADDRESS"))
    };
    let free = page_of(NORA).await;
    let before = app.count("SELECT COUNT(*) FROM users").await;

    for taken in ["ada@example.com", "ADA@Example.COM", NORA, "NORA@example.com"] {
        assert_eq!(page_of(taken).await, free, "{taken}");
    }

    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, before);
    let mail = app.mail("ada@example.com", 2).await;
    assert_eq!(mail.subject, "You already have an nproxy account");
    assert_eq!(mail.links()[0], format!("{}/login", app.url));
    assert!(mail.links()[1].starts_with(&format!("{}/password/reset?token=", app.url)), "for whoever forgot");
    assert_eq!(app.mail(NORA, 3).await.subject, "Activate your nproxy account");
    let answer = log_in(&app.visitor(), "ada@example.com", PASSWORD).await;
    assert!(answer.html().text().contains(WRONG), "the second registration set no password");
    app.finish().await;
}

/// F5: ten people who take the same address at the same moment are one account.
#[tokio::test]
async fn an_address_is_taken_once() {
    let app = TestApp::start().await;
    let visitors: Vec<_> = (0..10).map(|_| app.visitor()).collect();

    let answers = join_all(visitors.iter().map(|visitor| register(visitor, NORA, PASSWORD))).await;

    assert!(answers.iter().all(|answer| answer.status == 200));
    let with_password = format!("SELECT COUNT(*) FROM users WHERE email = '{NORA}' AND password_hash IS NOT NULL");
    assert_eq!(app.count(&with_password).await, 1, "who presses ten times has said one password");
    app.idle().await;
    app.finish().await;
}

/// F5: what is wrong with a registration stands beside its field, and the address need not be typed again.
#[tokio::test]
async fn a_bad_registration_says_what_is_wrong() {
    let app = TestApp::start().await;
    let before = app.count("SELECT COUNT(*) FROM users").await;
    let long = format!("{}a", "x7!".repeat(90));
    let far = format!("{}@example.com", "a".repeat(250));
    for (email, password, field, said) in [
        (NORA, "short", "password", "Use at least 10 characters."),
        (NORA, "password123", "password", "too easy to guess"),
        (NORA, "nora@example.com", "password", "too easy to guess"),
        (NORA, long.as_str(), "password", "Use at most 256 characters."),
        (NORA, "", "password", "Use at least 10 characters."),
        ("nobody", PASSWORD, "email", "This is not an e-mail address."),
        ("a b@example.com", PASSWORD, "email", "This is not an e-mail address."),
        ("<script>@example.com", PASSWORD, "email", "This is not an e-mail address."),
        ("", PASSWORD, "email", "This is not an e-mail address."),
        (far.as_str(), PASSWORD, "email", "This is not an e-mail address."),
    ] {
        let visitor = app.visitor();
        let answer = register(&visitor, email, password).await;
        let page = answer.html();
        assert_eq!(answer.status, 422, "{email} {password}");
        let complaints = page.texts(&format!("#{field}-help"));
        assert!(complaints.len() == 1 && complaints[0].contains(said), "{email} {password}: {complaints:?}");
        assert_eq!(page.value("email"), email);
        assert_eq!(page.value("password"), "", "a password is never sent back");
        assert_eq!(visitor.cookie(), None);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, before);
    assert!(app.sandbox.mail().messages().is_empty());
    app.finish().await;
}

/// F7: programs that look at every link of a mail use nothing up; the person's button works, once, and gives the three
/// free pictures.
#[tokio::test]
async fn an_activation_link_works_once() {
    let app = TestApp::start().await;
    let link = registered(&app).await;
    for _ in 0..3 {
        let scanner = app.visitor();
        let answer = scanner.get(&link).await;
        assert_eq!(answer.status, 200);
        assert!(answer.html().has("form[action='/activation']"));
        assert_eq!(scanner.cookie(), None);
    }
    assert_eq!(app.text(&format!("SELECT status FROM users WHERE email = '{NORA}'")).await, "new");

    let nora = app.visitor();
    let answer = press(&nora, &link).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/conversations"));
    assert_eq!(nora.get("/app").await.html().texts("#allowance"), ["3 free pictures left"]);

    let second = app.visitor();
    let answer = post_token(&second, "/activation", &link).await;
    assert_eq!(answer.status, 422);
    assert!(answer.html().text().contains("This link did its work. You can log in."));
    assert!(second.get(&link).await.html().text().contains("This link did its work."));
    assert_eq!(second.cookie(), None);
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'activate_user'").await, 6);
    app.finish().await;
}

/// F7: a link of 23 hours and 59 minutes works.
#[tokio::test]
async fn an_activation_link_lives_for_a_day() {
    let app = TestApp::start().await;
    let link = registered(&app).await;
    age(&app, "links", "expires_at", TimeDelta::hours(24) - TimeDelta::minutes(1)).await;

    assert_eq!(press(&app.visitor(), &link).await.status, 303);
    app.finish().await;
}

/// F7: a link of 24 hours and a minute is refused; logging in sends a new one, which works.
#[tokio::test]
async fn an_old_activation_link_leads_to_a_new_one() {
    let app = TestApp::start().await;
    let old = registered(&app).await;
    age(&app, "links", "expires_at", TimeDelta::hours(24) + TimeDelta::minutes(1)).await;

    let nora = app.visitor();
    let page = nora.get(&old).await.html();
    assert!(!page.has("form[action='/activation']"));
    let answer = post_token(&nora, "/activation", &old).await;
    assert_eq!(answer.status, 422);
    assert!(answer.html().text().contains("This link has expired"));
    assert_eq!(page.attribute("main a.btn", "href"), "/login");
    assert_eq!(nora.cookie(), None);

    log_in(&nora, NORA, PASSWORD).await;
    let new = link(&app.mail(NORA, 2).await);
    assert_eq!(press(&nora, &new).await.status, 303);
    app.finish().await;
}

/// F7: of two links only the newer one works.
#[tokio::test]
async fn a_newer_link_replaces_an_older_one() {
    let app = TestApp::start().await;
    let old = registered(&app).await;
    register(&app.visitor(), NORA, PASSWORD).await;
    let new = link(&app.mail(NORA, 2).await);

    let nora = app.visitor();
    let answer = post_token(&nora, "/activation", &old).await;
    assert_eq!(answer.status, 422);
    assert!(answer.html().text().contains("a newer one replaced it"));
    for never_was in ["token=", "token=nonsense"] {
        assert_eq!(post_token(&nora, "/activation", never_was).await.status, 422);
    }
    assert_eq!(nora.cookie(), None);
    assert_eq!(press(&nora, &new).await.status, 303);
    app.finish().await;
}

/// F7: pressing the button twice at the same moment opens the account once, with three free pictures and not six.
#[tokio::test]
async fn two_presses_are_one_gift() {
    let app = TestApp::start().await;
    let link = registered(&app).await;
    let presses: Vec<_> = (0..6).map(|_| app.visitor()).collect();

    let answers = join_all(presses.iter().map(|person| post_token(person, "/activation", &link))).await;

    assert_eq!(answers.iter().filter(|answer| answer.status == 303).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 5);
    let id = app.user("nora").await.id;
    assert_eq!(app.count(&format!("SELECT COUNT(*) FROM allowances WHERE user_id = {id}")).await, 1);
    assert_eq!(
        app.count(&format!(
            "SELECT CAST(SUM(posted_delta) AS BIGINT) FROM ledger_entries \
             WHERE allowance_id = (SELECT id FROM allowances WHERE user_id = {id})"
        ))
        .await,
        3
    );
    app.finish().await;
}

/// F6: before the address is proved nobody gets in. The right password hears why, a wrong one hears nothing new, and
/// both send the link again.
#[tokio::test]
async fn an_unproved_address_does_not_log_in() {
    let app = TestApp::start().await;
    registered(&app).await;
    let nora = app.visitor();

    let right = log_in(&nora, NORA, PASSWORD).await;
    assert_eq!(right.status, 422);
    assert_eq!(right.html().texts("[role=alert]"), [UNVERIFIED]);
    app.mail(NORA, 2).await;

    let wrong = log_in(&nora, NORA, "not the password").await;
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.html().texts("[role=alert]"), [WRONG]);
    app.mail(NORA, 3).await;

    assert_eq!(right.header("set-cookie"), "");
    assert_eq!(wrong.header("set-cookie"), "");
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 0);
    app.finish().await;
}

/// F6: a wrong password and an address that has no account cannot be told apart, byte for byte.
#[tokio::test]
async fn an_unknown_address_looks_like_a_wrong_password() {
    let app = TestApp::start().await;
    registered(&app).await;
    app.sql("UPDATE users SET status = 'blocked' WHERE email = 'dee@example.com'").await;
    let page_of = async |email: &str| {
        let answer = log_in(&app.visitor(), email, "not the password").await;
        (answer.status, answer.body.replace(email, "ADDRESS"))
    };

    let unknown = page_of("nobody@example.com").await;

    assert!(unknown.1.contains(WRONG));
    for known in ["ada@example.com", "ADA@example.com", "dee@example.com", NORA] {
        assert_eq!(page_of(known).await, unknown, "{known}");
    }
    let blocked = log_in(&app.visitor(), "dee@example.com", seeds::PASSWORD).await;
    assert!(blocked.html().text().contains("This account is blocked."));
    assert_eq!(blocked.header("set-cookie"), "");
    app.idle().await;
    app.finish().await;
}

/// F6: five mails within an hour are enough for everybody; the sixth is not sent, whichever form asks, and the answer
/// does not show it. An hour later there is one again.
#[tokio::test]
async fn the_sixth_mail_of_an_hour_is_not_sent() {
    let app = TestApp::start().await;
    registered(&app).await;
    let nora = app.visitor();
    for count in 2..=5 {
        log_in(&nora, NORA, PASSWORD).await;
        app.mail(NORA, count).await;
    }

    let sixth = log_in(&nora, NORA, PASSWORD).await;
    assert_eq!(sixth.html().texts("[role=alert]"), [UNVERIFIED]);
    forgot(&nora, NORA).await;
    register(&nora, NORA, PASSWORD).await;
    let newest = link(&app.mail(NORA, 5).await);

    app.set_time("links", "created_at", Utc::now() - TimeDelta::minutes(61), "1 = 1").await;
    log_in(&nora, NORA, PASSWORD).await;
    let after = link(&app.mail(NORA, 6).await);
    assert_ne!(after, newest);
    assert_eq!(press(&nora, &after).await.status, 303);
    app.finish().await;
}

/// F9: a forgotten password is replaced through the mailed link; whoever was logged in before is out, the old password
/// and the used link are worth nothing.
#[tokio::test]
async fn a_new_password_ends_everything_old() {
    let app = TestApp::start().await;
    let (elsewhere, ada) = (app.sign_in("ada").await, app.visitor());

    let asked = forgot(&ada, "Ada@example.com").await;
    assert_eq!(asked.status, 200);
    let mail = app.mail("ada@example.com", 1).await;
    let reset = link(&mail);
    assert!(reset.starts_with(&format!("{}/password/reset?token=", app.url)));
    for _ in 0..3 {
        assert_eq!(app.visitor().get(&reset).await.status, 200);
    }

    let weak = choose(&ada, &reset, "password123").await;
    assert_eq!(weak.status, 422);
    assert!(weak.html().texts("#password-help")[0].contains("too easy to guess"));
    let answer = ada.submit(&weak.html().form("main form").fill("password", PASSWORD)).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/conversations"));
    assert_eq!(ada.get("/app").await.status, 200);
    assert_eq!(elsewhere.get("/app").await.location(), "/login");
    assert_eq!(log_in(&app.visitor(), "ada@example.com", seeds::PASSWORD).await.status, 422);
    assert_eq!(log_in(&app.visitor(), "ada@example.com", PASSWORD).await.status, 303);

    let second = app.visitor();
    let answer = post_token(&second, "/password/reset", &reset).await;
    assert_eq!(answer.status, 422);
    assert!(answer.html().text().contains("This link was already used"));
    assert_eq!(second.cookie(), None);
    assert_eq!(ada.get("/app").await.status, 200, "the refused second use ended nothing");
    app.finish().await;
}

/// F9: the link works for 24 hours, and only the newest one does.
#[tokio::test]
async fn a_reset_link_lives_for_a_day() {
    let app = TestApp::start().await;
    let ada = app.visitor();
    forgot(&ada, "ada@example.com").await;
    let first = link(&app.mail("ada@example.com", 1).await);
    age(&app, "links", "expires_at", TimeDelta::hours(24) + TimeDelta::minutes(1)).await;

    let late = post_token(&ada, "/password/reset", &first).await;
    assert_eq!(late.status, 422);
    assert!(late.html().text().contains("This link has expired"));
    assert_eq!(late.html().attribute("main a.btn", "href"), "/password/forgot");
    assert!(!ada.get(&first).await.html().has("main form"));

    forgot(&ada, "ada@example.com").await;
    let second = link(&app.mail("ada@example.com", 2).await);
    forgot(&ada, "ada@example.com").await;
    let third = link(&app.mail("ada@example.com", 3).await);
    let expires = app.time("SELECT MAX(expires_at) FROM links").await;
    app.set_time("links", "expires_at", expires - TimeDelta::hours(24) + TimeDelta::minutes(1), "1 = 1").await;
    assert!(post_token(&ada, "/password/reset", &second).await.html().text().contains("a newer one replaced it"));
    assert_eq!(ada.cookie(), None);
    assert_eq!(choose(&ada, &third, PASSWORD).await.status, 303);
    app.finish().await;
}

/// F8: who forgot the password before the address was proved gets the activation link and no reset link; nobody can tell
/// from the page who has an account.
#[tokio::test]
async fn a_reset_for_an_unproved_address_sends_the_activation_link() {
    let app = TestApp::start().await;
    registered(&app).await;
    let page_of = async |email: &str| {
        let answer = forgot(&app.visitor(), email).await;
        (answer.status, answer.body.replace(email, "ADDRESS"))
    };

    let unproved = page_of(NORA).await;

    let mail = app.mail(NORA, 2).await;
    assert_eq!(mail.subject, "Activate your nproxy account");
    assert_eq!(app.count("SELECT COUNT(*) FROM links WHERE purpose = 'reset'").await, 0);
    for other in ["ada@example.com", "nobody@example.com", "not an address"] {
        assert_eq!(page_of(other).await, unproved, "{other}");
    }
    assert_eq!(press(&app.visitor(), &link(&mail)).await.status, 303);
    app.idle().await;
    app.finish().await;
}

/// F9: a link for one purpose is worth nothing for the other.
#[tokio::test]
async fn an_activation_link_sets_no_password() {
    let app = TestApp::start().await;
    let activation = registered(&app).await;
    let nora = app.visitor();

    assert_eq!(post_token(&nora, "/password/reset", &activation).await.status, 422);

    assert_eq!(nora.cookie(), None);
    assert_eq!(press(&nora, &activation).await.status, 303);
    app.finish().await;
}

/// F5: somebody else who signs up with the same address, before or after its owner, gets nothing by it, whichever mail is
/// pressed: no password opens the account but the one that is chosen behind the link.
#[tokio::test]
async fn nobody_elses_password_opens_an_account() {
    const THEIRS: &str = "the attacker knows this one";
    const CHOSEN: &str = "seven paper boats drift";
    for (first, second) in [(THEIRS, PASSWORD), (PASSWORD, THEIRS)] {
        let app = TestApp::start().await;
        register(&app.visitor(), NORA, first).await;
        app.mail(NORA, 1).await;
        register(&app.visitor(), NORA, second).await;
        let newest = link(&app.mail(NORA, 2).await);

        let nora = app.visitor();
        let page = press(&nora, &newest).await;

        assert_eq!((page.status, page.html().texts("h1")), (200, vec!["Choose your password".to_owned()]));
        assert_eq!(nora.cookie(), None);
        for password in [THEIRS, PASSWORD] {
            assert_eq!(log_in(&app.visitor(), NORA, password).await.status, 422, "{password}");
        }
        let form = || page.html().form("main form");
        assert_eq!(nora.submit(&form().fill("password", "password123")).await.status, 422, "too easy");
        let chosen = nora.submit(&form().fill("password", CHOSEN)).await;
        assert_eq!((chosen.status, chosen.location().as_str()), (303, "/app/conversations"));
        assert_eq!(nora.get("/app").await.html().texts("#allowance"), ["3 free pictures left"]);
        assert_eq!(log_in(&app.visitor(), NORA, CHOSEN).await.status, 303);
        assert_eq!(log_in(&app.visitor(), NORA, THEIRS).await.status, 422);
        app.idle().await;
        app.finish().await;
    }
}

/// F5, F6: a registration for which no mail is sent any more is no way around that: the link that lies in the mail opens
/// the account, and not for the password that was said last.
#[tokio::test]
async fn a_registration_without_a_mail_sets_no_password() {
    const THEIRS: &str = "the attacker knows this one";
    let app = TestApp::start().await;
    registered(&app).await;
    for count in 2..=5 {
        log_in(&app.visitor(), NORA, PASSWORD).await;
        app.mail(NORA, count).await;
    }
    register(&app.visitor(), NORA, THEIRS).await;
    let newest = link(&app.mail(NORA, 5).await);

    let page = press(&app.visitor(), &newest).await;

    assert_eq!(page.html().texts("h1"), ["Choose your password"]);
    assert_eq!(log_in(&app.visitor(), NORA, THEIRS).await.status, 422);
    app.idle().await;
    app.finish().await;
}
