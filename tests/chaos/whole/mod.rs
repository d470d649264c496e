//! The whole system under everything at once: pages and workers in processes of their own that are killed and stand still
//! at random moments, PostgreSQL that dies in the middle of it, Redis that is emptied and dies, a vendor that fails, and
//! people who ask for more than they can pay, each wish twice at the same time. On SQLite there is one database file and no
//! Redis.
//!
//! `CHAOS_WISHES=3000 CHAOS_KILLS=600 CHAOS_SEEDS=1,2,3 bin/test --server chaos/whole` plays the long form, in which
//! nobody helps: leases run out by themselves, and whoever stands still does so for longer than they last.

mod evidence;
mod people;
mod storm;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use nproxy::models::{ledger_entries::check, provider_keys::MAX_CONCURRENCY};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sandbox::Fault;
use tokio::time::{Instant, sleep};

use crate::support::{PATIENCE, Postgres, Setup, TestApp, is_postgres, redis::Redis};
use people::Crowd;
use storm::Storm;

/// Who asks. Both have the trial, and get the rest by grant.
const PEOPLE: [&str; 2] = ["ada", "eve"];
/// The vendor refuses whatever has this word in it, so its run fails for good.
const DOOMED: &str = "forbidden";
/// Of so many wishes one is doomed.
const ONE_DOOMED_IN: usize = 10;
/// A sign of life of the vendor's connection, or the end of it, by now.
const VENDOR_KNOWS: Duration = Duration::from_millis(2_500);
/// From so many kills on it is the long form.
const LONG: usize = 100;
/// When it is calm again in the long form: the leases of the dead, the reaper, one more call, and the sweep over runs whose job is gone.
const CALM: Duration = Duration::from_secs(150);

/// A design with one rule less, made by the database: what is missing, how, and what has to notice.
const MUTANTS: [(&str, &str, &str); 2] = [
    (
        "whatever nobody was told of is looked for",
        "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.class = 'FulfilRun' AND NEW.id % 4 = 0 THEN NEW.run_at := NEW.run_at + INTERVAL '1 day'; END IF; \
         RETURN NEW; END $$; \
         CREATE TRIGGER mutant BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION mutant()",
        "stuck",
    ),
    (
        "the lease of the dead runs out",
        "CREATE FUNCTION mutant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.class = 'FulfilRun' AND NEW.state = 'running' THEN \
         NEW.lease_expires_at := clock_timestamp() + INTERVAL '1 day'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER mutant BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION mutant()",
        "stuck",
    ),
];

/// How much of it.
#[derive(Debug, Clone)]
struct Scale {
    wishes: usize,
    kills: usize,
    seed: u64,
    /// When it is calm again: what has no end by then is stuck.
    patience: Duration,
}

impl Scale {
    fn all() -> Vec<Self> {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().expect("a number"));
        let (wishes, kills) = (number("CHAOS_WISHES").unwrap_or(60), number("CHAOS_KILLS").unwrap_or(10));
        let seeds = std::env::var("CHAOS_SEEDS").unwrap_or_else(|_| "20261129".to_owned());
        let seeds = seeds.split(',').map(|seed| seed.trim().parse().expect("a number"));
        let patience = if kills < LONG { PATIENCE } else { CALM };
        seeds.map(|seed| Self { wishes, kills, seed, patience }).collect()
    }

    /// Then time passes by itself.
    const fn is_long(&self) -> bool {
        self.kills >= LONG
    }

    /// Pictures that can be paid: four of five.
    const fn units(&self) -> usize {
        self.wishes * 4 / 5
    }
}

/// What everybody sees.
struct World {
    app: TestApp,
    scale: Scale,
    /// Where pages are, for those who ask.
    addresses: Mutex<Vec<String>>,
    /// Wishes that may be asked for by now, that were, and that got their answer.
    goal: AtomicUsize,
    asked: AtomicUsize,
    answered: AtomicUsize,
    accepted: Mutex<BTreeSet<String>>,
    refused: AtomicUsize,
    is_calm: AtomicBool,
    is_over: AtomicBool,
}

/// It must show, F25, F31, F44, X1, X4, X9, X12, X32, X33, invariants 1 to 6: exactly as many pictures succeed as can be
/// paid; every other wish is refused, or fails and costs nothing; nothing is stuck, nothing is done twice, and the books are
/// right at every moment.
#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_can_be_paid_succeeds() {
    for scale in Scale::all() {
        let began = Instant::now();
        println!("{scale:?}");
        let wrong = Box::pin(play(scale, None)).await;
        assert_eq!(wrong, Vec::<String>::new());
        println!("over after {:.0?}", began.elapsed());
    }
}

/// A harness that no mistake can fail proves nothing: each rule that is left out is found out.
#[tokio::test(flavor = "multi_thread")]
async fn each_broken_rule_is_found_out() {
    if !is_postgres() {
        return;
    }
    for (rule, sql, sign) in MUTANTS {
        let mut is_found = false;
        let mut seeds = 7..11;
        // A storm in which by chance nobody dies in the middle of a call tells nothing: then there is another.
        while let (false, Some(seed)) = (is_found, seeds.next()) {
            let scale = Scale { wishes: 20, kills: 5, seed, patience: Duration::from_secs(20) };
            let wrong = Box::pin(play(scale, Some(sql))).await;
            println!("without {rule:?}: {wrong:?}");
            is_found = wrong.iter().any(|wrong| wrong.starts_with(sign));
        }
        assert!(is_found, "without {rule:?} nothing was found");
    }
}

/// Everything that was found to be wrong. `broken` is done to the database before anybody begins.
async fn play(scale: Scale, broken: Option<&str>) -> Vec<String> {
    let postgres = if is_postgres() { Postgres::start().await } else { None };
    let redis = if postgres.is_some() { Redis::start().await } else { None };
    let (at, hints) = (postgres.as_ref().map(Postgres::url), redis.as_ref().map(Redis::url));
    let app = TestApp::with(Setup { keys: vec![], jobs: false, postgres: at, redis: hints, ..Setup::default() }).await;
    for key in ["sandbox-k1", "sandbox-k2", "sandbox-k3", "sandbox-k4", "sandbox-flaky", "sandbox-limited"] {
        app.add_key(key, MAX_CONCURRENCY).await;
    }
    app.sandbox.gemini().sketch(true);
    app.sandbox.gemini().refuse(DOOMED);
    for name in PEOPLE {
        let (email, amount) = (format!("{name}@example.com"), (scale.units() / PEOPLE.len() - 3).to_string());
        app.task("grant", &[("email", &email), ("kind", "quota"), ("amount", &amount)]).await.unwrap();
    }
    if let Some(sql) = broken {
        app.sql(sql).await;
    }
    let world = World {
        app,
        scale,
        addresses: Mutex::default(),
        goal: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
        accepted: Mutex::default(),
        refused: AtomicUsize::new(0),
        is_calm: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    };
    let mut storm = Storm::new(&world, postgres, redis);
    let crowd = Crowd::come(&world, &mut storm).await;
    let units = evidence::affordable(&world.app).await;
    let story = async {
        storm.rages().await;
        let mut wrong = world.settles(&storm, "in the storm").await;
        if wrong.is_empty() {
            // What failed gave back what it held: it is asked for again until nothing is left.
            wrong.extend(crowd.spends_the_rest(&storm).await);
        }
        world.is_over.store(true, Ordering::SeqCst);
        wrong
    };
    let (mut wrong, doctor, (), ()) = tokio::join!(story, world.doctor(), world.weather(), crowd.asks());
    wrong.extend(doctor);
    wrong.extend(evidence::findings(&world, units).await);
    let _ground = storm.ends().await;
    match wrong.is_empty() {
        true => world.app.finish().await,
        false => world.app.abandon().await,
    }
    wrong
}

impl World {
    /// Looks at the books all the time: not only the end has to be right.
    async fn doctor(&self) -> Vec<String> {
        let mut looks = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            // A database that is away says nothing wrong.
            if let Ok(found) = check::run(&self.app.ctx.db).await {
                looks += 1;
                if !found.is_empty() {
                    return vec![format!("in the middle of it: {found:?}")];
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
        println!("the books were looked at {looks} times");
        Vec::new()
    }

    /// A vendor that is slow, now and then breaks down on one key, and has enough of another.
    async fn weather(&self) {
        let gemini = self.app.sandbox.gemini();
        let mut rng = StdRng::seed_from_u64(self.scale.seed + 1);
        while !self.is_calm.load(Ordering::SeqCst) {
            gemini.latency(Duration::from_millis(rng.random_range(20..600)));
            match rng.random_bool(0.3) {
                true => gemini.fault("sandbox-flaky", Fault::Status { code: 500 }),
                false => gemini.heal("sandbox-flaky"),
            }
            match rng.random_bool(0.3) {
                true => gemini.fault("sandbox-limited", Fault::RateLimited { retry_after_s: Some(3) }),
                false => gemini.heal("sandbox-limited"),
            }
            sleep(Duration::from_millis(200)).await;
        }
        gemini.heal_all();
        gemini.latency(Duration::from_millis(50));
    }

    /// Waits until every run has its end; those that have none in time are stuck.
    async fn settles(&self, storm: &Storm<'_>, when: &str) -> Vec<String> {
        let end = Instant::now() + self.scale.patience;
        loop {
            if self.live().await == 0 {
                return Vec::new();
            }
            if Instant::now() > end {
                let stuck = "SELECT state FROM runs WHERE finished_at IS NULL";
                return vec![format!("stuck {when}: {:?}", self.app.texts(stuck).await)];
            }
            if !self.scale.is_long() {
                storm.time_of_the_dead_passes().await;
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    async fn live(&self) -> i64 {
        self.app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await
    }

    /// The leases of one process are over.
    async fn runs_out(&self, pid: u32) {
        let past = Utc::now() - chrono::TimeDelta::seconds(1);
        let mine = format!("class = 'FulfilRun' AND state = 'running' AND lease_owner LIKE '%:{pid}:%'");
        for args in self.app.texts(&format!("SELECT args FROM jobs WHERE {mine}")).await {
            let args: serde_json::Value = serde_json::from_str(&args).unwrap();
            self.app.set_time("key_leases", "expires_at", past, &format!("run_id = {}", args["run"])).await;
        }
        let mine = format!("state = 'running' AND lease_owner LIKE '%:{pid}:%'");
        self.app.set_time("jobs", "lease_expires_at", past, &mine).await;
    }
}
