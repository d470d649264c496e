//! One run: what the keys shall say, what the model makes of it, and what happens.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nproxy::{
    context::Nproxy,
    models::{attempts, runs},
};
use rand::Rng;
use sandbox::ProxyFault;

use super::{Walk, key::Says, model::Ending};

impl Walk {
    /// What every key will say when it is called next.
    pub(super) fn plan(&mut self) {
        let outage = self.rng.random_bool(0.03);
        for at in 0..self.pool.keys.len() {
            let others = self.unwell.iter().filter(|(steps, _)| *steps > 0).count();
            let likely = if others == 0 { 0.08 } else { 0.005 };
            if self.unwell[at].0 == 0 && self.rng.random_bool(likely) {
                self.unwell[at] = (self.rng.random_range(5..30), self.strike());
            }
            let says = match self.rng.random_range(0..100) {
                _ if outage => Says::Broken(503),
                0..95 if self.unwell[at].0 > 0 => self.unwell[at].1,
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

    pub(super) async fn run(&mut self) {
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
        let wanted = if self.rng.random_bool(0.4) { self.rng.random_range(2..=4) } else { 1 };
        let strikes: Vec<_> = self.pool.keys.iter().filter(|key| key.says.is_strike()).collect();
        let is_calm = self.pool.incident.is_none()
            && strikes.len() <= 1
            && strikes.iter().all(|key| key.strikes < 10)
            && self.pool.keys.iter().all(|key| {
                let way_is_fine = key.proxy.as_ref().is_none_or(|way| !way.is_down && way.faults == 0);
                way_is_fine && key.says != Says::Words && (key.says != Says::Garbage || key.proxy.is_none())
            });
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
}
