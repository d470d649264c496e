//! Many at once on the same money.

use std::sync::Mutex;

use chrono::{TimeDelta, Utc};
use durable_jobs::tx::Transaction;
use futures::{StreamExt, future::join_all, stream};
use nproxy::models::{
    activities::Actor,
    allowances::{self, Gift, Grant, Kind, expiry},
    debts,
    generations::{self, Ask, Submission},
    holds::{self, Cost, Hold},
    ledger_entries::check,
    users,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::DatabaseTransaction;

use crate::support::{Setup, TestApp, bulk};

/// F25, invariant 4: a thousand starts, a hundred under way at any moment, on the last five pictures — exactly five win,
/// the rest are told so, nobody waits for ever and nothing goes below zero.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_starts_on_the_last_five() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.task("grant", &[("email", "ada@example.com"), ("kind", "quota"), ("amount", "2")]).await.unwrap();
    let ada = app.user("ada").await;

    let began = std::time::Instant::now();
    let outcomes: Vec<_> = stream::iter(0..1_000)
        .map(|n| {
            let (ctx, ada) = (app.ctx.clone(), ada.clone());
            tokio::spawn(async move {
                let ask = Ask { prompt: "a boat".into(), client_token: format!("one of many {n}"), ..Ask::default() };
                generations::submit(&ctx, &ada, None, ask).await.unwrap()
            })
        })
        .buffer_unordered(100)
        .map(Result::unwrap)
        .collect()
        .await;
    println!("a thousand starts took {:.1?}", began.elapsed());

    let won = outcomes.iter().filter(|outcome| matches!(outcome, Submission::Accepted { .. })).count();
    let short = outcomes.iter().filter(|outcome| matches!(outcome, Submission::Short)).count();
    assert_eq!((won, short), (5, 995));
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 5);
    assert_eq!(app.count("SELECT COUNT(*) FROM jobs WHERE class = 'FulfilRun'").await, 5, "one job per run that won");
    assert_eq!(app.count("SELECT MIN(available) FROM allowances").await, 0);
    app.finish().await;
}

/// Invariant 4: sixteen threads take from one allowance as fast as they can — what is held is what there was, to the unit,
/// and of two who settle the same run one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn sixteen_threads_on_one_allowance() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let db = app.ctx.db.clone();
    let user = bulk::person(&db, "many").await;
    let asset = bulk::asset(&db, user.id).await;
    let mut runs = bulk::runs(&db, user.id, 16 * 20, 1).await;
    give(&app, &user, Kind::Tokens, 10_000, None, "tokens").await;

    let threads = (0..16).map(|_| {
        let (db, user, mine) = (db.clone(), user.id, runs.split_off(runs.len() - 20));
        tokio::spawn(async move {
            let mut held = Vec::new();
            for run in mine {
                let txn = durable_jobs::tx::begin(&db).await.unwrap();
                bulk::begin(&txn, run, 1).await;
                let cost = Cost { outputs: 1, tokens_each: 100 };
                match holds::hold(&txn, user, run, cost).await.unwrap() {
                    Hold::Held(_) => {
                        txn.commit().await.unwrap();
                        held.push(run);
                    }
                    Hold::Short => txn.rollback().await.unwrap(),
                    Hold::InDebt => panic!("nobody owes"),
                }
            }
            held
        })
    });
    let held: Vec<i64> = join_all(threads).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(held.len(), 100, "ten thousand tokens are a hundred pictures");
    assert_eq!(app.count("SELECT available FROM allowances WHERE granted = 10000").await, 0);
    assert_eq!(check::run(&db).await.unwrap(), []);

    let settled = stream::iter(held.iter().flat_map(|run| [*run, *run]))
        .map(|run| {
            let db = db.clone();
            tokio::spawn(async move {
                let txn = durable_jobs::tx::begin(&db).await.unwrap();
                bulk::end(&txn, run, run % 2, asset).await;
                let won = holds::settle(&txn, run, run % 2, 1).await.unwrap();
                txn.commit().await.unwrap();
                won
            })
        })
        .buffer_unordered(16)
        .filter(|won| std::future::ready(*won.as_ref().unwrap()))
        .count()
        .await;
    assert_eq!(settled, 100, "of each pair one settles");
    let odd = i64::try_from(held.iter().filter(|run| *run % 2 == 1).count()).unwrap();
    assert_eq!(app.count("SELECT posted FROM allowances WHERE granted = 10000").await, 10_000 - 100 * odd);
    app.finish().await;
}

/// Invariants 1, 3 and 5: holds, ends, grants, adjustments, refunds, forgiveness and write-offs of the same two people all at
/// once — nobody waits for the other in a circle, no hold slips past a debt, and the books prove themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn everything_at_once() {
    const TASKS: u64 = 12;
    const TURNS: usize = 60;
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let db = app.ctx.db.clone();
    let mut people = Vec::new();
    for name in ["one", "two"] {
        let user = bulk::person(&db, name).await;
        let runs = Mutex::new(bulk::runs(&db, user.id, TASKS as usize * TURNS, 4).await);
        give(&app, &user, Kind::Tokens, 2_000, None, &format!("tokens of {name}")).await;
        people.push(Someone { asset: bulk::asset(&db, user.id).await, user, runs, open: Mutex::default() });
    }
    let people = std::sync::Arc::new(people);

    let began = std::time::Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let (ctx, people) = (app.ctx.clone(), people.clone());
        tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(task);
            for turn in 0..TURNS {
                let someone = &people[rng.random_range(0..people.len())];
                someone.turn(&ctx, &mut rng, &format!("{task}:{turn}")).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    println!("{} turns took {:.1?}", TASKS as usize * TURNS, began.elapsed());

    assert_eq!(check::run(&db).await.unwrap(), []);
    for (what, sql) in [
        ("debts", "SELECT COUNT(*) FROM debts"),
        ("captures", "SELECT COUNT(*) FROM ledger_entries WHERE kind = 'capture'"),
        ("write-offs", "SELECT COUNT(*) FROM ledger_entries WHERE kind = 'expire'"),
    ] {
        assert!(app.count(sql).await > 0, "there were {what}");
    }
    app.finish().await;
}

struct Someone {
    user: users::Model,
    asset: i64,
    runs: Mutex<Vec<i64>>,
    open: Mutex<Vec<(i64, i64)>>,
}

impl Someone {
    async fn turn(&self, ctx: &loco_rs::app::AppContext, rng: &mut StdRng, name: &str) {
        let what = rng.random_range(0..100);
        if what < 4 {
            expiry::expire_due(ctx).await.unwrap();
            return;
        }
        let txn = durable_jobs::tx::begin(&ctx.db).await.unwrap();
        match what {
            4..40 => return self.hold(txn, rng.random_range(1..=4)).await,
            40..70 => self.settle(&txn, rng.random_range(0..=4)).await,
            70..85 => {
                let short_lived = Utc::now() + TimeDelta::milliseconds(rng.random_range(50..3_000));
                let (kind, ends) = if what < 80 { (Kind::Quota, Some(short_lived)) } else { (Kind::Trial, None) };
                let gift = Gift {
                    kind,
                    amount: rng.random_range(1..10),
                    starts_at: Utc::now() - TimeDelta::seconds(1),
                    expires_at: ends.map(durable_jobs::clock::microseconds),
                    source: format!("turn:{name}"),
                    reason: "a turn",
                };
                allowances::grant(&txn, &self.user, gift, &Actor::System).await.unwrap();
            }
            85..90 => {
                let id = self.any(&txn, rng).await;
                let by = if rng.random_bool(0.5) { 2 } else { -2 };
                allowances::adjust(&txn, id, by, format!("turn:{name}"), "a turn", &Actor::System).await.unwrap();
            }
            90..96 => {
                let id = self.any(&txn, rng).await;
                allowances::revoke(&txn, id, "refunded", &Actor::System).await.unwrap();
            }
            _ => {
                let owed = debts::all_of(&txn, self.user.id).await.unwrap();
                if let Some(debt) = owed.iter().find(|debt| debt.cleared_at.is_none()) {
                    debts::forgive(&txn, debt.id, "a turn", &Actor::System).await.unwrap();
                }
            }
        }
        txn.commit().await.unwrap();
    }

    async fn hold(&self, txn: Transaction, outputs: i64) {
        let run = self.runs.lock().unwrap().pop().unwrap();
        bulk::begin(&txn, run, outputs).await;
        let cost = Cost { outputs, tokens_each: 100 };
        match holds::hold(&txn, self.user.id, run, cost).await.unwrap() {
            Hold::Held(_) => {
                txn.commit().await.unwrap();
                self.open.lock().unwrap().push((run, outputs));
            }
            Hold::Short | Hold::InDebt => txn.rollback().await.unwrap(),
        }
    }

    async fn settle(&self, txn: &DatabaseTransaction, delivered: i64) {
        let Some((run, outputs)) = self.open.lock().unwrap().pop() else { return };
        let delivered = delivered.min(outputs);
        bulk::end(txn, run, delivered, self.asset).await;
        assert!(holds::settle(txn, run, delivered, outputs).await.unwrap());
    }

    async fn any(&self, txn: &DatabaseTransaction, rng: &mut StdRng) -> i64 {
        let all = allowances::all_of(txn, self.user.id).await.unwrap();
        all[rng.random_range(0..all.len())].id
    }
}

async fn give(
    app: &TestApp,
    user: &users::Model,
    kind: Kind,
    amount: i64,
    expires_at: Option<chrono::DateTime<Utc>>,
    source: &str,
) {
    let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
    let starts_at = durable_jobs::clock::microseconds(Utc::now()) - TimeDelta::seconds(5);
    let gift = Gift { kind, amount, starts_at, expires_at, source: source.into(), reason: "a test" };
    let granted = allowances::grant(&txn, user, gift, &Actor::System).await.unwrap();
    assert!(matches!(granted, Grant::Granted(_)));
    txn.commit().await.unwrap();
}
