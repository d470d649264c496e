//! A thousand jobs, two hundred kills.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use super::{
    evidence::{Absence, NOT_PARKED, findings, hits, ids, prepare, rescues},
    fleet::{Deaths, Fleet},
    worker::{Orders, Role},
};
use crate::support::{Bench, bench};

const WORKERS: usize = 4;
/// Jobs ahead of the kills, so that there is always something to do.
const AHEAD: usize = 40;
/// From the death of a worker to the next attempt of its job. With the shipped times see `rescue.rs`.
const LATEST_RESCUE: i64 = 45_000;

/// How much of it.
#[derive(Debug)]
pub struct Chaos {
    seed: u64,
    jobs: usize,
    kills: usize,
    /// Hints go through this Redis, which is flushed meanwhile.
    redis: Option<String>,
}

#[derive(Debug)]
pub struct Outcome {
    pub findings: Vec<String>,
    deaths: Deaths,
    /// Kills of a process that held a job.
    hits: usize,
    rescues: usize,
    /// Rescues from a living process, which a busy machine kept from its heartbeat for a whole lease.
    starved: usize,
    #[expect(dead_code, reason = "printed")]
    slowest_rescue_ms: i64,
}

impl Chaos {
    /// Five jobs per kill; `JOBS_KILLS` and `JOBS_SEED` say otherwise.
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
        let kills = number("JOBS_KILLS").unwrap_or(200) as usize;
        Self { seed: number("JOBS_SEED").unwrap_or_else(rand::random), jobs: kills * 5, kills, redis: None }
    }

    /// A quarter of it, through this Redis.
    pub fn through(redis: String) -> Self {
        let whole = Self::from_environment();
        Self { jobs: whole.jobs / 4, kills: whole.kills / 4, redis: Some(redis), ..whole }
    }

    pub async fn unleash(&self, bench: &Bench) -> Outcome {
        prepare(bench).await;
        let mut rng = StdRng::seed_from_u64(self.seed);
        let worker = Orders { redis: self.redis.clone(), ..Orders::worker(&bench.url) };
        let submitter = Orders { role: Role::Submitter, ..worker.clone() };
        let workers = std::iter::repeat_n(worker.clone(), WORKERS);
        let mut fleet = Fleet::start([submitter].into_iter().chain(workers));
        let mut kills: Vec<Absence> = Vec::new();
        while kills.len() < self.kills {
            let goal = (self.jobs * (kills.len() + 1) / self.kills + AHEAD).min(self.jobs);
            bench.sql(&format!("UPDATE goal SET n = {goal}")).await;
            sleep(Duration::from_millis(rng.random_range(0..160))).await;
            fleet.look_after();
            self.flush(kills.len()).await;
            let which = rng.random_range(1..fleet.processes.len());
            match rng.random_range(0..100) {
                0..10 => kills.push(fleet.kill(0)), // the submitter
                10..15 => fleet.ask_to_stop(which),
                15..24 => fleet.freeze(bench, which).await,
                _ => kills.push(fleet.kill(which)),
            }
        }
        let hits = hits(&bench.db, &kills).await.unwrap();
        self.settle(bench, &mut fleet).await;

        let mut wrong = parked(bench).await;
        let (mut absences, deaths) = fleet.dismiss().await;
        // The next release. Had the old one stayed, it would take them and park them again.
        bench.sql("UPDATE jobs SET run_at = created_at WHERE last_error = 'unknown class'").await;
        let mut fleet = Fleet::start([Orders { next_release: true, ..worker }]);
        let left = "SELECT COUNT(*) AS n FROM jobs WHERE state IN ('queued', 'running')";
        fleet.until(async || bench.number(left).await == 0, Duration::from_secs(60)).await;
        absences.extend(fleet.dismiss().await.0);

        wrong.extend(findings(&bench.db).await);
        let rescues = rescues(&bench.db, &absences).await.unwrap();
        let starved = rescues.iter().filter(|rescue| rescue.after.is_none()).count();
        let slowest_rescue = rescues.iter().filter_map(|rescue| rescue.after).max().unwrap_or(0);
        if slowest_rescue > LATEST_RESCUE {
            wrong.push(format!("a rescue took {slowest_rescue} ms"));
        }
        Outcome { findings: wrong, deaths, hits, rescues: rescues.len(), starved, slowest_rescue_ms: slowest_rescue }
    }

    /// Every tenth time.
    async fn flush(&self, time: usize) {
        let Some(url) = self.redis.as_ref().filter(|_| time.is_multiple_of(10)) else { return };
        let redis = redis::Client::open(url.as_str()).unwrap().get_multiplexed_async_connection().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut redis.unwrap()).await.unwrap();
    }

    /// Everything asked for is there, and nothing is left to do but what nobody knows.
    async fn settle(&self, bench: &Bench, fleet: &mut Fleet) {
        let submitted = async || bench.number("SELECT COUNT(*) AS n FROM targets").await >= self.jobs as i64;
        fleet.until(submitted, Duration::from_secs(60)).await;
        let left = "SELECT COUNT(*) AS n FROM jobs WHERE state = 'running' \
                    OR (state = 'queued' AND COALESCE(last_error, '') <> 'unknown class')";
        fleet.until(async || bench.number(left).await == 0, Duration::from_secs(120)).await;
    }
}

async fn parked(bench: &Bench) -> Vec<String> {
    let not_parked = ids(&bench.db, NOT_PARKED).await.unwrap();
    if not_parked.is_empty() { Vec::new() } else { vec![format!("an unknown class is not parked: {not_parked:?}")] }
}

/// Nothing is lost, nothing is done twice, whatever dies and whenever.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_done_twice_by_hundreds_of_kills() {
    bench(async |bench| {
        let chaos = Chaos::from_environment();
        println!("{chaos:?}; again with JOBS_SEED={}", chaos.seed);
        let began = Instant::now();
        let outcome = chaos.unleash(bench).await;
        println!("{outcome:?} in {:?}", began.elapsed());
        assert_eq!(outcome.findings, Vec::<String>::new());
        assert!(outcome.starved * 10 <= outcome.rescues, "{} living processes lost a job", outcome.starved);
        // It was what it says it was.
        assert!(outcome.deaths.kills >= chaos.kills);
        assert!(outcome.hits * 10 > chaos.kills, "{} kills hit a process that held a job", outcome.hits);
        let rolled_back = bench.number("SELECT rolled_back AS n FROM goal").await;
        assert!(rolled_back as usize * 50 > chaos.jobs, "{rolled_back} rolled back");
        if chaos.jobs >= 1_000 {
            for kind in ["plain", "fails", "panics", "aborts_once", "hopeless", "aborts", "malformed", "unknown"] {
                let some = format!("SELECT COUNT(*) AS n FROM targets WHERE kind = '{kind}'");
                assert!(bench.number(&some).await > 0, "none of {kind}");
            }
        }
        if !bench.is_postgres() {
            assert_eq!(bench.text("PRAGMA integrity_check").await, "ok");
        }
    })
    .await;
}
