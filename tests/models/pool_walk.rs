//! A long random life of the pool, one run at a time, compared after every step with a model that was written from the
//! rules. `POOL_SEED=…` plays another one, `POOL_STEPS=…` a longer one.

mod checks;
mod key;
mod model;
mod run;

use std::collections::VecDeque;

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    provider_keys::{self, NewKey, NewProxy, activation, health},
    users,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sandbox::{Proxy, ProxyKind, ProxyOptions};
use serde_json::json;

use self::{key::Says, model::Pool};
use crate::support::{Setup, TestApp};

const SEED: u64 = 20_261_124;
const STEPS: u64 = 110;
const WALKS: u64 = 3;
const RUN_SECS: i64 = 30;
const STRIKES_BEFORE: i64 = 9;

/// It must show (key pool, invariants 1 Exhaustion, 2 No repeat, 3 Caller innocence, 4 Consecutive, 5 Monotone cooldown,
/// 7 One probe, 9 Fairness, 10 Fencing, 11 Proxies, 12 and 13 Healing, 14 One output, one charge, 16 Restart): whatever
/// keys and proxies do, every run asks exactly the keys, ends exactly in the way and leaves every key exactly in the state
/// that the rules say.
#[tokio::test]
async fn the_pool_does_what_its_rules_say() {
    let number = |name: &str, or: u64| std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(or);
    let (seed, steps) = (number("POOL_SEED", SEED), number("POOL_STEPS", STEPS));
    let mut met = Met::default();
    for walk in 0..WALKS {
        let mut walk = Walk::new(seed + walk).await;
        for _ in 0..steps / WALKS + 1 {
            walk.step().await;
        }
        met.add(&walk);
        walk.app.finish().await;
    }
    println!("seed {seed}: {met:?}");
    if steps >= STEPS && seed == SEED {
        assert!(met.incidents > 1 && met.reviews > 2 && met.batches > 5 && met.delivered > 50, "{met:?}");
    }
}

/// How much of the country the walks have seen.
#[derive(Debug, Default)]
struct Met {
    runs: u64,
    delivered: u64,
    batches: u64,
    incidents: u32,
    reviews: usize,
}

impl Met {
    fn add(&mut self, walk: &Walk) {
        self.runs += walk.met.runs;
        self.delivered += walk.met.delivered;
        self.batches += walk.met.batches;
        self.incidents += walk.pool.incidents_seen;
        self.reviews += walk.met.reviews;
    }
}

struct Walk {
    app: TestApp,
    user: users::Model,
    rng: StdRng,
    seed: u64,
    pool: Pool,
    proxies: Vec<Option<Proxy>>,
    /// Keys that are unwell for so many more steps, each in its own way.
    unwell: Vec<(u32, Says)>,
    /// `[a][b]`: how often `a` was called since both were there.
    shares: Vec<Vec<i64>>,
    history: VecDeque<String>,
    met: Met,
}

impl Walk {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let pool_settings = json!({ "run_secs": RUN_SECS, "call_secs": 10 });
        let app = TestApp::with(Setup { keys: vec![], jobs: false, pool: pool_settings, ..Setup::default() }).await;
        app.sandbox.gemini().sketch(true);
        let mut pool = Pool::new(Utc::now());
        let mut proxies = vec![];
        for n in 1..=rng.random_range(3..=6) {
            let label = format!("sandbox-k{n}");
            let proxy = match rng.random_bool(0.25) {
                true => {
                    Some(Proxy::start(ProxyOptions { kind: ProxyKind::Socks5, auth: None, fault: None }).await.unwrap())
                }
                false => None,
            };
            let new = NewKey {
                provider: "gemini".into(),
                label: label.clone(),
                secret: label.clone().into(),
                proxy: proxy.as_ref().map(|proxy| NewProxy::Url(proxy.url().into())),
                max_concurrency: 4,
            };
            provider_keys::add(&app.ctx, new, &Actor::Cli).await.unwrap();
            pool.add(&label, 4, proxy.is_some());
            proxies.push(proxy);
        }
        let size = proxies.len();
        let user = app.rich("ada").await;
        // The first key has a long story already, so that a walk need not be long to see its end.
        let mut unwell = vec![(0, Says::Picture); size];
        unwell[0] = (25, Says::Broken(500));
        pool.keys[0].strikes = STRIKES_BEFORE;
        app.sql(&format!(
            "UPDATE provider_keys SET consecutive_failures = {STRIKES_BEFORE} WHERE label = 'sandbox-k1'"
        ))
        .await;
        Self {
            user,
            rng,
            seed,
            pool,
            proxies,
            unwell,
            shares: vec![vec![0; size]; size],
            history: VecDeque::new(),
            met: Met::default(),
            app,
        }
    }

    async fn step(&mut self) {
        self.time_passes().await;
        match self.rng.random_range(0..100) {
            0..8 => self.admin(true).await,
            8..12 => self.admin(false).await,
            12..20 => self.recover().await,
            20..23 => {
                // 16: nothing that matters was in memory.
                self.note("restart".into());
                self.app.reboot().await;
            }
            _ => {}
        }
        self.compare("before the run").await;
        self.plan();
        self.run().await;
        self.compare("after the run").await;
    }

    /// At least eleven seconds, so that no two runs belong to one burst of failures; and never so that a rest ends while
    /// a run goes on.
    async fn time_passes(&mut self) {
        let mut span = TimeDelta::seconds(match self.rng.random_range(0..100) {
            0..65 => 400,
            65..88 => 15,
            88..93 => 120,
            93..97 => 700,
            _ => 13 * 3600,
        });
        let now = Utc::now();
        let soon = |at: key::Time, span: TimeDelta| {
            let left = at - span - now;
            left > TimeDelta::seconds(-10) && left < TimeDelta::seconds(RUN_SECS + 10)
        };
        while self.pool.keys.iter().any(|key| {
            let ends =
                [key.until.map(|(_, until)| until), key.excluded, key.proxy.as_ref().and_then(|it| it.rest_until)];
            ends.into_iter().flatten().any(|at| soon(at, span))
        }) {
            span += TimeDelta::seconds(25);
        }
        self.note(format!("{} s pass", span.num_seconds()));
        self.pool.pass(span);
        self.pool.now = now;
        self.move_rows(span).await;
        // A key that has struck out and waits for its judgement would make the run wait as well.
        if self.pool.keys.iter().any(|key| key.is_rested(now) && key.strikes > 10) {
            self.recover().await;
        }
    }

    /// The moments of the rows, as far as anybody will still ask for them.
    async fn move_rows(&self, span: TimeDelta) {
        let app = &self.app;
        let recently = Utc::now() - TimeDelta::seconds(12);
        for (row, key) in provider_keys::list(&app.ctx.db).await.unwrap().iter().zip(&self.pool.keys) {
            let moments = [
                ("cooldown_until", row.cooldown_until),
                ("struck_at", row.struck_at.filter(|at| *at > recently)),
                ("succeeded_at", row.succeeded_at.filter(|at| *at > recently)),
            ];
            for (column, at) in moments {
                if let Some(at) = at {
                    app.set_time("provider_keys", column, at - span, &format!("id = {}", row.id)).await;
                }
            }
            let rows = [
                ("key_exclusions", "until", format!("provider_key_id = {}", row.id), key.excluded.is_some()),
                (
                    "proxies",
                    "rest_until",
                    format!("id = {}", row.proxy_id.unwrap_or_default()),
                    key.proxy.as_ref().is_some_and(|way| way.rest_until.is_some()),
                ),
            ];
            for (table, column, row, _) in rows.iter().filter(|(.., is_there)| *is_there) {
                let at = app.time(&format!("SELECT {column} FROM {table} WHERE {row}")).await;
                app.set_time(table, column, at - span, row).await;
            }
        }
    }

    async fn recover(&mut self) {
        self.note("the scheduled task".into());
        self.pool.now = Utc::now();
        self.pool.recover();
        health::recover_cooled(&self.app.ctx).await.unwrap();
    }

    async fn admin(&mut self, on: bool) {
        let at = self.rng.random_range(0..self.pool.keys.len());
        let key = self.app.key(&self.pool.keys[at].label).await;
        self.note(format!("{} k{}", if on { "activate" } else { "disable" }, at + 1));
        if on {
            self.pool.keys[at].activate();
            activation::activate(&self.app.ctx, key.id, true, "a walk", &Actor::Cli).await.unwrap();
        } else {
            self.pool.keys[at].disable();
            activation::disable(&self.app.ctx, key.id, "a walk", &Actor::Cli).await.unwrap();
        }
    }
}
