//! The pool under everything at once: several processes that are killed and stopped at random, keys of every temper, and
//! an observer that looks all the time. `POOL_KILLS=…` plays a longer one, in which those who stand still really do so for
//! longer than their leases last.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    provider_keys::{self, Addition, NewKey, NewProxy},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sandbox::{Fault, Proxy, ProxyFault, ProxyKind, ProxyOptions};
use tokio::time::{Instant, sleep, timeout};

use super::watch::{Watch, is_accounted_for};
use crate::support::{Process, Setup, TestApp};

const SEED: u64 = 20_261_124;
const KILLS: usize = 34;
const PROCESSES: usize = 3;
/// Enough that every process has its hands full whenever it dies.
const RUNS_LIVE: i64 = 44;
/// Two seconds of rest, so that many rests fit into the time.
const SETTINGS: [(&str, &str); 2] = [("POOL_COOLDOWN_SECS", "2"), ("POOL_CALL_SECS", "5")];
/// After this the vendor has noticed that a caller is dead, or has answered one that stands still.
const VENDOR_KNOWS: Duration = Duration::from_millis(2_500);
/// Longer than any lease.
const LONG_STOP: Duration = Duration::from_secs(50);

/// It must show, F32 and F44, invariants 2, 4, 5, 8, 14 and 16: at no moment more leases on a key than it carries, nor two
/// calls for one picture; no rest is cut short, no key sent to a person while it works; in the end every run is settled,
/// every call accounted for, every picture paid once, and the books prove themselves.
#[tokio::test(flavor = "multi_thread")]
async fn keys_outlive_their_processes() {
    let kills: usize = std::env::var("POOL_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(KILLS);
    let app = TestApp::with(Setup { keys: vec![], jobs: false, ..Setup::default() }).await;
    let proxy = Proxy::start(ProxyOptions { kind: ProxyKind::Socks5, auth: None, fault: None }).await.unwrap();
    let caps = keys(&app, &proxy).await;
    app.sandbox.gemini().sketch(true);
    let (watch, is_calm, is_over) = (Watch::default(), AtomicBool::new(false), AtomicBool::new(false));

    let chaos = async {
        let mut storm = Storm::new(&app, &watch, kills);
        storm.rages().await;
        is_calm.store(true, Ordering::SeqCst);
        storm.ends().await;
        is_over.store(true, Ordering::SeqCst);
    };
    let weather = weather(&app, &proxy, &is_calm);
    tokio::join!(chaos, weather, people(&app, &is_calm), watch.look(&app, &is_over));

    watch.found_nothing(&caps);
    is_accounted_for(&app).await;
    let proof = app.nproxy(&["task", "ledger_check"]).await;
    assert_eq!(proof.code, Some(0), "{}", proof.said());
    app.finish().await;
}

/// Keys of every temper, and how many calls each carries.
async fn keys(app: &TestApp, proxy: &Proxy) -> Vec<(&'static str, i32)> {
    let good = [("sandbox-good", 2), ("sandbox-better", 3), ("sandbox-slow", 2)];
    let poor = [("sandbox-flaky", 3), ("sandbox-dead", 4), ("sandbox-limited", 2), ("sandbox-proxied", 2)];
    let caps: Vec<_> = good.into_iter().chain(poor).collect();
    for (label, cap) in &caps {
        let new = NewKey {
            provider: "gemini".into(),
            label: (*label).into(),
            secret: (*label).to_owned().into(),
            proxy: (*label == "sandbox-proxied").then(|| NewProxy::Url(proxy.url().into())),
            max_concurrency: i64::from(*cap),
        };
        assert!(matches!(provider_keys::add(&app.ctx, new, &Actor::Cli).await.unwrap(), Addition::Added(_)));
    }
    caps
}

/// The tempers: three calls of ten fail, none works, too many, too slow, and a proxy that drops every third connection.
async fn weather(app: &TestApp, proxy: &Proxy, is_calm: &AtomicBool) {
    let gemini = app.sandbox.gemini();
    let mut rng = StdRng::seed_from_u64(SEED + 1);
    gemini.fault("sandbox-dead", Fault::Status { code: 503 });
    gemini.fault("sandbox-slow", Fault::Latency { ms: 1_200 });
    while !is_calm.load(Ordering::SeqCst) {
        gemini.latency(Duration::from_millis(rng.random_range(50..400)));
        match rng.random_bool(0.3) {
            true => gemini.fault("sandbox-flaky", Fault::Status { code: 500 }),
            false => gemini.heal("sandbox-flaky"),
        }
        match rng.random_bool(0.3) {
            true => gemini.fault("sandbox-limited", Fault::RateLimited { retry_after_s: Some(3) }),
            false => gemini.heal("sandbox-limited"),
        }
        proxy.fail(rng.random_bool(0.33).then_some(ProxyFault::Drop));
        sleep(Duration::from_millis(100)).await;
    }
    gemini.heal("sandbox-flaky");
    gemini.heal("sandbox-limited");
    proxy.fail(None);
}

/// Four people who always want something. Every prompt is a new one, so that the vendor's log tells which run a call was
/// for, and says how many pictures it may be for.
async fn people(app: &TestApp, is_calm: &AtomicBool) {
    let mut rng = StdRng::seed_from_u64(SEED + 2);
    let mut everybody = vec![];
    for name in ["ada", "bo", "cy", "eve"] {
        everybody.push(app.rich(name).await);
    }
    for (number, person) in everybody.iter().cycle().enumerate() {
        while app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await >= RUNS_LIVE {
            sleep(Duration::from_millis(30)).await;
        }
        if is_calm.load(Ordering::SeqCst) {
            return;
        }
        let pictures = if rng.random_bool(0.2) { rng.random_range(2..=4) } else { 1 };
        app.wish(person, &format!("boat {number} x{pictures}"), pictures).await;
    }
}

/// Processes that come and go.
struct Storm<'a> {
    app: &'a TestApp,
    watch: &'a Watch,
    rng: StdRng,
    kills: usize,
    at_work: Vec<Process>,
    /// Since when they stand still, and whether what they hold has run out.
    frozen: Vec<(Process, Instant, bool)>,
    /// By their ids, since when.
    dead: Vec<(u32, Instant)>,
    stops: usize,
}

impl<'a> Storm<'a> {
    fn new(app: &'a TestApp, watch: &'a Watch, kills: usize) -> Self {
        let rng = StdRng::seed_from_u64(SEED);
        Self { app, watch, rng, kills, at_work: vec![], frozen: vec![], dead: vec![], stops: 0 }
    }

    async fn rages(&mut self) {
        let (began, mut killed) = (Instant::now(), 0);
        while killed < self.kills {
            while self.at_work.len() < PROCESSES {
                let start = if self.rng.random_bool(0.4) { Process::all } else { Process::worker };
                self.at_work.push(start(self.app, &SETTINGS));
            }
            sleep(Duration::from_millis(self.rng.random_range(300..900))).await;
            let at = self.rng.random_range(0..self.at_work.len());
            let process = self.at_work.swap_remove(at);
            if self.frozen.is_empty() && self.rng.random_bool(0.2) {
                self.freeze(process).await;
            } else {
                self.dead.push((process.pid, Instant::now()));
                process.kill().await;
                killed += 1;
            }
            self.time_passes().await;
        }
        println!("{killed} killed, {} stopped for longer than their leases, in {:?}", self.stops, began.elapsed());
    }

    /// Whoever stands still in the middle of a transaction stops everybody, which is another story.
    async fn freeze(&mut self, process: Process) {
        process.freeze();
        let write = self.app.sql("UPDATE provider_keys SET label = label");
        if timeout(Duration::from_secs(1), write).await.is_ok() {
            self.frozen.push((process, Instant::now(), false));
        } else {
            self.watch.thaws();
            process.thaw();
            self.at_work.push(process);
        }
    }

    /// Leases last longer than this test. What the dead held runs out after a while, or only at the end; what somebody holds who stands still runs out before he moves again.
    async fn time_passes(&mut self) {
        for (pid, since) in std::mem::take(&mut self.dead) {
            if since.elapsed() > VENDOR_KNOWS && self.rng.random_bool(0.7) {
                self.runs_out(pid).await;
            } else {
                self.dead.push((pid, since));
            }
        }
        let is_long = self.kills > KILLS;
        for (process, since, has_run_out) in std::mem::take(&mut self.frozen) {
            if is_long && since.elapsed() < LONG_STOP || since.elapsed() < VENDOR_KNOWS {
                self.frozen.push((process, since, false));
            } else if is_long || has_run_out && since.elapsed() > 2 * VENDOR_KNOWS {
                self.watch.thaws();
                process.thaw();
                self.stops += 1;
                self.at_work.push(process);
            } else {
                let pid = process.pid;
                let has_run_out = has_run_out || timeout(Duration::from_secs(1), self.runs_out(pid)).await.is_ok();
                self.frozen.push((process, since, has_run_out));
            }
        }
    }

    /// The leases of one process are over.
    async fn runs_out(&self, pid: u32) {
        let mine = format!("class = 'FulfilRun' AND state = 'running' AND lease_owner LIKE '%:{pid}:%'");
        let past = Utc::now() - TimeDelta::seconds(1);
        for args in self.app.texts(&format!("SELECT args FROM jobs WHERE {mine}")).await {
            let args: serde_json::Value = serde_json::from_str(&args).unwrap();
            self.app.set_time("key_leases", "expires_at", past, &format!("run_id = {}", args["run"])).await;
        }
        self.app.set_time("jobs", "lease_expires_at", past, &mine).await;
    }

    /// The last ones die as well, their time runs out, and two new processes find everything that was left.
    async fn ends(&mut self) {
        for (process, ..) in std::mem::take(&mut self.frozen) {
            self.watch.thaws();
            process.thaw();
            self.at_work.push(process);
        }
        for process in std::mem::take(&mut self.at_work) {
            process.kill().await;
        }
        sleep(VENDOR_KNOWS).await;
        let left = self.app.count("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await;
        let past = Utc::now() - TimeDelta::seconds(1);
        self.app.set_time("key_leases", "expires_at", past, "id > 0").await;
        self.app.set_time("jobs", "lease_expires_at", past, "state = 'running'").await;
        // Whose job has died too often is given a new one.
        let early = Utc::now() - TimeDelta::seconds(100);
        self.app.set_time("runs", "created_at", early, "finished_at IS NULL").await;
        // However long the storm took on a busy machine: their own time is not what this is about.
        let late = Utc::now() + TimeDelta::seconds(180);
        self.app.set_time("runs", "deadline_at", late, "finished_at IS NULL").await;
        self.app.task("stuck_run_recovery", &[]).await.unwrap();
        let heirs = [Process::all(self.app, &SETTINGS), Process::worker(self.app, &SETTINGS)];
        self.app.runs_over().await;
        for heir in heirs {
            heir.stop().await;
        }
        println!("{left} runs were left, and are settled");
    }
}
