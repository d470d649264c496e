//! Long random lives of several people's allowances, compared step by step with plain arithmetic.

mod arithmetic;
mod comparison;
mod history;
mod world;

use nproxy::models::ledger_entries::check;
use sea_orm::DatabaseConnection;
use sha2::{Digest, Sha256};

use self::{
    history::{Deed, draw, shrunk},
    world::{Tally, Trouble, World},
};
use crate::support::{Setup, TestApp, is_postgres};

const SEED: u64 = 20_261_124;
const STEPS_OF_A_LIFE: usize = 1_000;

/// F68, invariants 1, 3 and 5, P1: whatever happens in whatever order — grants, holds, parts that arrive, ends, adjustments,
/// refunds, forgiveness, repetition, transactions that are never committed — every balance, hold and debt is what simple
/// arithmetic says, and the books prove themselves. `LEDGER_STEPS=100000` lives the long form.
#[tokio::test]
async fn every_life_adds_up() {
    let steps = std::env::var("LEDGER_STEPS").ok().and_then(|steps| steps.parse().ok());
    let steps = steps.unwrap_or(if is_postgres() { 4_000 } else { 8_000 });
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let db = &app.ctx.db;
    let began = std::time::Instant::now();
    let mut tally = Tally::default();
    for life in 0..steps / STEPS_OF_A_LIFE {
        let seed = SEED + life as u64;
        let history = draw(seed, STEPS_OF_A_LIFE);
        match lived(db, &format!("life{seed}"), &history).await {
            Ok(more) => tally += more,
            Err(trouble) => panic!("{}", report(db, seed, history, &trouble).await),
        }
        if life % 10 == 9 {
            assert_eq!(check::run(db).await.unwrap(), [], "after seed {seed}");
        }
    }
    println!("{steps} steps from seed {SEED} in {:.1?}: {tally:?}", began.elapsed());
    let Tally { held, short, in_debt, late_releases, late_captures, revoked_in_use, paid_on_the_way } = tally;
    let met = [held, short, in_debt, late_releases, late_captures, revoked_in_use, paid_on_the_way];
    assert!(met.iter().all(|times| *times > 0), "every outcome was met: {tally:?}");
    app.finish().await;
}

/// P9: the same history leaves the same rows on both databases, to the moment in which they were written. The digest is of
/// all of them; it changes when what a verb writes does.
#[tokio::test]
async fn one_history_leaves_the_same_rows_everywhere() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let history = draw(SEED - 1, 600);
    let mut world = World::new(&app.ctx.db, "same", &history).await;
    world.live(&history).await.unwrap();
    let rows = world.rows().await;
    let digest = format!("{:x}", Sha256::digest(rows.join("\n")));
    let kinds = ["allowance", "  hold", "  capture", "  release", "  expire", "  adjust", "hold", "debt"];
    let counts = kinds.map(|kind| rows.iter().filter(|row| row.starts_with(&format!("{kind} "))).count());
    insta::assert_snapshot!(format!("{counts:?} {digest}"), @"[38, 137, 69, 84, 6, 24, 137, 6] fb34f3bb462a97078522fc761ad0dcc83cb0a8cb3ca405f5d273e4690b843b42");
    app.finish().await;
}

async fn lived(db: &DatabaseConnection, name: &str, history: &[Deed]) -> Result<Tally, Trouble> {
    let mut world = World::new(db, name, history).await;
    world.live(history).await?;
    Ok(world.tally)
}

/// The failure with as little before it as it takes.
async fn report(db: &DatabaseConnection, seed: u64, mut history: Vec<Deed>, trouble: &Trouble) -> String {
    history.truncate(trouble.at + 1);
    let mut tries = 0;
    let small = shrunk(history, |part| {
        tries += 1;
        let name = format!("again{seed}-{tries}");
        async move { lived(db, &name, &part).await.is_err() }
    })
    .await;
    let says = lived(db, &format!("small{seed}"), &small).await.err().map(|trouble| trouble.says);
    let steps = small.iter().map(|deed| format!("  {deed:?}\n")).collect::<String>();
    format!("seed {seed}, step {}: {}\nin short: {says:?} after\n{steps}", trouble.at, trouble.says)
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.held += more.held;
        self.short += more.short;
        self.in_debt += more.in_debt;
        self.late_releases += more.late_releases;
        self.late_captures += more.late_captures;
        self.revoked_in_use += more.revoked_in_use;
        self.paid_on_the_way += more.paid_on_the_way;
    }
}
