//! The application under test.

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Mutex, time::Duration};

use loco_rs::{
    app::{AppContext, Hooks},
    boot::StartMode,
    config::Config,
    environment::Environment,
    task::{Tasks, Vars},
};
use nproxy::{
    app::App,
    models::{
        activities::Actor,
        provider_keys::{self, Addition, MAX_CONCURRENCY, NewKey},
        users::{self, seeds},
    },
};
use sandbox::Sandbox;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, task::JoinHandle};

use super::{Finished, Person, database::TestDatabase, nproxy, s3::S3Server, staff::Phone};

/// What differs from the ordinary test application.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Keys of the pool, by their secret at the sandbox.
    pub keys: Vec<&'static str>,
    /// Calls per key at once.
    pub max_concurrency: i64,
    /// Runs jobs; without it they wait in their rows.
    pub jobs: bool,
    /// `settings.pool`, as the configuration writes it.
    pub pool: Value,
    /// The standing cast (`ada@example.com` …) is there.
    pub people: bool,
    /// Pictures lie in a bucket of an S3 server, not in a folder. `TEST_S3` makes it so where a test does not say.
    pub s3: bool,
    /// This machine is a proxy whose word about addresses is believed: [`Person::at`] says where somebody is.
    pub behind_proxy: bool,
    /// A tag manager's container; empty = none.
    pub gtm_id: &'static str,
    /// Where the landing is served; empty = here.
    pub landing_url: &'static str,
    /// A `PostgreSQL` to stand on, by its address; otherwise the database of the whole run.
    pub postgres: Option<String>,
    /// Where people arrange a payment by hand; empty = not offered.
    pub manual_payment_url: &'static str,
    /// `settings.backup`, as the configuration writes it; null = none are taken.
    pub backup: Value,
    /// A Redis for hints about jobs; otherwise a database in the one of the whole run, if there is one.
    pub redis: Option<String>,
    /// Who tells what is left on a key's account, as the configuration writes it; empty = nobody.
    pub balances: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            keys: vec!["sandbox-k1", "sandbox-k2", "sandbox-k3"],
            max_concurrency: MAX_CONCURRENCY,
            jobs: true,
            pool: json!({}),
            people: true,
            s3: std::env::var_os("TEST_S3").is_some(),
            behind_proxy: false,
            gtm_id: "",
            landing_url: "",
            postgres: None,
            manual_payment_url: "",
            backup: Value::Null,
            redis: None,
            balances: "",
        }
    }
}

pub struct TestApp {
    pub ctx: AppContext,
    pub url: String,
    pub sandbox: Sandbox,
    pub folder: TempDir,
    /// What the people of the house keep beside their passwords, by name.
    pub(super) phones: Mutex<HashMap<String, Phone>>,
    s3: Option<S3Server>,
    database: Option<TestDatabase>,
    config: Config,
    server: JoinHandle<()>,
    jobs: Option<JoinHandle<()>>,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let sandbox = Sandbox::start(sandbox::Options { latency: Duration::ZERO, ..Default::default() }).await.unwrap();
        let database = match &setup.postgres {
            Some(server) => TestDatabase::on(server).await,
            None => TestDatabase::create(folder.path()).await,
        };
        let s3 = if setup.s3 { Some(S3Server::start().await) } else { None };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // A name that browsers take for safe, so that the cookie's `Secure` holds.
        let url = format!("http://localhost:{}", address.port());
        sandbox.btcpay().webhook(&format!("{url}/webhooks/btcpay"), sandbox::btcpay::WEBHOOK_SECRET);
        let config = config(&url, &database.url, &folder, &sandbox, s3.as_ref(), &setup).await;

        let booted = App::boot(StartMode::ServerAndWorker, &Environment::Test, config.clone()).await.unwrap();
        let ctx = booted.app_context;
        let router = booted.router.unwrap();
        let server = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
        });
        let phones = Mutex::default();
        let mut app =
            Self { ctx, url, sandbox, folder, phones, s3, database: Some(database), config, server, jobs: None };
        if setup.jobs {
            app.work();
        }
        if setup.people {
            seeds::seed(&app.ctx).await.unwrap();
        }
        for key in &setup.keys {
            app.add_key(key, setup.max_concurrency).await;
        }
        app
    }

    /// The context of a process that has just started: nothing is known but what lies in the database.
    pub async fn reboot(&mut self) {
        let booted =
            App::boot(StartMode::WorkerOnly { tags: Vec::new() }, &Environment::Test, self.config.clone()).await;
        let before = std::mem::replace(&mut self.ctx, booted.unwrap().app_context);
        before.db.close().await.unwrap();
    }

    /// The store of `Setup { s3: true, .. }`.
    pub fn s3(&self) -> &S3Server {
        self.s3.as_ref().expect("Setup { s3: true, .. }")
    }

    /// A browser without a session.
    pub fn visitor(&self) -> Person {
        Person::new(&self.url)
    }

    /// What `/ready` says of this moment; it keeps an answer for a second.
    pub async fn readiness(&self) -> super::Answer {
        tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
        self.visitor().get("/ready").await
    }

    /// A browser signed in through the real door, as `ada`, `bo`, `cy`, `dee` or `eve`.
    pub async fn sign_in(&self, name: &str) -> Person {
        let person = self.visitor();
        let email = format!("{name}@example.com");
        let answer = person.post("/login", &[("email", &email), ("password", seeds::PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{name} signs in: {}", answer.body);
        person
    }

    pub async fn user(&self, name: &str) -> users::Model {
        users::by_email(&self.ctx.db, &format!("{name}@example.com")).await.unwrap().unwrap()
    }

    pub async fn add_key(&self, secret: &str, max_concurrency: i64) -> i64 {
        let new = NewKey {
            provider: "gemini".into(),
            label: secret.into(),
            secret: secret.to_owned().into(),
            proxy: None,
            max_concurrency,
        };
        match provider_keys::add(&self.ctx, new, &Actor::System).await.unwrap() {
            Addition::Added(key) => key.id,
            Addition::LabelTaken => panic!("two keys {secret}"),
        }
    }

    /// The row of the key with this secret at the sandbox.
    pub async fn key(&self, secret: &str) -> provider_keys::Model {
        let keys = provider_keys::list(&self.ctx.db).await.unwrap();
        keys.into_iter().find(|key| key.label == secret).unwrap()
    }

    pub fn database_url(&self) -> &str {
        &self.database.as_ref().unwrap().url
    }

    /// The tasks that run by themselves, in the order of the alphabet.
    pub fn timetable(&self) -> Vec<String> {
        let entries = self.config.scheduler.iter().flat_map(|scheduler| scheduler.jobs.values());
        let mut tasks: Vec<_> = entries.map(|entry| entry.run.clone()).collect();
        tasks.sort();
        tasks
    }

    /// The real binary on this database, as an operator runs it.
    pub async fn nproxy(&self, arguments: &[&str]) -> Finished {
        Finished::of(self.command().args(arguments)).await
    }

    /// The same, not started yet.
    pub fn command(&self) -> Command {
        let mut command = nproxy(self.database_url(), self.folder.path());
        command.env("REDIS_URL", self.redis_url()).envs(self.s3.iter().flat_map(S3Server::environment));
        command
    }

    /// Empty where hints stay inside each process.
    fn redis_url(&self) -> &str {
        self.config.settings.as_ref().unwrap()["redis_url"].as_str().unwrap()
    }

    /// An operator task by name, as on the command line.
    pub async fn task(&self, name: &str, vars: &[(&str, &str)]) -> loco_rs::Result<()> {
        let mut tasks = Tasks::default();
        App::register_tasks(&mut tasks);
        let vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        tasks.run(&self.ctx, name, &Vars::from_cli_args(vars)).await
    }

    /// Changes rows by hand; `?`-free SQL that both databases take.
    pub async fn sql(&self, sql: &str) {
        super::eventually("the one writer", || async { unless_away(self.ctx.db.execute_unprepared(sql).await, sql) })
            .await;
    }

    /// What a question brings.
    pub(super) async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let statement = || Statement::from_string(self.ctx.db.get_database_backend(), sql.to_owned());
        super::eventually("the database", || async { unless_away(self.ctx.db.query_all_raw(statement()).await, sql) })
            .await
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &str) -> i64 {
        self.rows(sql).await.remove(0).try_get_by_index(0).unwrap()
    }

    /// One text out of the database.
    pub async fn text(&self, sql: &str) -> String {
        self.rows(sql).await.remove(0).try_get_by_index(0).unwrap()
    }

    /// Moves a moment of one row; the format is the application's own on both databases.
    pub async fn set_time(&self, table: &str, column: &str, to: chrono::DateTime<chrono::Utc>, condition: &str) {
        let backend = self.ctx.db.get_database_backend();
        let mark = if backend == sea_orm::DbBackend::Postgres { "$1" } else { "?" };
        let sql = format!("UPDATE {table} SET {column} = {mark} WHERE {condition}");
        let update = || Statement::from_sql_and_values(backend, sql.as_str(), [to.into()]);
        super::eventually("the one writer", || async { unless_away(self.ctx.db.execute_raw(update()).await, &sql) })
            .await;
    }

    /// One moment out of the database.
    pub async fn time(&self, sql: &str) -> chrono::DateTime<chrono::Utc> {
        self.rows(sql).await.remove(0).try_get_by_index(0).unwrap()
    }

    /// Runs jobs from now on, in an application that was started without.
    pub fn work(&mut self) {
        let queue = self.ctx.queue_provider.clone().unwrap();
        self.jobs = Some(tokio::spawn(async move {
            queue.run(Vec::new()).await.unwrap();
        }));
    }

    /// Runs no more jobs.
    pub async fn rest(&mut self) {
        if let Some(jobs) = self.jobs.take() {
            self.ctx.queue_provider.as_ref().unwrap().shutdown().unwrap();
            jobs.await.unwrap();
        }
    }

    /// Waits until no job is left to do.
    pub async fn idle(&self) {
        super::eventually("the jobs", || async {
            (self.count("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')").await == 0).then_some(())
        })
        .await;
    }

    /// The newest mail to this address, once so many have come and nothing more is on its way.
    pub async fn mail(&self, email: &str, count: usize) -> sandbox::Mail {
        self.idle().await;
        let mut mails = self.sandbox.mail().to(email);
        assert_eq!(mails.len(), count, "mails to {email}");
        mails.pop().unwrap()
    }

    /// Where the stored objects lie.
    pub fn files(&self) -> PathBuf {
        self.s3.as_ref().map_or_else(|| self.folder.path().join("files"), S3Server::bucket)
    }

    /// The names of all stored objects.
    pub fn stored(&self) -> Vec<PathBuf> {
        let root = self.files();
        let (mut folders, mut files) = (vec![root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(&root).unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// What this person has spent so far: pictures of quota and trial, tokens.
    pub async fn spent(&self, name: &str) -> i64 {
        let id = self.user(name).await.id;
        self.count(&format!(
            "SELECT CAST(COALESCE(SUM(h.captured_amount), 0) AS BIGINT) FROM holds h \
             JOIN allowances a ON a.id = h.allowance_id WHERE a.user_id = {id}"
        ))
        .await
    }

    /// What is set aside for runs under way, and for those that never began.
    pub async fn open_holds(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM holds WHERE state = 'open'").await
    }

    /// Ends the test: nothing may be left open, and the books must be right.
    pub async fn finish(mut self) {
        self.rest().await;
        assert_eq!(self.count("SELECT COUNT(*) FROM key_leases").await, 0, "a key is still leased");
        let findings = nproxy::models::ledger_entries::check::run(&self.ctx.db).await.unwrap();
        assert!(findings.is_empty(), "the ledger is broken: {findings:?}");
        self.abandon().await;
    }

    /// Ends a test that broke things on purpose.
    pub async fn abandon(mut self) {
        self.server.abort();
        if let Some(jobs) = self.jobs.take() {
            jobs.abort();
        }
        self.ctx.db.clone().close().await.unwrap();
        self.database.take().unwrap().drop().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.abort();
        assert!(
            self.database.is_none() || std::thread::panicking(),
            "end the test with app.finish().await, which checks the books"
        );
    }
}

/// `SQLite` may be busy with processes that were killed for longer than a connection waits for it, and a test may let its
/// own `PostgreSQL` die.
fn unless_away<T>(done: Result<T, DbErr>, sql: &str) -> Option<T> {
    const AWAY: [&str; 8] = [
        "database is locked",
        "connection",
        "terminated",
        "terminating",
        "shutting down",
        "communicating",
        "starting up",
        "recovery",
    ];
    match done {
        Ok(done) => Some(done),
        Err(error) if AWAY.iter().any(|sign| error.to_string().to_lowercase().contains(sign)) => None,
        Err(error) => panic!("{sql}: {error}"),
    }
}

async fn config(
    url: &str,
    database: &str,
    folder: &TempDir,
    sandbox: &Sandbox,
    s3: Option<&S3Server>,
    setup: &Setup,
) -> Config {
    let mut config = App::load_config(&Environment::Test).await.unwrap();
    config.database.uri = database.to_owned();
    config.database.auto_migrate = false;
    if let Some(smtp) = config.mailer.as_mut().and_then(|mailer| mailer.smtp.as_mut()) {
        smtp.port = sandbox.smtp_addr().port();
    }
    let settings = config.settings.as_mut().unwrap();
    settings["app_url"] = json!(url);
    settings["storage"]["dir"] = json!(folder.path().join("files"));
    if let Some(s3) = s3.map(S3Server::settings) {
        settings["storage"]["s3_endpoint"] = json!(s3.s3_endpoint);
        settings["storage"]["s3_region"] = json!(s3.s3_region);
        settings["storage"]["s3_bucket"] = json!(s3.s3_bucket);
        settings["storage"]["s3_access_key_id"] = json!(s3.s3_access_key_id);
        settings["storage"]["s3_secret_access_key"] = json!(s3.s3_secret_access_key.expose_secret());
    }
    settings["images"]["gemini"]["base_url"] = json!(sandbox.url());
    settings["images"]["gemini"]["balance"] = json!(setup.balances);
    settings["payments"]["btcpay"] = sandbox::btcpay::settings(&sandbox.url());
    settings["payments"]["nowpayments"] = sandbox::nowpayments::settings(&sandbox.url());
    settings["payments"]["manual"] = json!({ "url": setup.manual_payment_url });
    settings["telegram"] = sandbox::telegram::settings(&sandbox.url());
    settings["push"] = json!({ "service_url": sandbox.url() });
    settings["pool"] = setup.pool.clone();
    settings["trusted_proxies"] = json!(if setup.behind_proxy { "127.0.0.0/8, ::1" } else { "" });
    settings["gtm_id"] = json!(setup.gtm_id);
    settings["landing_url"] = json!(setup.landing_url);
    if !setup.backup.is_null() {
        settings["backup"] = setup.backup.clone();
    }
    settings["sandbox"]["on"] = json!(false);
    let redis = setup.redis.clone().or_else(super::redis::of_the_run);
    settings["redis_url"] = json!(redis.unwrap_or_default());
    config
}
