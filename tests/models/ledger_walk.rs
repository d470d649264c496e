//! A random walk of one person through `submit`, compared step by step with a model of twenty lines.

use chrono::{DateTime, TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    allowances::{self, Gift, Grant, Kind},
    clock,
    generations::{self, Ask, LIVE_RUNS, Submission},
    holds::{self, Cost},
    ledger_entries::check,
    users,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{ConnectionTrait, Statement};

use crate::support::{Setup, TestApp, is_postgres};

const SEED: u64 = 20_261_121;
const TOKENS_EACH: i64 = 100;

/// F54, invariants 1, 3 and 5: after hundreds of grants, starts, endings, repeated endings and expiries every balance is
/// what simple arithmetic says, and the books prove themselves.
#[tokio::test]
async fn a_long_life_adds_up() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let steps = if is_postgres() { 400 } else { 800 };
    let mut walk = Walk::new(&app).await;
    for step in 0..steps {
        walk.now += TimeDelta::seconds(1);
        clock::at(walk.now, Box::pin(walk.step())).await;
        if step % 100 == 0 {
            walk.compare().await;
        }
    }
    while let Some(run) = walk.live.pop() {
        clock::at(walk.now, walk.end(run)).await;
    }
    walk.compare().await;
    println!("seed {SEED}: {} starts, {} refused", walk.accepted, walk.refused);
    assert!(walk.accepted > 50 && walk.refused > 20, "the walk met both outcomes");
    assert_eq!(check::run(&app.ctx.db).await.unwrap(), []);
    app.finish().await;
}

/// An allowance as arithmetic knows it.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    id: i64,
    kind: Kind,
    expires_at: Option<DateTime<Utc>>,
    available: i64,
    posted: i64,
}

#[derive(Debug, Clone, Copy)]
struct Live {
    id: i64,
    outputs: i64,
    allowance: i64,
    amount: i64,
}

struct Walk<'a> {
    app: &'a TestApp,
    user: users::Model,
    asset: i64,
    /// Moves with every step.
    now: DateTime<Utc>,
    rng: StdRng,
    allowances: Vec<Expected>,
    live: Vec<Live>,
    sources: u32,
    accepted: u32,
    refused: u32,
}

impl<'a> Walk<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let user = app.user("ada").await;
        app.sql(&format!(
            "INSERT INTO assets (pid, user_id, storage_key, thumb_key, mime, bytes, sha256, width, height, origin, \
             favorite, created_at) SELECT pid, id, 'a', 'b', 'image/png', 1, 'c', 1, 1, 'output', false, created_at \
             FROM users WHERE id = {}",
            user.id
        ))
        .await;
        let known = allowances::current(&app.ctx.db, user.id).await.unwrap();
        let allowances = known
            .iter()
            .map(|a| Expected {
                id: a.id,
                kind: a.kind(),
                expires_at: a.expires_at,
                available: a.available,
                posted: a.posted,
            })
            .collect();
        Self {
            app,
            user,
            asset: app.count("SELECT MAX(id) FROM assets").await,
            now: durable_jobs::clock::microseconds(Utc::now()) + TimeDelta::hours(1),
            rng: StdRng::seed_from_u64(SEED),
            allowances,
            live: Vec::new(),
            sources: 0,
            accepted: 0,
            refused: 0,
        }
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..8 => self.grant().await,
            8..10 => self.now += TimeDelta::hours(self.rng.random_range(1..=200)),
            10..55 => self.start().await,
            _ if self.live.is_empty() => self.start().await,
            _ => {
                let at = self.rng.random_range(0..self.live.len());
                let run = self.live.swap_remove(at);
                self.end(run).await;
            }
        }
    }

    async fn grant(&mut self) {
        self.sources += 1;
        let kind = [Kind::Quota, Kind::Trial, Kind::Tokens][self.rng.random_range(0..3)];
        let amount = self.rng.random_range(1..=12) * if kind == Kind::Tokens { 50 } else { 1 };
        let now = self.now;
        let days = self.rng.random_range(1..60);
        let expires_at =
            (kind == Kind::Quota).then(|| now + TimeDelta::days(days) + TimeDelta::seconds(i64::from(self.sources)));
        let gift = Gift {
            kind,
            amount,
            starts_at: now - TimeDelta::minutes(1),
            expires_at,
            source: format!("walk:{}", self.sources),
            reason: "a step",
        };
        let txn = durable_jobs::tx::begin(&self.app.ctx.db).await.unwrap();
        let granted = allowances::grant(&txn, &self.user, gift, &Actor::System).await.unwrap();
        txn.commit().await.unwrap();
        let Grant::Granted(row) = granted else { panic!("granted before") };
        self.allowances.push(Expected { id: row.id, kind, expires_at, available: amount, posted: amount });
    }

    async fn start(&mut self) {
        let outputs: i64 = self.rng.random_range(1..=4);
        let cost = Cost { outputs, tokens_each: TOKENS_EACH };
        let ask = Ask {
            prompt: "a boat".into(),
            batch_size: outputs.to_string(),
            client_token: uuid::Uuid::new_v4().to_string(),
            ..Ask::default()
        };
        let submission = generations::submit(&self.app.ctx, &self.user, None, ask).await.unwrap();
        if self.live.len() as i64 >= LIVE_RUNS {
            assert!(matches!(submission, Submission::TooMany), "{submission:?}");
            return;
        }
        match self.payer(cost) {
            Some(payer) => {
                assert!(matches!(submission, Submission::Accepted { .. }), "{submission:?}");
                let (allowance, amount) = (payer.id, cost.of(payer.kind));
                payer.available -= amount;
                self.accepted += 1;
                self.live.push(Live { id: self.app.newest_run().await, outputs, allowance, amount });
            }
            None => {
                assert!(matches!(submission, Submission::Short), "{submission:?}");
                self.refused += 1;
            }
        }
    }

    fn payer(&mut self, cost: Cost) -> Option<&mut Expected> {
        let now = self.now;
        let mut current: Vec<_> =
            self.allowances.iter_mut().filter(|a| a.expires_at.is_none_or(|at| at > now)).collect();
        current.sort_by_key(|a| (a.expires_at.is_none(), a.expires_at, a.kind as u8, a.id));
        current.into_iter().find(|a| a.available >= cost.of(a.kind))
    }

    /// Some of the pictures arrive, and the hold is settled, perhaps by two who both think it is theirs to do.
    async fn end(&mut self, run: Live) {
        let delivered = self.rng.random_range(0..=run.outputs);
        let state = if delivered == 0 { "failed" } else { "succeeded" };
        let (id, asset) = (run.id, self.asset);
        let txn = durable_jobs::tx::begin(&self.app.ctx.db).await.unwrap();
        for sql in [
            format!(
                "UPDATE outputs SET state = 'done', asset_id = {asset} WHERE run_id = {id} AND position <= {delivered}"
            ),
            format!("UPDATE outputs SET state = 'failed' WHERE run_id = {id} AND position > {delivered}"),
            format!(
                "UPDATE runs SET state = '{state}', outputs_delivered = {delivered}, finished_at = created_at WHERE id = {id}"
            ),
        ] {
            txn.execute_unprepared(&sql).await.unwrap();
        }
        assert!(holds::settle(&txn, id, delivered, run.outputs).await.unwrap());
        txn.commit().await.unwrap();
        if self.rng.random_bool(0.2) {
            let txn = durable_jobs::tx::begin(&self.app.ctx.db).await.unwrap();
            assert!(!holds::settle(&txn, id, run.outputs, run.outputs).await.unwrap(), "settled twice");
            txn.commit().await.unwrap();
        }
        let captured = run.amount / run.outputs * delivered;
        let payer = self.allowances.iter_mut().find(|a| a.id == run.allowance).unwrap();
        payer.posted -= captured;
        if payer.expires_at.is_none_or(|end| end > self.now) {
            payer.available += run.amount - captured;
        } else {
            payer.posted -= run.amount - captured;
        }
    }

    async fn compare(&self) {
        let sql = format!("SELECT id, available, posted FROM allowances WHERE user_id = {} ORDER BY id", self.user.id);
        let db = &self.app.ctx.db;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let stored: Vec<(i64, i64, i64)> = rows
            .iter()
            .map(|row| {
                let number = |column| row.try_get::<i64>("", column).unwrap();
                (number("id"), number("available"), number("posted"))
            })
            .collect();
        let expected: Vec<_> = self.allowances.iter().map(|a| (a.id, a.available, a.posted)).collect();
        assert_eq!(stored, expected, "(allowance, available, posted)");
    }
}
