//! What nproxy depends on, gone or standing still, one part at a time.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::join_all;
use nproxy::models::{
    activities::Actor,
    provider_keys::{self, Addition, NewKey, NewProxy},
    users::seeds::PASSWORD,
};
use sandbox::{
    Proxy, ProxyKind, ProxyOptions, TelegramPerson,
    btcpay::{self, STORE_ID, WEBHOOK_SECRET},
};
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{
    Person, Postgres, Process, Setup, TestApp, delivery_of, is_postgres,
    line::{Line, State},
    redis::Redis,
};

/// X2: less than the ten seconds that a test otherwise waits for a connection, so that the setting is what ended it.
const HUNG: Duration = Duration::from_secs(9);
/// From the moment a part is back.
const RECOVERY: Duration = Duration::from_secs(60);

/// F20, X1, X2: while `PostgreSQL` is away, or stands still, a genuine webhook is answered with 503, so that the processor
/// comes again: never with 2xx, because nothing was written down, and never with 4xx, after which it would not. With the
/// database everything that was refused is taken, once.
#[tokio::test(flavor = "multi_thread")]
async fn no_webhook_is_lost_while_the_database_is_away() {
    if !is_postgres() {
        return;
    }
    let Some(mut postgres) = Postgres::start().await else { return };
    let here = Setup { keys: vec![], jobs: false, people: false, postgres: Some(postgres.url()), ..Setup::default() };
    let app = TestApp::with(here).await;
    let sandbox = app.sandbox.url();
    let mut settings = processor(&sandbox);
    settings.push(("DATABASE_WAIT_MS", "3000"));
    let site = Process::all(&app, &settings);
    site.is_up().await;
    assert_eq!(deliver_all(&site, &["before"]).await, BTreeMap::from([(200, 1)]));

    postgres.dies().await;
    let refused = ["away1", "away2", "away3", "away4", "away5"];
    assert_eq!(deliver_all(&site, &refused).await, BTreeMap::from([(503, refused.len())]));
    assert_eq!(forged(&site).await, 401, "who cannot sign is told so all the same");
    postgres.again().await;
    taken_again(&site, &refused).await;

    postgres.freezes();
    let held = ["still1", "still2", "still3"];
    let began = Instant::now();
    assert_eq!(deliver_all(&site, &held).await, BTreeMap::from([(503, held.len())]));
    let waited = began.elapsed();
    assert!(waited < HUNG, "answered after {waited:?}, with the database standing still");
    postgres.thaws();
    taken_again(&site, &held).await;

    assert_eq!(app.count("SELECT COUNT(*) FROM payment_events").await, 9);
    site.stop().await;
    app.finish().await;
}

fn processor(url: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("BTCPAY_URL", url),
        ("BTCPAY_STORE_ID", STORE_ID),
        ("BTCPAY_API_KEY", btcpay::API_KEY),
        ("BTCPAY_WEBHOOK_SECRET", WEBHOOK_SECRET),
    ]
}

/// All of them at once; how often each status was answered.
async fn deliver_all(site: &Process, names: &[&str]) -> BTreeMap<u16, usize> {
    let statuses =
        join_all(names.iter().map(|name| site.webhook(delivery_of(name, "InvoiceSettled", name), WEBHOOK_SECRET)));
    let mut counts = BTreeMap::new();
    for status in statuses.await {
        *counts.entry(status).or_default() += 1;
    }
    counts
}

async fn forged(site: &Process) -> u16 {
    site.webhook(delivery_of("forged", "InvoiceSettled", "Nobodys1"), "another secret").await
}

/// As the processor does it: again and again, until it is taken; nobody restarts anything.
async fn taken_again(site: &Process, names: &[&str]) {
    let end = Instant::now() + RECOVERY;
    while deliver_all(site, names).await != BTreeMap::from([(200, names.len())]) {
        assert!(Instant::now() < end, "still not taken");
        sleep(Duration::from_millis(200)).await;
    }
}

/// What nproxy depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Database,
    Redis,
    Store,
    Mail,
    Telegram,
    Vendor,
    Proxy,
    Processor,
}

const PARTS: [Part; 8] =
    [Part::Database, Part::Redis, Part::Store, Part::Mail, Part::Telegram, Part::Vendor, Part::Proxy, Part::Processor];

/// How long a part is away, each time. `CHAOS_OUTAGE_SECS=300` plays minutes, `CHAOS_PARTS=Vendor,Proxy` only those parts.
fn outage() -> Duration {
    let seconds = std::env::var("CHAOS_OUTAGE_SECS").ok().map(|text| text.parse().expect("a number"));
    Duration::from_secs(seconds.unwrap_or(2))
}

/// What no page takes, while a part is away that it does not need; on a machine that is busy with other things, no longer
/// than a few times what it takes there anyway.
const SLOWEST: Duration = Duration::from_secs(1);
const TIMES_AS_LONG: u32 = 4;

/// Without a session, so without the database.
const WITHOUT_DATABASE: [&str; 5] = ["/", "/terms", "/up", "/service-worker.js", "/static/app.css"];
const PAGES: [&str; 10] = [
    "/",
    "/login",
    "/up",
    "/app",
    "/app/conversations",
    "/app/gallery",
    "/app/history",
    "/app/queue",
    "/app/billing",
    "/app/account",
];

/// It must show, X2, X4, X5, X7, X19, X23, X26 to X28: each part in turn is gone, and then stands still, while people look
/// and ask. Pages that do not need it answer in time, no process ends, and when it is back everything works again within a
/// minute, without anybody's help.
#[tokio::test(flavor = "multi_thread")]
async fn each_part_may_be_away() {
    let Some(redis) = Redis::start().await else { return };
    let proxy = Proxy::start(ProxyOptions { kind: ProxyKind::Http, auth: None, fault: None }).await.unwrap();
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], jobs: false, s3: true, ..Setup::default() }).await;
    let lines = Lines::lay(&app, &redis, &proxy);
    add_proxied(&app, lines.of[&Part::Proxy].port()).await;
    app.sandbox.gemini().sketch(true);
    // Some pictures a second, for as long as it takes.
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "100000")]).await.unwrap();
    let settings = lines.settings(&app, &redis);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut site = Site {
        web: Process::web(&app, &settings),
        worker: Process::worker(&app, &settings),
        bot: Process::bot(&app, &settings),
        rounds: 0,
        app,
    };
    site.web.is_up().await;
    site.worker.is_up().await;
    let ada = Person::new(&site.web.url);
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    assert_eq!(ada.post("/login", &form).await.status, 303);
    site.everything_works(&ada, None).await;
    let usual = site.load(&ada, &PAGES, Duration::from_secs(2)).await;

    let wanted = std::env::var("CHAOS_PARTS").ok();
    let is_wanted = |part: Part| wanted.as_ref().is_none_or(|all| all.split(',').any(|it| it == format!("{part:?}")));
    let parts = PARTS.into_iter().filter(|part| (is_postgres() || *part != Part::Database) && is_wanted(*part));
    for (part, state) in parts.flat_map(|part| [(part, State::Cut), (part, State::Dead)]) {
        lines.of[&part].is(state);
        let pages = if part == Part::Database { &WITHOUT_DATABASE[..] } else { &PAGES[..] };
        let slow = site.load(&ada, pages, outage()).await;
        lines.of[&part].is(State::Fine);
        let back = Instant::now();
        site.everything_works(&ada, Some(part)).await;
        println!("{part:?} {state:?}: p99 {slow:.0?} (usually {usual:.0?}), all well after {:.1?}", back.elapsed());
        assert!(
            slow < SLOWEST.max(TIMES_AS_LONG * usual),
            "{part:?} {state:?}: pages take {slow:?}, usually {usual:?}"
        );
        for (name, process) in [("web", &mut site.web), ("worker", &mut site.worker), ("bot", &mut site.bot)] {
            assert!(process.is_alive(), "{name} has ended, with {part:?} {state:?}");
        }
    }
    site.queue_drains().await;
    let Site { web, worker, bot, app, .. } = site;
    for process in [web, worker, bot] {
        process.stop().await;
    }
    app.finish().await;
}

async fn add_proxied(app: &TestApp, port: u16) {
    let new = NewKey {
        provider: "gemini".into(),
        label: "sandbox-proxied".into(),
        secret: "sandbox-proxied".to_owned().into(),
        proxy: Some(NewProxy::Url(format!("http://127.0.0.1:{port}").into())),
        max_concurrency: 4,
    };
    assert!(matches!(provider_keys::add(&app.ctx, new, &Actor::Cli).await.unwrap(), Addition::Added(_)));
}

/// A line to each part.
struct Lines {
    of: BTreeMap<Part, Line>,
}

impl Lines {
    fn lay(app: &TestApp, redis: &Redis, proxy: &Proxy) -> Self {
        let database = reqwest::Url::parse(app.database_url()).unwrap().port().unwrap_or(5432);
        let sandbox = app.sandbox.http_addr().port();
        let ports = PARTS.map(|part| {
            let port = match part {
                Part::Database => database,
                Part::Redis => redis.port(),
                Part::Store => app.s3().port(),
                Part::Mail => app.sandbox.smtp_addr().port(),
                Part::Telegram | Part::Vendor | Part::Processor => sandbox,
                Part::Proxy => proxy.addr().port(),
            };
            (part, Line::to(port))
        });
        Self { of: ports.into_iter().collect() }
    }

    fn settings(&self, app: &TestApp, redis: &Redis) -> Vec<(&'static str, String)> {
        let port = |part| self.of[&part].port();
        let url = |part| format!("http://127.0.0.1:{}", port(part));
        let s3 = app.s3().settings();
        let mut settings = vec![
            ("REDIS_URL", redis.url_at(port(Part::Redis))),
            ("S3_ENDPOINT", url(Part::Store)),
            ("S3_REGION", s3.s3_region),
            ("S3_BUCKET", s3.s3_bucket),
            ("S3_ACCESS_KEY_ID", s3.s3_access_key_id),
            ("S3_SECRET_ACCESS_KEY", s3.s3_secret_access_key.expose_secret().to_owned()),
            ("SMTP_PORT", port(Part::Mail).to_string()),
            ("TELEGRAM_BOT_TOKEN", sandbox::telegram::BOT_TOKEN.to_owned()),
            ("TELEGRAM_API_URL", url(Part::Telegram)),
            ("GEMINI_BASE_URL", url(Part::Vendor)),
            ("POOL_COOLDOWN_SECS", "2".to_owned()),
            ("POOL_CALL_SECS", "5".to_owned()),
        ];
        let processor = url(Part::Processor);
        settings.extend(self::processor(&processor).into_iter().map(|(name, value)| (name, value.to_owned())));
        if is_postgres() {
            let mut database = reqwest::Url::parse(app.database_url()).unwrap();
            database.set_port(Some(port(Part::Database))).unwrap();
            settings.push(("DATABASE_URL", database.to_string()));
        }
        settings
    }
}

struct Site {
    web: Process,
    worker: Process,
    bot: Process,
    app: TestApp,
    rounds: usize,
}

impl Site {
    /// People look at these pages for so long, while others ask for pictures and mails; what all but one of a hundred
    /// answers took at most.
    async fn load(&self, ada: &Person, pages: &[&str], how_long: Duration) -> Duration {
        let is_over = AtomicBool::new(false);
        let lookers = join_all((0..2).map(|first| async move {
            let (mut took, end) = (Vec::new(), Instant::now() + how_long);
            for page in pages.iter().cycle().skip(first * 3) {
                if Instant::now() > end && took.len() >= pages.len() {
                    return took;
                }
                let began = Instant::now();
                let visitor = Person::new(&self.web.url);
                if page.starts_with("/app") {
                    visitor.set_cookie(ada.cookie());
                }
                let answer = visitor.get(page).await;
                took.push(began.elapsed());
                assert_eq!(answer.status, 200, "{page}: {}", answer.html().text());
                sleep(Duration::from_millis(10)).await;
            }
            took
        }));
        let lookers = async {
            let took = lookers.await;
            is_over.store(true, Ordering::SeqCst);
            took
        };
        let others = async {
            while !is_over.load(Ordering::SeqCst) {
                // It may take its time, and need not work.
                let _unless_late = timeout(Duration::from_secs(1), ada.try_ask("a boat", &[], None)).await;
                sleep(Duration::from_millis(200)).await;
            }
        };
        let (took, ()) = tokio::join!(lookers, others);
        let mut took: Vec<Duration> = took.concat();
        took.sort_unstable();
        took[(took.len() * 99).div_ceil(100) - 1]
    }

    /// Pictures are drawn, and what the part is there for works again.
    async fn everything_works(&mut self, ada: &Person, part: Option<Part>) {
        self.rounds += 1;
        let end = Instant::now() + RECOVERY;
        let late = |what: &str| assert!(Instant::now() < end, "{what} does not work a minute after {part:?} was back");
        while !self.draws(ada).await {
            late("drawing");
            sleep(Duration::from_millis(100)).await;
        }
        if matches!(part, None | Some(Part::Mail)) {
            let email = format!("nora{}@example.com", self.rounds);
            let form = [("email", email.as_str()), ("password", "four quiet otters swim")];
            let answer = Person::new(&self.web.url).post("/register", &form).await;
            assert_eq!(answer.status, 200, "{}", answer.html().text());
            while self.app.sandbox.mail().to(&email).is_empty() {
                late("mail");
                sleep(Duration::from_millis(100)).await;
            }
        }
        if matches!(part, None | Some(Part::Telegram)) {
            let zoe = TelegramPerson::new(50 + i64::try_from(self.rounds).unwrap(), "Zoe", None);
            self.app.sandbox.telegram().says(&zoe, "hello");
            while self.app.sandbox.telegram().answers(zoe.id).is_empty() {
                late("the bot");
                sleep(Duration::from_millis(100)).await;
            }
        }
        if part == Some(Part::Processor) {
            let who = Person::new(&self.web.url);
            let name = if self.rounds.is_multiple_of(2) { "dee" } else { "eve" };
            let form = [("email", format!("{name}@example.com")), ("password", PASSWORD.to_owned())];
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(who.post("/login", &form).await.status, 303);
            while who.post("/app/billing/invoices", &[("processor", "btcpay")]).await.status != 303 {
                late("paying");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// A picture, from the wish to its bytes.
    async fn draws(&self, ada: &Person) -> bool {
        let asked = ada.try_ask("a boat", &[], None).await;
        if asked.status != 303 {
            return false;
        }
        let page = ada.settled(&asked.location()).await;
        if !page.has(".cell img") {
            return false;
        }
        let src = page.attribute(".cell img", "src");
        ada.get(&src).await.status == 200
    }

    /// Whatever was put off while something was away is done.
    async fn queue_drains(&self) {
        let end = Instant::now() + RECOVERY + 2 * outage();
        let left = "SELECT class || ' ' || state || ' ' || COALESCE(last_error, '') FROM jobs \
                    WHERE state IN ('queued', 'running') AND class <> 'RunTask'";
        loop {
            let jobs = self.app.texts(left).await;
            if jobs.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left in the queue: {jobs:?}");
            sleep(Duration::from_millis(200)).await;
        }
    }
}
