//! A long random life of the pool, one run at a time, compared after every step with a model that was written from the
//! rules. `POOL_SEED=…` plays another one, `POOL_STEPS=…` a longer one.

mod model;

use std::{collections::VecDeque, fmt::Write, time::Duration};

use chrono::{TimeDelta, Utc};
use nproxy::{
    context::Nproxy,
    models::{
        activities::Actor,
        attempts,
        provider_keys::{self, NewKey, NewProxy, activation, health},
        runs, users,
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sandbox::{Proxy, ProxyFault, ProxyKind, ProxyOptions};
use serde_json::json;

use self::model::{Ending, Pool, Says, Story};
use crate::support::{Setup, TestApp};

const SEED: u64 = 20_261_124;
const STEPS: u64 = 110;
const WALKS: u64 = 3;
const RUN_SECS: i64 = 30;
const LAST_STEPS: usize = 12;

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
        assert!(met.incidents > 2 && met.reviews > 2 && met.batches > 5 && met.delivered > 50, "{met:?}");
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
        for n in 1..=rng.random_range(2..=6) {
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
        Self {
            user,
            rng,
            seed,
            pool,
            proxies,
            unwell: vec![(0, Says::Picture); size],
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
            0..50 => 400,
            50..80 => 15,
            80..92 => 120,
            92..97 => 700,
            _ => 13 * 3600,
        });
        let now = Utc::now();
        let soon = |at: model::Time, span: TimeDelta| {
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
        let app = &self.app;
        for key in provider_keys::list(&app.ctx.db).await.unwrap() {
            let moments = [
                ("cooldown_until", key.cooldown_until),
                ("struck_at", key.struck_at),
                ("succeeded_at", key.succeeded_at),
            ];
            for (column, at) in moments {
                if let Some(at) = at {
                    app.set_time("provider_keys", column, at - span, &format!("id = {}", key.id)).await;
                }
            }
            for (table, column, id, of) in [
                ("key_exclusions", "until", "provider_key_id", Some(key.id)),
                ("proxies", "rest_until", "id", key.proxy_id),
            ] {
                let row = format!("{id} = {} AND {column} IS NOT NULL", of.unwrap_or_default());
                if app.count(&format!("SELECT COUNT(*) FROM {table} WHERE {row}")).await == 1 {
                    let at = app.time(&format!("SELECT {column} FROM {table} WHERE {row}")).await;
                    app.set_time(table, column, at - span, &row).await;
                }
            }
        }
        // A key that has struck out and waits for its judgement would make the run wait as well.
        if self.pool.keys.iter().any(|key| key.is_rested(now) && key.strikes > 10) {
            self.recover().await;
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
            activation::activate(&self.app.ctx, key.id, true, &Actor::Cli).await.unwrap();
        } else {
            self.pool.keys[at].disable();
            activation::disable(&self.app.ctx, key.id, &Actor::Cli).await.unwrap();
        }
    }

    /// What every key will say when it is called next.
    fn plan(&mut self) {
        let outage = self.rng.random_bool(0.05);
        for at in 0..self.pool.keys.len() {
            if self.unwell[at].0 == 0 && self.rng.random_bool(0.06) {
                self.unwell[at] = (self.rng.random_range(5..25), self.strike());
            }
            let says = match self.rng.random_range(0..100) {
                _ if outage => Says::Broken(503),
                0..90 if self.unwell[at].0 > 0 => self.unwell[at].1,
                0..12 => self.anything(),
                _ => Says::Picture,
            };
            self.unwell[at].0 = self.unwell[at].0.saturating_sub(1);
            let is_down = self.proxies[at].is_some() && self.rng.random_bool(0.4);
            if let (Some(way), Some(proxy)) = (&mut self.pool.keys[at].proxy, &self.proxies[at]) {
                way.is_down = is_down;
                proxy.fail(is_down.then_some(ProxyFault::Drop));
            }
            self.pool.keys[at].says = says;
        }
        let gemini = self.app.sandbox.gemini();
        gemini.heal_all();
        for key in &self.pool.keys {
            if let Some(fault) = key.says.fault() {
                gemini.fault_times(&key.label, fault, 1);
            }
        }
    }

    fn strike(&mut self) -> Says {
        [Says::Broken(500), Says::Broken(503), Says::NoPicture][self.rng.random_range(0..3)]
    }

    fn anything(&mut self) -> Says {
        let all = [
            Says::Broken(500),
            Says::Garbage,
            Says::NoPicture,
            Says::Limited(None),
            Says::Limited(Some(600)),
            Says::Limited(Some(100)),
            Says::Unauthenticated,
            Says::NoFunds,
            Says::ModelGone,
            Says::Words,
            Says::RefusedPrompt,
            Says::RefusedOutput,
            Says::BadRequest,
        ];
        all[self.rng.random_range(0..all.len())]
    }

    async fn run(&mut self) {
        let batch = self.batch();
        let says: Vec<_> = self.pool.keys.iter().map(|key| key.says).collect();
        let down: Vec<_> = self.pool.keys.iter().map(|key| key.proxy.as_ref().is_some_and(|it| it.is_down)).collect();
        let eligible: Vec<_> = (0..says.len()).map(|k| self.pool.is_eligible(k)).collect();
        self.note(format!("run of {batch}; keys say {says:?}; proxies down {down:?}; eligible {eligible:?}"));
        let was_open = self.pool.incident.is_some();
        let (began, posted) = (Utc::now(), self.posted().await);
        self.pool.now = began;
        let (mut tried, mut stories) = (vec![], vec![]);
        for _ in 0..batch {
            stories.push(self.pool.place(if batch == 1 {
                tried.clear();
                &mut tried
            } else {
                &mut tried
            }));
        }
        let has_incident = was_open || self.pool.incident.is_some();
        let run = self.fulfil(batch, has_incident).await;

        let calls: Vec<(usize, String, String)> = attempts::of_run(&self.app.ctx.db, run.id)
            .await
            .unwrap()
            .into_iter()
            .map(|call| (usize::try_from(call.provider_key_id - 1).unwrap(), call.via, call.outcome))
            .collect();
        self.note(format!("calls {calls:?}, {} {:?}", run.state, run.failure));
        self.is_right(&stories, &calls, &run);
        self.is_fair(&stories, &eligible);
        // 14: the person pays for pictures, whatever it took to get them.
        let paid = posted - self.posted().await;
        assert_eq!(paid, run.outputs_delivered, "{}", self.told());
        if batch > 1 {
            self.order_again().await;
        }
        self.met.runs += 1;
        self.met.batches += u64::from(batch > 1);
        self.met.delivered += u64::from(run.outputs_delivered > 0);
    }

    /// Several places work at the same time, so what they do can be told only if no two of them want the same key and
    /// nothing depends on who is first.
    fn batch(&mut self) -> usize {
        let wanted = if self.rng.random_bool(0.3) { self.rng.random_range(2..=4) } else { 1 };
        let strikes: Vec<_> = self.pool.keys.iter().filter(|key| key.says.is_strike()).collect();
        let is_calm = self.pool.incident.is_none()
            && strikes.len() <= 1
            && strikes.iter().all(|key| key.strikes < 10)
            && self.pool.keys.iter().all(|key| key.says != Says::Words && key.proxy.is_none());
        if wanted == 1 || !is_calm {
            return 1;
        }
        let mut rehearsal = self.pool.clone();
        let mut tried = vec![];
        let is_enough = (0..wanted).all(|_| rehearsal.place(&mut tried).ending != Ending::Failed("unavailable"));
        if is_enough { wanted } else { 1 }
    }

    async fn fulfil(&mut self, batch: usize, has_incident: bool) -> runs::Model {
        let app = &self.app;
        let run = app.wish(&self.user, "a boat", batch).await;
        // The seconds between the probes of an incident go by at once.
        let hurry = async {
            loop {
                let at = Utc::now() - TimeDelta::seconds(5);
                app.set_time("incidents", "probed_at", at, "closed_at IS NULL").await;
                app.ctx.parts().key_freed().notify_one();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            done = runs::fulfil(&app.ctx, run) => done.unwrap(),
            () = hurry, if has_incident => {}
        }
        runs::by_id(&app.ctx.db, run).await.unwrap().unwrap()
    }

    fn is_right(&self, stories: &[Story], calls: &[(usize, String, String)], run: &runs::Model) {
        let mut expected: Vec<_> = stories.iter().flat_map(|story| story.calls.clone()).collect();
        let mut found: Vec<_> =
            calls.iter().map(|(key, via, outcome)| (*key, via.as_str(), outcome.as_str())).collect();
        if stories.len() > 1 {
            expected.sort_unstable();
            found.sort_unstable();
        }
        assert_eq!(found, expected, "the calls{}", self.told());
        let delivered = stories.iter().filter(|story| story.ending == Ending::Delivered).count();
        assert_eq!(run.outputs_delivered, delivered as i64, "{}", self.told());
        match &run.failure {
            None => assert!(delivered > 0, "{}", self.told()),
            Some(reason) => {
                let fits = stories.iter().any(|story| matches!(story.ending, Ending::Failed(why) if why == reason));
                assert!(delivered == 0 && fits, "{stories:?}{}", self.told());
            }
        }
    }

    /// 9: of two keys that are both there, neither has two turns before the other has one.
    fn is_fair(&mut self, stories: &[Story], eligible: &[bool]) {
        let size = eligible.len();
        for (a, b) in (0..size).flat_map(|a| (0..size).map(move |b| (a, b))) {
            if !(eligible[a] && eligible[b]) {
                self.shares[a][b] = 0;
            }
        }
        for a in stories.iter().flat_map(|story| &story.turns) {
            for b in (0..size).filter(|b| b != a && eligible[*b] && eligible[*a]) {
                self.shares[*a][b] += 1;
                let ahead = self.shares[*a][b] - self.shares[b][*a];
                assert!(ahead <= 1, "k{} is {ahead} calls ahead of k{}{}", a + 1, b + 1, self.told());
            }
        }
        for (a, b) in (0..size).flat_map(|a| (0..size).map(move |b| (a, b))) {
            if !(self.pool.is_eligible(a) && self.pool.is_eligible(b)) {
                self.shares[a][b] = 0;
            }
        }
    }

    /// In which order the places of a batch came to their keys is theirs to decide.
    async fn order_again(&mut self) {
        let mut rows: Vec<_> = provider_keys::list(&self.app.ctx.db).await.unwrap();
        rows.sort_by_key(|key| (key.turn, key.id));
        let used: Vec<_> = self.pool.keys.iter().map(|key| key.turn).collect();
        let mut turns = used;
        turns.sort_unstable();
        for (row, turn) in rows.iter().zip(turns) {
            self.pool.keys[usize::try_from(row.id - 1).unwrap()].turn = turn;
        }
    }

    async fn compare(&mut self, when: &str) {
        let now = Utc::now();
        let rows = provider_keys::list(&self.app.ctx.db).await.unwrap();
        for (row, at) in rows.iter().zip(0..) {
            let key = &self.pool.keys[at];
            let found = (row.state.as_str(), row.consecutive_failures, row.ramp, row.epoch, row.incident_id.is_some());
            let expected = (key.state, key.strikes, key.ramp, key.epoch, key.in_incident);
            assert_eq!(found, expected, "k{} {when} (state, strikes, ramp, epoch, incident){}", at + 1, self.told());
            assert_eq!(row.cooldown_until.is_some(), key.until.is_some(), "k{} {when}{}", at + 1, self.told());
            if let (Some(found), Some((from, to))) = (row.cooldown_until, key.until) {
                let late = now - self.pool.now + TimeDelta::seconds(1);
                let fits = (from - TimeDelta::microseconds(1)..=to + late).contains(&found);
                assert!(fits, "k{} rests until {found}, not {from} to {to} {when}{}", at + 1, self.told());
                self.pool.keys[at].until = Some((found, found));
                if self.pool.keys[at].state != "cooldown" {
                    panic!("a rest without its state{}", self.told());
                }
            }
            if let (Some(way), Some(proxy)) = (&self.pool.keys[at].proxy, row.proxy_id) {
                let sql = format!("SELECT consecutive_failures FROM proxies WHERE id = {proxy}");
                let (found, expected) = (self.app.count(&sql).await, way.faults);
                assert_eq!(found, expected, "faults of the proxy of k{} {when}{}", at + 1, self.told());
            }
        }
        let order = |turns: Vec<(i128, usize)>| {
            let mut turns = turns;
            turns.sort_unstable();
            turns.into_iter().map(|(_, at)| at + 1).collect::<Vec<_>>()
        };
        let found = order(rows.iter().zip(0..).map(|(row, at)| (i128::from(row.turn), at)).collect());
        let expected = order(self.pool.keys.iter().zip(0..).map(|(key, at)| (i128::from(key.turn), at)).collect());
        assert_eq!(found, expected, "the order of turns {when}{}", self.told());
        let open = self.app.count("SELECT COUNT(*) FROM incidents WHERE closed_at IS NULL").await;
        assert_eq!(open == 1, self.pool.incident.is_some(), "an incident is open {when}{}", self.told());
        self.met.reviews +=
            usize::from(rows.iter().any(|key| key.consecutive_failures > 10 && key.state == "manual_review"));
    }

    async fn posted(&self) -> i64 {
        self.app.count("SELECT CAST(SUM(posted) AS BIGINT) FROM allowances").await
    }

    fn note(&mut self, what: String) {
        if self.history.len() == LAST_STEPS * 3 {
            self.history.pop_front();
        }
        self.history.push_back(what);
    }

    fn told(&self) -> String {
        let mut told = format!("\nPOOL_SEED={}, the last steps:", self.seed);
        for line in &self.history {
            write!(told, "\n  {line}").unwrap();
        }
        told
    }
}
