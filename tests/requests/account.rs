//! One's own account: sessions that one sees and ends, and a new password.

use chrono::{TimeDelta, Utc};
use nproxy::models::users::seeds;
use reqwest::Method;

use super::accounts::{PASSWORD, forgot, link, log_in};
use crate::support::{Answer, Html, Person, TestApp, redacted};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE: &str =
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36";

async fn sign_in_with(app: &TestApp, user_agent: &str) -> Person {
    let person = app.visitor();
    let form = [("email", "ada@example.com"), ("password", seeds::PASSWORD)];
    let request = person.request(Method::POST, "/login").header("user-agent", user_agent).form(&form);
    assert_eq!(person.send(request).await.status, 303);
    person
}

async fn is_in(person: &Person) -> bool {
    person.get("/app").await.status == 200
}

async fn change(person: &Person, current: &str, new: &str) -> Answer {
    let form = person.get("/app/account/password").await.html().form("main form");
    person.submit(&form.fill("current_password", current).fill("password", new)).await
}

/// F67: the account, as its person reads it.
#[tokio::test]
async fn the_account_page() {
    let app = TestApp::start().await;
    let (_firefox, phone) = (sign_in_with(&app, FIREFOX).await, sign_in_with(&app, PHONE).await);
    let page = phone.get("/app/account").await.html();
    let since = Utc::now().format("%-d %B %Y").to_string();
    let _redacted = redacted();
    insta::assert_snapshot!(page.lines("main").replace(&since, "TODAY"), @r"
    Your account
    Member since TODAY
    Email
    ada@example.com
    Change the address
    Password
    A new password ends all your other sessions.
    Change the password
    Where you are logged in
    Chrome on Android
    127.0.0.1 · active now
    This one
    Firefox on Linux
    127.0.0.1 · last seen
    TIME
    Log out
    Log out everywhere else
    Recent log-ins
    Chrome on Android
    · 127.0.0.1
    TIME
    Firefox on Linux
    · 127.0.0.1
    TIME
    Something here that was not you?
    Change your password
    .
    Light or dark
    In this browser. System follows your device, by day and by night.
    System
    Light
    Dark
    Tell me on this device
    When your pictures are finished and you are elsewhere, this browser can say so. The message never holds your words.
    Not possible here: this browser has no push messages, or was told to allow none.
    Turn on
    Take your data with you
    Pictures, prompts, settings and invoices as zip files.
    Export my data
    Delete the account
    Your pictures, prompts and address go. You will see exactly what before anything happens.
    Delete my account
    ");
    assert!(page.has("nav a[href='/app/account'][aria-current=page]"));
    app.finish().await;
}

/// Light or dark is chosen for a browser, without a script, and every page of ours comes in it, errors too. A word that is none
/// of the three leaves it to the system, as for a browser that was never asked.
#[tokio::test]
async fn light_or_dark() {
    let app = TestApp::start().await;
    let (ada, visitor) = (app.sign_in("ada").await, app.visitor());
    let account = ada.get("/app/account").await.html();
    assert_eq!(account.attributes("[name=theme]", "value"), ["system", "light", "dark"]);
    assert_eq!(account.attribute("[name=theme][aria-pressed=true]", "value"), "system");

    let answer = ada.post("/app/account/theme", &[("theme", "dark")]).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/account?done=theme"));
    let mut cookie: Vec<_> = answer.header("set-cookie").split("; ").collect();
    cookie[1..].sort_unstable();
    assert_eq!(cookie, ["__Host-theme=dark", "HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=Lax", "Secure"]);
    let look = async |person: &Person, path: &str, theme: &str| {
        let request = person.request(Method::GET, path).header("cookie", format!("__Host-theme={theme}"));
        person.send(request).await.html()
    };
    let colours = |page: &Html| {
        let of = |name: &str, what: &str| page.attributes(&format!("meta[name={name}]"), what);
        (page.attribute("html", "data-theme"), of("color-scheme", "content"), of("theme-color", "media"))
    };
    let chosen = |word: &str| (format!("nproxy-{word}"), vec![word.to_owned()], vec![String::new()]);
    let system = colours(&account);
    let media = ["light", "dark"].map(|word| format!("(prefers-color-scheme: {word})"));
    assert_eq!(system, (String::new(), vec!["light dark".to_owned()], media.to_vec()));
    for (person, paths) in [
        (&ada, ["/app", "/app/account", "/app/conversations", "/app/gallery"]),
        (&visitor, ["/login", "/register", "/nowhere", "/dev/components"]),
    ] {
        for path in paths {
            for word in ["light", "dark"] {
                assert_eq!(colours(&look(person, path, word).await), chosen(word), "{path}");
            }
            for word in ["system", "", "nproxy-dark", "%22%3E%3Cscript%3E"] {
                assert_eq!(colours(&look(person, path, word).await), system, "{path}: {word}");
            }
        }
    }
    let dark = look(&ada, "/app/account?done=theme", "dark").await;
    assert_eq!(dark.attribute("[name=theme][aria-pressed=true]", "value"), "dark");
    assert_eq!(dark.texts("#flash"), ["That is how it looks in this browser from now on."]);
    for path in ["/", "/offline"] {
        let page = look(&visitor, path, "dark").await;
        assert_eq!(page.attribute("html", "data-theme"), "", "{path} is the same for all");
    }
    let strange = ada.post("/app/account/theme", &[("theme", "sepia")]).await;
    assert!(strange.header("set-cookie").starts_with("__Host-theme=system;"));
    app.finish().await;
}

/// A form that comes back has the focus where something is wrong, and nowhere else.
#[tokio::test]
async fn what_is_wrong_has_the_focus() {
    let app = TestApp::start().await;
    let (ada, visitor) = (app.sign_in("ada").await, app.visitor());
    let focus = |answer: &Answer| answer.html().attributes("[autofocus]", "name");
    assert_eq!(focus(&visitor.get("/register").await), ["email"]);
    let weak = visitor.post("/register", &[("email", "zed@example.com"), ("password", "abc")]).await;
    assert_eq!((weak.status, focus(&weak)), (422, vec!["password".into()]));
    let both = visitor.post("/register", &[("email", "zed"), ("password", "abc")]).await;
    assert_eq!((both.status, focus(&both)), (422, vec!["email".into()]));

    assert_eq!(focus(&ada.get("/app/account/password").await), ["current_password"]);
    assert_eq!(focus(&change(&ada, seeds::PASSWORD, "abc").await), ["password"]);
    assert_eq!(focus(&change(&ada, "not this one", PASSWORD).await), ["current_password"]);
    let wrong = ada.post("/app/account/email", &[("email", "zoe@example.com"), ("password", "not this one")]).await;
    assert_eq!((wrong.status, focus(&wrong)), (422, vec!["password".into()]));
    app.finish().await;
}

/// F10: one session is ended from another, at once, and only that one.
#[tokio::test]
async fn a_session_is_ended_from_elsewhere() {
    let app = TestApp::start().await;
    let (firefox, phone, third) =
        (sign_in_with(&app, FIREFOX).await, sign_in_with(&app, PHONE).await, sign_in_with(&app, "curl/8").await);
    let page = phone.get("/app/account").await.html();
    assert_eq!(page.texts("section li p.font-medium"), ["Chrome on Android", "curl", "Firefox on Linux"]);

    let answer = phone.submit(&page.form("li:nth-child(3) form")).await;

    assert_eq!((answer.status, answer.location().as_str()), (303, "/app/account?done=session"));
    let after = phone.get(&answer.location()).await.html();
    assert_eq!(after.texts("#flash"), ["That session has ended."]);
    assert_eq!(after.texts("section li p.font-medium"), ["Chrome on Android", "curl"]);
    assert!(!is_in(&firefox).await);
    assert!(is_in(&third).await && is_in(&phone).await);

    let answer = phone.submit(&after.form("form[action='/app/account/sessions/revocation']")).await;
    assert_eq!(answer.status, 303);
    assert!(!is_in(&third).await);
    assert!(is_in(&phone).await, "this one stays");
    let alone = phone.get("/app/account").await.html();
    assert!(!alone.has("form[action='/app/account/sessions/revocation']"), "there is nothing else to end");
    let elsewhere = phone.request(Method::GET, "/app/account?done=sessions").header("sec-fetch-site", "cross-site");
    assert_eq!(phone.send(elsewhere).await.html().texts("#flash"), [""], "a stranger's link tells no tales");
    app.finish().await;
}

/// F11, X36: somebody else's session, one that is over, and one that never was look alike, and nothing ends.
#[tokio::test]
async fn a_strangers_session_is_not_there() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
    let hers = ada.get("/app/account").await.html().attribute("section li", "id").replace("session-", "");
    assert_eq!(hers.len(), 36);
    let over = sign_in_with(&app, FIREFOX).await;
    let over_pid = over.get("/app/account").await.html().attribute("section li", "id").replace("session-", "");
    ada.post(&format!("/app/account/sessions/{over_pid}/revocation"), &[]).await;
    let never_was = uuid::Uuid::new_v4().to_string();
    let ask = async |person: &Person, pid: &str| {
        let answer = person.post(&format!("/app/account/sessions/{pid}/revocation"), &[]).await;
        (answer.status, answer.without_reference().replace(pid, "ID"))
    };

    let absent = ask(&eve, &never_was).await;

    assert_eq!(absent.0, 404);
    assert_eq!(ask(&eve, &hers).await, absent);
    assert_eq!(ask(&ada, &over_pid).await, absent);
    assert_eq!(ask(&eve, "1").await.0, 404);
    assert!(is_in(&ada).await);
    app.finish().await;
}

/// F10: when a session was last seen is written at most once a minute.
#[tokio::test]
async fn being_seen_is_written_once_a_minute() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    let seen = async || app.time("SELECT last_seen_at FROM sessions").await;
    let first = seen().await;
    for _ in 0..3 {
        is_in(&ada).await;
    }
    assert_eq!(seen().await, first);
    app.set_time("sessions", "last_seen_at", first - TimeDelta::seconds(61), "1 = 1").await;
    is_in(&ada).await;
    assert!(seen().await >= first);
    app.finish().await;
}

/// F10: a new password wants the present one; then all other sessions and links are over, this one goes on, and the
/// owner is told.
#[tokio::test]
async fn a_password_is_changed_from_within() {
    let app = TestApp::start().await;
    let (ada, elsewhere) = (app.sign_in("ada").await, app.sign_in("ada").await);
    forgot(&elsewhere, "ada@example.com").await;
    let old_link = link(&app.mail("ada@example.com", 1).await);

    let wrong = change(&ada, "not the password", PASSWORD).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.html().texts("#current_password-help"), ["This is not your password."]);
    assert_eq!(wrong.html().value("password"), "", "a password is never sent back");
    let weak = change(&ada, seeds::PASSWORD, "password123").await;
    assert_eq!(weak.status, 422);
    assert!(weak.html().texts("#password-help")[0].contains("too easy to guess"));
    assert!(is_in(&elsewhere).await);

    let answer = change(&ada, seeds::PASSWORD, PASSWORD).await;

    assert_eq!(answer.status, 303);
    assert!(ada.get(&answer.location()).await.html().texts("#flash")[0].starts_with("Your password is changed."));
    assert!(!is_in(&elsewhere).await);
    assert!(!app.visitor().get(&old_link).await.html().has("main form"), "links from before are over");
    let mail = app.mail("ada@example.com", 2).await;
    assert_eq!(mail.subject, "Your nproxy password was changed");
    assert_eq!(mail.links(), [format!("{}/password/forgot", app.url)]);
    assert_eq!(log_in(&app.visitor(), "ada@example.com", seeds::PASSWORD).await.status, 422);
    assert_eq!(log_in(&app.visitor(), "ada@example.com", PASSWORD).await.status, 303);
    assert_eq!(app.count("SELECT COUNT(*) FROM activities WHERE activity_type = 'change_password'").await, 1);
    app.finish().await;
}
