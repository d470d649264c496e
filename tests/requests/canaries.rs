//! Twelve secrets and more, sent through everything at the most talkative log level. None of them comes out anywhere it
//! should not: not in the log, the database, a page, a mail, a job, or the words of a panic.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use sandbox::telegram::{ANN, BOT_TOKEN};
use sea_orm::{ConnectionTrait, Statement};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
};

use crate::{
    bot,
    support::{Finished, Person, Setup, TestApp, eventually, free_port, is_postgres, nproxy, redis::Redis, s3, staff},
};

/// Their names, and what to look for. What another part of the application keeps secret is one line in [`Canaries::fly`].
struct Canaries(BTreeMap<&'static str, String>);

impl Canaries {
    fn fly() -> Self {
        Self(BTreeMap::from([
            ("password", "canary-password-5127-lantern-orbit".to_owned()),
            ("new password", "canary-changed-5127-meadow-violin".to_owned()),
            ("wrong password", "canary-mistyped-5127-harbour-quilt".to_owned()),
            ("provider key", "sandbox-canary-provider-5127".to_owned()),
            ("proxy password", "canary-proxy-5127".to_owned()),
            ("S3 secret", s3::SECRET_KEY.to_owned()),
            ("bot token", BOT_TOKEN.to_owned()),
            ("Redis password", "of the tests".to_owned()),
            ("SMTP password", "canary-smtp-5127".to_owned()),
            ("BTCPay key", sandbox::btcpay::API_KEY.to_owned()),
            ("BTCPay webhook secret", sandbox::btcpay::WEBHOOK_SECRET.to_owned()),
            ("NOWPayments IPN secret", "canary-ipn-5127".to_owned()),
            ("secret key", "canary-secret-key-5127-of-more-than-32-bytes".to_owned()),
            ("secret key before", "canary-before-5127-of-more-than-32-bytes".to_owned()),
            ("database password", "canary-database-5127".to_owned()),
        ]))
    }

    fn of(&self, name: &str) -> &str {
        &self.0[name]
    }

    fn learn(&mut self, name: &'static str, value: String) {
        assert!(value.len() >= 8, "{name}: {value}");
        self.0.insert(name, value);
    }

    /// Where they are found in a text, in the clear or packed as credentials are.
    fn found_in<'a>(&'a self, text: &str, but: &[&str]) -> Vec<&'a str> {
        let is_there = |value: &str| {
            // Three shifts of base64: in `user:password` it begins anywhere.
            text.contains(value)
                || (0..3).any(|shift| {
                    let packed = STANDARD.encode(format!("{}{value}", "x".repeat(shift)));
                    text.contains(&packed[4..packed.len() - 4])
                })
        };
        self.0.iter().filter(|(name, value)| !but.contains(*name) && is_there(value)).map(|(name, _)| *name).collect()
    }

    fn absent(&self, place: &str, text: &str, but: &[&str]) {
        let found = self.found_in(text, but);
        if found.is_empty() {
            return;
        }
        let value = self.of(found[0]);
        let line = text.lines().find(|line| line.contains(value)).unwrap_or("packed as base64");
        panic!("{place} tells {found:?}: {}", &line[..line.len().min(600)]);
    }
}

/// Every row of every table.
async fn dump(app: &TestApp) -> String {
    let db = &app.ctx.db;
    let backend = db.get_database_backend();
    let tables = if is_postgres() {
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    };
    let mut all = String::new();
    for table in db.query_all_raw(Statement::from_string(backend, tables)).await.unwrap() {
        let table: String = table.try_get_by_index(0).unwrap();
        let columns = if is_postgres() {
            format!(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
            )
        } else {
            format!("SELECT name FROM pragma_table_info('{table}')")
        };
        for column in db.query_all_raw(Statement::from_string(backend, columns)).await.unwrap() {
            let column: String = column.try_get_by_index(0).unwrap();
            let sql = format!("SELECT CAST(\"{column}\" AS TEXT) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
            for row in db.query_all_raw(Statement::from_string(backend, sql)).await.unwrap() {
                let text: Option<String> = row.try_get_by_index(0).unwrap_or_default();
                all.push_str(&format!("{table}.{column}: {}\n", text.unwrap_or_default()));
            }
        }
    }
    all
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// Reliability §1, Secrets.
#[tokio::test]
async fn no_secret_comes_out() {
    let Some(redis) = Redis::start().await else { return };
    let heard = listen(&redis).await;
    let app = TestApp::with(Setup { jobs: false, keys: vec![], s3: true, ..Setup::default() }).await;
    let store = app.s3().settings();
    app.sandbox.gemini().sketch(true);
    let mut canaries = Canaries::fly();
    let planted = Canaries::fly();
    let port = free_port();
    let url = format!("http://localhost:{port}");
    let database = app.database_url().replace("postgres@", &format!("postgres:{}@", planted.of("database password")));
    let command = || {
        let mut command = nproxy(&database, app.folder.path());
        command
            .env("LOCO_ENV", "production")
            .env("PORT", port.to_string())
            .env("BINDING", "127.0.0.1")
            .env("APP_URL", &url)
            .env("MAILER_FROM", "nproxy <studio@example.com>")
            .env("NPROXY_SECRET_KEY", planted.of("secret key"))
            .env("NPROXY_SECRET_KEY_PREVIOUS", planted.of("secret key before"))
            .env("SMTP_HOST", "127.0.0.1")
            .env("SMTP_PORT", app.sandbox.smtp_addr().port().to_string())
            .env("SMTP_TLS", "false")
            .env("SMTP_USER", "studio")
            .env("SMTP_PASSWORD", planted.of("SMTP password"))
            .env("S3_ENDPOINT", &store.s3_endpoint)
            .env("S3_REGION", &store.s3_region)
            .env("S3_BUCKET", &store.s3_bucket)
            .env("S3_ACCESS_KEY_ID", &store.s3_access_key_id)
            .env("S3_SECRET_ACCESS_KEY", planted.of("S3 secret"))
            .env("REDIS_URL", redis.url())
            .env("TELEGRAM_BOT_TOKEN", planted.of("bot token"))
            .env("TELEGRAM_API_URL", app.sandbox.url())
            .env("GEMINI_BASE_URL", app.sandbox.url())
            .env("BTCPAY_URL", app.sandbox.url())
            .env("BTCPAY_STORE_ID", sandbox::btcpay::STORE_ID)
            .env("BTCPAY_API_KEY", planted.of("BTCPay key"))
            .env("BTCPAY_WEBHOOK_SECRET", planted.of("BTCPay webhook secret"))
            .env("NOWPAYMENTS_URL", app.sandbox.url())
            .env("NOWPAYMENTS_API_KEY", "wrong-on-purpose")
            .env("NOWPAYMENTS_IPN_SECRET", planted.of("NOWPayments IPN secret"))
            .env("PROVIDER_SECRET", planted.of("provider key"))
            .env("PROXY_URL", format!("http://somebody:{}@127.0.0.1:1", planted.of("proxy password")))
            .env("LOG_LEVEL", "trace")
            .env("RUST_LOG", "trace,sea_orm::driver::sqlx_postgres=trace")
            .env("RUST_BACKTRACE", "1");
        command
    };
    let mut said = String::new();
    for arguments in [
        vec!["task", "proxy_add", "label:dead", "url_env:PROXY_URL"],
        vec!["task", "key_add", "provider:gemini", "label:main", "secret_env:PROVIDER_SECRET", "proxy:dead"],
        vec!["task", "key_add", "provider:gemini", "label:main", "secret_env:PROVIDER_SECRET"],
    ] {
        said += &Finished::of(command().args(&arguments)).await.said();
    }
    let log = app.folder.path().join("trace.log");
    let file = std::fs::File::create(&log).unwrap();
    // As a server has them: a page's hint reaches a worker of another process through Redis, or not at all.
    let begin = |port: u16, role: &[&str]| {
        let (out, err) = (file.try_clone().unwrap(), file.try_clone().unwrap());
        command().env("PORT", port.to_string()).args(role).stdout(out).stderr(err).spawn().unwrap()
    };
    let mut roles = vec![begin(port, &["start"]), begin(free_port(), &["bot"])];
    let person = Person::new(&url);
    let up = reqwest::Client::builder().no_proxy().build().unwrap();
    eventually("the server", || async { up.get(format!("{url}/up")).send().await.ok().map(drop) }).await;

    let mut pages = String::new();
    let (email, password) = ("fay@example.com", canaries.of("password").to_owned());
    pages += &person.post("/register", &[("email", email), ("password", &password)]).await.body;
    // A worker's sweep may be quicker than the hint, and a job that is taken needs none: so the worker comes after it.
    let hinted = async || heard.lock().await.contains("DeliverMail").then_some(());
    eventually("the hint", hinted).await;
    roles.push(begin(free_port(), &["start", "--worker"]));
    let mail = eventually("the mail", || async { app.sandbox.mail().to(email).pop() }).await;
    canaries.learn("activation link", token_in(&format!("{mail:?}")));
    pages += &person.post("/activation", &[("token", canaries.of("activation link"))]).await.body;
    pages += &person.post("/logout", &[]).await.body;
    pages += &person.post("/login", &[("email", email), ("password", canaries.of("wrong password"))]).await.body;
    pages += &person.post("/login", &[("email", email), ("password", &password)]).await.body;
    canaries.learn("session", person.cookie().unwrap().split_once('=').unwrap().1.to_owned());
    let conversation = person.ask("a boat", &[]).await;
    pages += &person.settled(&conversation).await.text();
    pages += &person.post("/app/billing/invoices", &[("processor", "btcpay")]).await.body;
    pages += &person.post("/app/billing/invoices", &[("processor", "nowpayments")]).await.body;
    let change = [("current_password", password.as_str()), ("password", canaries.of("new password"))];
    pages += &person.post("/app/account/password", &change).await.body;
    pages += &person.post("/password/forgot", &[("email", email)]).await.body;
    let reset = eventually("the reset link", || async {
        let mails = app.sandbox.mail().to(email);
        mails.iter().map(|mail| format!("{mail:?}")).find(|mail| mail.contains("/password/reset"))
    })
    .await;
    canaries.learn("reset link", token_in(&reset));
    for path in ["/app", "/app/history", "/app/account", "/app/billing", "/nothing", "/app/conversations?look=x"] {
        pages += &person.get(path).await.body;
    }
    pages +=
        &person.post("/password/reset", &[("token", canaries.of("reset link")), ("password", &password)]).await.body;
    for signed in ["btcpay", "nowpayments"] {
        let forged = person.request(reqwest::Method::POST, &format!("/webhooks/{signed}")).body("{\"forged\":true}");
        pages += &person.send(forged).await.body;
    }
    // The house: an admin by the second factor, one by the bot.
    said +=
        &Finished::of(command().args(["task", "role_change", &format!("email:{email}"), "role:owner", "reason:test"]))
            .await
            .said();
    pages += &person.post("/login", &[("email", email), ("password", &password)]).await.body;
    let phone = staff::enrol_with(&person, &password).await;
    canaries.learn("second factor", phone.secret.clone());
    canaries.learn("recovery code", phone.recovery_codes[0].clone());
    for path in
        ["/admin", "/admin/health", "/admin/keys", "/admin/keys/1", "/admin/proxies", "/admin/users", "/admin/audit"]
    {
        pages += &person.get(path).await.body;
    }
    canaries.learn("pairing code", bot::code(&bot::say(&app, &ANN, "/start").await));
    let before = app.sandbox.telegram().answers(ANN.id);
    said += &Finished::of(command().args(["pair", canaries.of("pairing code"), "--yes"])).await.said();
    bot::answer(&app, ANN.id, &before).await;
    for words in ["/status", "/keys", "/key main", "/user fay"] {
        bot::say(&app, &ANN, words).await;
    }
    eventually("the jobs", || async {
        (app.count("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running') AND class <> 'RunTask'").await == 0)
            .then_some(())
    })
    .await;
    for arguments in [
        vec!["doctor"],
        vec!["doctor", "--json"],
        vec!["task", "key_list"],
        vec!["task", "secrets_rotate"],
        vec!["task", "key_test", "key:main"],
    ] {
        said += &Finished::of(command().args(&arguments)).await.said();
    }
    let dumped = app.folder.path().join("jobs");
    std::fs::create_dir_all(&dumped).unwrap();
    said += &Finished::of(command().args(["jobs", "dump", "--folder", dumped.to_str().unwrap()])).await.said();
    for entry in std::fs::read_dir(&dumped).unwrap() {
        said += &read(&entry.unwrap().path());
    }
    for role in &mut roles {
        role.kill().await.unwrap();
    }

    // They were really there to be told: the page with the picture, mails with their links.
    assert!(pages.contains("a boat"), "the run went through");
    let log = read(&log);
    assert!(log.len() > 100_000 && log.contains("TRACE"), "the log is talkative: {} bytes", log.len());
    canaries.absent("the log", &log, &[]);
    canaries.absent("the console", &said, &[]);
    canaries.absent("a page", &pages, &[]);
    canaries.absent("the database", &dump(&app).await, &[]);
    let told = app.sandbox.telegram().answers(ANN.id);
    assert!(told.len() > 5, "the bot has talked: {told:?}");
    canaries.absent("the bot", &format!("{told:?}"), &["pairing code"]);
    let redis_heard = heard.lock().await.clone();
    canaries.absent("Redis", &redis_heard, &[]);
    // Each mail holds its own link and nothing else.
    let mails = app.sandbox.mail().to(email).iter().map(|mail| format!("{mail:?}")).collect::<String>();
    canaries.absent("a mail", &mails, &["activation link", "reset link"]);
    app.abandon().await;
}

/// Everything that anybody tells this Redis from now on.
async fn listen(redis: &Redis) -> Arc<Mutex<String>> {
    let mut connection = TcpStream::connect(("127.0.0.1", redis.port())).await.unwrap();
    connection.write_all(b"AUTH \"of the tests\"\r\nMONITOR\r\n").await.unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let into = heard.clone();
    tokio::spawn(async move {
        let mut bytes = [0; 65536];
        while let Ok(count @ 1..) = connection.read(&mut bytes).await {
            into.lock().await.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
    heard
}

fn token_in(mail: &str) -> String {
    let (_, rest) = mail.split_once("token=").unwrap();
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

/// A panic says where it was, and nothing of what it held.
#[test]
fn types_that_hold_secrets_do_not_show_them() {
    let secret = secrecy::SecretString::from("canary-of-a-type");
    let token = nproxy::models::tokens::PlainToken::received("canary-of-a-type");
    let shown = format!("{secret:?} {token:?} {:?}", token.hashed());
    assert!(!shown.contains("canary"), "{shown}");
    let panicked = std::panic::catch_unwind(|| panic!("{:?}", secrecy::SecretString::from("canary-of-a-type")));
    let words = *panicked.unwrap_err().downcast::<String>().unwrap();
    assert!(!words.contains("canary"), "{words}");
}
