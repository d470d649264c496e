//! What happens to those who serve.

use std::{sync::atomic::Ordering, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::{Instant, sleep, timeout};

use super::{VENDOR_KNOWS, World};
use crate::support::{Postgres, Process, is_postgres, redis::Redis};

const WEBS: usize = 2;
const WORKERS: usize = 3;
/// Wishes ahead of the deeds, so that there is always something to do.
const AHEAD: usize = 24;
/// Longer than any lease.
const LONG_STOP: Duration = Duration::from_secs(50);
const SHORT_STOP: Duration = Duration::from_secs(6);

#[derive(Debug, Clone, Copy)]
enum Deed {
    Kill,
    Freeze,
    EmptyRedis,
    KillRedis,
    KillPostgres,
}

pub struct Storm<'a> {
    world: &'a World,
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    rng: StdRng,
    webs: Vec<Process>,
    workers: Vec<Process>,
    /// Since when, and whether what it holds has run out.
    frozen: Option<(Process, Instant, bool)>,
    /// By their ids, since when.
    dead: Vec<(u32, Instant)>,
}

impl<'a> Storm<'a> {
    pub fn new(world: &'a World, postgres: Option<Postgres>, redis: Option<Redis>) -> Self {
        let rng = StdRng::seed_from_u64(world.scale.seed);
        Self { world, postgres, redis, rng, webs: vec![], workers: vec![], frozen: None, dead: vec![] }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let redis = self.redis.as_ref().map(Redis::url).unwrap_or_default();
        vec![("REDIS_URL", redis), ("POOL_COOLDOWN_SECS", "2".to_owned()), ("POOL_CALL_SECS", "5".to_owned())]
    }

    /// Everybody who should be there. Who begins while the database is away gives up, and is begun again, as a server does
    /// it.
    fn man(&mut self) {
        for all in [&mut self.webs, &mut self.workers] {
            all.retain_mut(Process::is_alive);
        }
        let settings = self.settings();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        while self.webs.len() < WEBS {
            self.webs.push(Process::web(&self.world.app, &settings));
        }
        while self.workers.len() < WORKERS {
            self.workers.push(Process::worker(&self.world.app, &settings));
        }
        *self.world.addresses.lock().unwrap() = self.webs.iter().map(|web| web.url.clone()).collect();
    }

    /// Where somebody answers.
    pub async fn first_web(&mut self) -> String {
        self.man();
        self.webs[0].is_up().await;
        self.webs[0].url.clone()
    }

    /// In an order that the seed decides.
    fn deeds(&mut self) -> Vec<Deed> {
        let kills = self.world.scale.kills;
        let mut deeds = vec![Deed::Kill; kills];
        deeds.extend(vec![Deed::Freeze; kills / 30 + 1]);
        if self.redis.is_some() {
            deeds.extend(vec![Deed::EmptyRedis; kills / 40 + 1]);
            deeds.extend(vec![Deed::KillRedis; kills / 200 + 1]);
        }
        if self.postgres.is_some() {
            deeds.extend(vec![Deed::KillPostgres; kills / 200 + 1]);
        }
        deeds.shuffle(&mut self.rng);
        deeds
    }

    pub async fn rages(&mut self) {
        let (deeds, wishes) = (self.deeds(), self.world.scale.wishes);
        for (at, deed) in deeds.iter().enumerate() {
            self.world.goal.store((wishes * (at + 1) / deeds.len() + AHEAD).min(wishes), Ordering::SeqCst);
            // Spread over all wishes: each finds somebody at work.
            self.man();
            while self.world.asked.load(Ordering::SeqCst) < wishes * at / deeds.len() {
                sleep(Duration::from_millis(20)).await;
                self.man();
            }
            sleep(Duration::from_millis(self.rng.random_range(0..500))).await;
            self.happens(*deed).await;
            self.time_passes().await;
        }
        self.man();
        self.world.goal.store(wishes, Ordering::SeqCst);
        // One that is still on its way would take what somebody else is about to spend.
        while self.world.answered.load(Ordering::SeqCst) < wishes {
            sleep(Duration::from_millis(50)).await;
            self.man();
        }
        if let Some((process, ..)) = self.frozen.take() {
            process.thaw();
            self.workers.push(process);
        }
        println!("{} killed, of {} deeds", self.world.scale.kills, deeds.len());
        self.world.is_calm.store(true, Ordering::SeqCst);
    }

    async fn happens(&mut self, deed: Deed) {
        match deed {
            Deed::Kill => {
                let of = if self.rng.random_bool(0.3) { &mut self.webs } else { &mut self.workers };
                let mut process = of.swap_remove(self.rng.random_range(0..of.len()));
                // Now and then somebody dies while he is still getting up.
                if self.rng.random_bool(0.9) {
                    while process.is_alive() && !process.answers().await {
                        sleep(Duration::from_millis(50)).await;
                    }
                }
                self.dead.push((process.pid, Instant::now()));
                if process.is_alive() {
                    process.kill().await;
                }
            }
            Deed::Freeze => self.freeze().await,
            Deed::EmptyRedis => drop(self.redis.as_ref().unwrap().ask("FLUSHALL").await),
            Deed::KillRedis => {
                let redis = self.redis.as_mut().unwrap();
                redis.dies().await;
                sleep(Duration::from_millis(self.rng.random_range(500..3_000))).await;
                redis.again().await;
            }
            Deed::KillPostgres => {
                let postgres = self.postgres.as_mut().unwrap();
                postgres.dies().await;
                sleep(Duration::from_millis(self.rng.random_range(0..1_500))).await;
                postgres.again().await;
            }
        }
    }

    /// Whoever stands still in the middle of a transaction on `SQLite` stops everybody, which is another story.
    async fn freeze(&mut self) {
        if self.frozen.is_some() {
            return;
        }
        let mut process = self.workers.swap_remove(0);
        while process.is_alive() && !process.answers().await {
            sleep(Duration::from_millis(50)).await;
        }
        if !process.is_alive() {
            return;
        }
        process.freeze();
        let write = self.world.app.sql("UPDATE provider_keys SET label = label");
        if is_postgres() || timeout(Duration::from_secs(1), write).await.is_ok() {
            self.frozen = Some((process, Instant::now(), false));
        } else {
            process.thaw();
            self.workers.push(process);
        }
    }

    /// In the short form nobody waits for leases: what the dead held runs out after a while, and what somebody holds who
    /// stands still runs out before he moves again.
    async fn time_passes(&mut self) {
        let is_long = self.world.scale.is_long();
        if !is_long {
            self.time_of_the_dead_passes().await;
        }
        if let Some((process, since, has_run_out)) = self.frozen.take() {
            let is_over = since.elapsed() > if is_long { LONG_STOP } else { SHORT_STOP };
            if is_over {
                process.thaw();
                self.workers.push(process);
                return;
            }
            if !is_long && !has_run_out && since.elapsed() > VENDOR_KNOWS {
                let has_run_out = timeout(Duration::from_secs(2), self.world.runs_out(process.pid)).await.is_ok();
                self.frozen = Some((process, since, has_run_out));
            } else {
                self.frozen = Some((process, since, has_run_out));
            }
        }
    }

    /// The vendor has noticed by now that they are gone.
    pub async fn time_of_the_dead_passes(&self) {
        for (pid, since) in &self.dead {
            if since.elapsed() > VENDOR_KNOWS {
                self.world.runs_out(*pid).await;
            }
        }
    }

    /// Whoever is left ends in order; what they stood on goes last.
    pub async fn ends(self) -> (Option<Postgres>, Option<Redis>) {
        for process in self.webs.into_iter().chain(self.workers) {
            process.stop().await;
        }
        (self.postgres, self.redis)
    }
}
