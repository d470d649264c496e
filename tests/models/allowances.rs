//! What ends, what is put right, what is taken back and what is owed then.

use chrono::TimeDelta;
use futures::future::join_all;
use nproxy::models::{
    activities::{self, Actor},
    allowances::{self, Adjustment, Closed, Revocation, Standing, expiry},
    clock,
    debts::{self, Forgiveness},
    generations::{self, Ask, Submission},
    holds,
};
use sea_orm::ConnectionTrait;

use crate::support::{Setup, TestApp, bulk};

async fn quiet() -> TestApp {
    TestApp::with(Setup { jobs: false, ..Setup::default() }).await
}

/// Invariant 1: what is left of a month is written off once, however often and from however many places at once; what a
/// run under way holds stays with it, and what it gives back afterwards is gone at once.
#[tokio::test]
async fn what_is_left_of_a_month_is_written_off() {
    let app = quiet().await;
    give(&app, "ada", "quota", 10).await;
    let end = app.time("SELECT expires_at FROM allowances WHERE granted = 10").await;
    submit(&app, "ada", 3).await;
    submit(&app, "ada", 2).await;

    assert_eq!(clock::at(end - TimeDelta::seconds(1), expiry::expire_due(&app.ctx)).await.unwrap(), 1, "dee's");
    let sweeps = join_all((0..8).map(|_| clock::at(end, expiry::expire_due(&app.ctx)))).await;
    let written_off: usize = sweeps.into_iter().map(Result::unwrap).sum();
    let over = app.count("SELECT COUNT(*) FROM allowances WHERE expired_at IS NOT NULL").await;
    assert_eq!(i64::try_from(written_off).unwrap() + 1, over, "each once");

    let runs = app.texts("SELECT CAST(id AS TEXT) FROM runs ORDER BY id").await;
    clock::at(end + TimeDelta::seconds(1), settle(&app, runs[0].parse().unwrap(), 2, 3)).await;
    clock::at(end + TimeDelta::seconds(2), settle(&app, runs[1].parse().unwrap(), 0, 2)).await;
    insta::assert_snapshot!(app.story("ada").await, @r"
    trial: grant 3
    quota: grant 10 / hold -3 / hold -2 / expire -5 / capture -2 / release 1 / expire -1 / release 2 / expire -2
    ");
    assert_eq!(app.count("SELECT posted FROM allowances WHERE granted = 10").await, 0);
    app.finish().await;
}

/// Invariant 1: a month that resists keeps no other from being written off, and the task says that something is wrong.
#[tokio::test]
async fn a_month_that_resists_keeps_no_other() {
    let app = quiet().await;
    let dees = allowances::all_of(&app.ctx.db, app.user("dee").await.id).await.unwrap()[0].id;
    let adas = give(&app, "ada", "quota", 10).await;
    let end = app.time(&format!("SELECT expires_at FROM allowances WHERE id = {adas}")).await;
    // Its line in the ledger is taken.
    app.sql(&format!(
        "INSERT INTO ledger_entries (allowance_id, kind, available_delta, posted_delta, available_after, posted_after, actor, \
         reason, idempotency_key, created_at) SELECT allowance_id, 'adjust', 1, 1, available_after, posted_after, actor, \
         'astray', 'expire:{dees}', created_at FROM ledger_entries WHERE allowance_id = {dees}"
    ))
    .await;

    for _ in 0..2 {
        assert!(clock::at(end, app.task("allowance_expiry", &[])).await.is_err());
        let left =
            app.texts("SELECT CAST(id AS TEXT) FROM allowances WHERE kind = 'quota' AND expired_at IS NULL").await;
        assert_eq!(left, [dees.to_string()]);
    }
    app.abandon().await;
}

/// C20: an operator adds and takes away what is free, never more; each leaves one entry and one activity with the reason, a
/// refusal leaves nothing.
#[tokio::test]
async fn a_balance_is_put_right() {
    let app = quiet().await;
    let ada = app.user("ada").await;
    let trial = allowances::current(&app.ctx.db, ada.id).await.unwrap()[0].id;
    submit(&app, "ada", 2).await;
    let adjust = |by| allowances::adjust_by_hand(&app.ctx, trial, by, "a slip", &Actor::Cli);

    assert_eq!(adjust(-2).await.unwrap(), Adjustment::BelowZero { free: 1 }, "two are with a run under way");
    assert_eq!(trail(&app, trial).await, Vec::<String>::new());
    assert!(matches!(adjust(-1).await.unwrap(), Adjustment::Adjusted(now) if (now.available, now.posted) == (0, 2)));
    assert!(matches!(adjust(4).await.unwrap(), Adjustment::Adjusted(now) if (now.available, now.posted) == (4, 6)));

    insta::assert_snapshot!(app.story("ada").await, @"trial: grant 3 / hold -2 / adjust -1 / adjust 4");
    assert_eq!(trail(&app, trial).await, ["adjust_allowance 4 a slip", "adjust_allowance -1 a slip"]);
    assert_eq!(app.text("SELECT MAX(actor) FROM ledger_entries WHERE kind = 'adjust'").await, "cli:console");
    let stranger = allowances::adjust_by_hand(&app.ctx, 99_999, 1, "a slip", &Actor::Cli).await.unwrap();
    assert_eq!(stranger, Adjustment::Unknown);

    let dees = allowances::all_of(&app.ctx.db, app.user("dee").await.id).await.unwrap()[0].id;
    let over = allowances::adjust_by_hand(&app.ctx, dees, 1, "a slip", &Actor::Cli).await.unwrap();
    assert_eq!(over, Adjustment::Closed(Closed::Ended), "a month that is over stays over");
    app.finish().await;
}

/// A refunded plan: what is free is gone, what runs give back goes when it comes, what was used is owed; nothing new starts,
/// and the person reads why, that nothing was charged, and what to do, without a number.
#[tokio::test]
async fn a_refunded_plan_is_taken_back() {
    let app = quiet().await;
    let plan = give(&app, "eve", "quota", 97).await;
    for outputs in [2, 1, 3] {
        submit(&app, "eve", outputs).await;
    }
    let runs = app.texts("SELECT CAST(id AS TEXT) FROM runs ORDER BY id").await;
    let run = |at: usize| runs[at].parse::<i64>().unwrap();
    settle(&app, run(0), 2, 2).await;

    let taken = allowances::revoke_by_hand(&app.ctx, plan, "refunded by hand", &Actor::Cli).await.unwrap();
    assert_eq!(taken, Revocation::Revoked(Standing { free: 91, held: 4, used: 2 }));
    let again = allowances::revoke_by_hand(&app.ctx, plan, "refunded by hand", &Actor::Cli).await.unwrap();
    assert_eq!(again, Revocation::AlreadyRevoked);
    assert_eq!(trail(&app, plan).await, ["revoke_allowance null refunded by hand"]);
    insta::assert_snapshot!(app.story("eve").await, @r"
    trial: grant 3 / adjust -2
    quota: grant 97 / hold -2 / hold -1 / hold -3 / capture -2 / adjust -91
    ");
    assert!(!debts::owes(&app.ctx.db, app.user("eve").await.id).await.unwrap(), "her free pictures paid for it");

    settle(&app, run(1), 0, 1).await;
    settle(&app, run(2), 2, 3).await;
    insta::assert_snapshot!(app.story("eve").await, @r"
    trial: grant 3 / adjust -2 / adjust -1
    quota: grant 97 / hold -2 / hold -1 / hold -3 / capture -2 / adjust -91 / release 1 / adjust -1 / capture -2 / release 1 / adjust -1
    ");
    assert_eq!(owed(&app).await, ["2 0", "2 1"], "one of the two that arrived late is open");

    give(&app, "eve", "tokens", 500).await;
    let eve = app.sign_in("eve").await;
    let refused = eve.try_ask("a boat", &[], None).await;
    assert_eq!(refused.status, 402);
    let text = refused.html().text();
    for words in
        ["refunded after part of it was used", "Nothing was charged", "Your next plan pays for that part first"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    for page in ["/app", "/app/billing"] {
        let text = eve.get(page).await.html().text();
        assert!(text.contains("Your next plan pays for that part first"), "{text}");
        assert!(!text.contains("97"), "the limit is on no page: {text}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 3, "nothing was started");
    app.finish().await;
}

/// A debt is paid by the next plan before anything else, and then the person goes on with what is left.
#[tokio::test]
async fn the_next_plan_pays_the_debt_first() {
    let app = quiet().await;
    let first = owing(&app, 5).await;
    assert!(matches!(submit(&app, "ada", 1).await, Submission::InDebt));

    give(&app, "ada", "quota", 3).await;
    assert_eq!(owed(&app).await, ["5 2"]);
    assert!(matches!(submit(&app, "ada", 1).await, Submission::InDebt), "what was bought went into the debt");
    give(&app, "ada", "tokens", 900).await;
    assert!(matches!(submit(&app, "ada", 1).await, Submission::InDebt), "tokens do not pay for pictures, and wait");
    let second = give(&app, "ada", "quota", 10).await;
    assert_eq!(owed(&app).await, ["5 0"]);
    assert!(matches!(submit(&app, "ada", 4).await, Submission::Accepted { .. }));

    insta::assert_snapshot!(app.story("ada").await, @r"
    trial: grant 3 / adjust -3
    quota: grant 5 / hold -4 / capture -4 / hold -1 / capture -1
    quota: grant 3 / adjust -3
    tokens: grant 900
    quota: grant 10 / adjust -2 / hold -4
    ");

    // Refunded in turn, the second owes what it had paid: nobody gains by a chain of refunds.
    let taken = allowances::revoke_by_hand(&app.ctx, second, "refunded too", &Actor::Cli).await.unwrap();
    assert_eq!(taken, Revocation::Revoked(Standing { free: 4, held: 4, used: 2 }));
    assert_eq!(owed(&app).await, ["5 0", "2 2"]);
    assert_ne!(first, second);
    app.finish().await;
}

/// What a run gives back while something is owed pays for it when the person begins the next one.
#[tokio::test]
async fn what_comes_back_pays_too() {
    let app = quiet().await;
    let trial = allowances::current(&app.ctx.db, app.user("ada").await.id).await.unwrap()[0].id;
    let plan = give(&app, "ada", "quota", 2).await;
    submit(&app, "ada", 2).await;
    settle(&app, app.newest_run().await, 2, 2).await;
    submit(&app, "ada", 3).await;
    allowances::revoke_by_hand(&app.ctx, plan, "refunded", &Actor::Cli).await.unwrap();
    assert!(matches!(submit(&app, "ada", 1).await, Submission::InDebt), "all three free pictures are with a run");

    settle(&app, app.newest_run().await, 0, 3).await;
    assert!(matches!(submit(&app, "ada", 1).await, Submission::Accepted { .. }));
    assert_eq!(owed(&app).await, ["2 0"]);
    let row = allowances::by_id(&app.ctx.db, trial).await.unwrap().unwrap();
    assert_eq!((row.available, row.posted), (0, 1), "two of three paid, one is with the new run");
    app.finish().await;
}

/// An operator lets a debt go, once, with one activity; the row says what was owed, forgiven and when.
#[tokio::test]
async fn a_debt_is_forgiven() {
    let app = quiet().await;
    owing(&app, 6).await;
    let id = app.count("SELECT id FROM debts").await;
    let trial = allowances::current(&app.ctx.db, app.user("ada").await.id).await.unwrap()[0].id;
    let paid = allowances::adjust_by_hand(&app.ctx, trial, 2, "thanks", &Actor::Cli).await.unwrap();
    assert!(matches!(paid, Adjustment::Adjusted(now) if now.available == 0), "what is added pays first");

    let forgive = || debts::forgive_by_hand(&app.ctx, id, "our fault", &Actor::Cli);
    assert_eq!(forgive().await.unwrap(), Forgiveness::Forgiven(4));
    assert_eq!(forgive().await.unwrap(), Forgiveness::AlreadyCleared);
    let nobody = debts::forgive_by_hand(&app.ctx, 99_999, "our fault", &Actor::Cli).await.unwrap();
    assert_eq!(nobody, Forgiveness::Unknown);

    let row = &debts::all_of(&app.ctx.db, app.user("ada").await.id).await.unwrap()[0];
    assert_eq!((row.amount, row.outstanding, row.forgiven, row.reason.as_str()), (6, 0, 4, "refunded"));
    assert!(row.cleared_at.is_some());
    let trace = activities::about(&app.ctx.db, "debt", id).await.unwrap();
    assert_eq!(trace.len(), 1, "{trace:?}");
    assert_eq!((trace[0].activity_type.as_str(), &trace[0].detail["reason"]), ("forgive_debt", &"our fault".into()));
    give(&app, "ada", "tokens", 100).await;
    assert!(matches!(submit(&app, "ada", 1).await, Submission::Accepted { .. }));
    app.finish().await;
}

/// Invariant 2: who owed what and why is never rewritten, by nobody; only what is left of it changes.
#[tokio::test]
async fn a_debt_is_not_rewritten() {
    let app = quiet().await;
    owing(&app, 4).await;
    for sql in [
        "DELETE FROM debts",
        "UPDATE debts SET amount = 1",
        "UPDATE debts SET user_id = user_id + 1",
        "UPDATE debts SET allowance_id = allowance_id",
        "UPDATE debts SET unit = 'tokens'",
        "UPDATE debts SET reason = 'none'",
        "UPDATE debts SET source = 'none'",
        "UPDATE debts SET created_at = cleared_at",
    ] {
        let error = app.ctx.db.execute_unprepared(sql).await.expect_err(sql).to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    app.finish().await;
}

/// Ada has used so many pictures of a plan that was refunded, and nothing else is left to her.
async fn owing(app: &TestApp, pictures: i64) -> i64 {
    let trial = allowances::current(&app.ctx.db, app.user("ada").await.id).await.unwrap()[0].id;
    let taken = allowances::adjust_by_hand(&app.ctx, trial, -3, "for the test", &Actor::Cli).await.unwrap();
    assert!(matches!(taken, Adjustment::Adjusted(_)));
    let plan = give(app, "ada", "quota", pictures).await;
    let mut left = pictures;
    while left > 0 {
        let batch = left.min(4);
        assert!(matches!(submit(app, "ada", batch).await, Submission::Accepted { .. }));
        settle(app, app.newest_run().await, batch, batch).await;
        left -= batch;
    }
    allowances::revoke_by_hand(&app.ctx, plan, "refunded", &Actor::Cli).await.unwrap();
    plan
}

/// `(amount, outstanding)` of every debt.
async fn owed(app: &TestApp) -> Vec<String> {
    app.texts("SELECT CAST(amount AS TEXT) || ' ' || CAST(outstanding AS TEXT) FROM debts ORDER BY id").await
}

/// What the audit log tells of an allowance, newest first.
async fn trail(app: &TestApp, allowance: i64) -> Vec<String> {
    let rows = activities::about(&app.ctx.db, "allowance", allowance).await.unwrap();
    let detail = |row: &activities::Model| format!("{} {}", row.detail["by"], row.detail["reason"].as_str().unwrap());
    rows.iter().map(|row| format!("{} {}", row.activity_type, detail(row))).collect()
}

async fn give(app: &TestApp, name: &str, kind: &str, amount: i64) -> i64 {
    let (email, amount) = (format!("{name}@example.com"), amount.to_string());
    app.task("grant", &[("email", &email), ("kind", kind), ("amount", &amount)]).await.unwrap();
    app.count("SELECT MAX(id) FROM allowances").await
}

async fn submit(app: &TestApp, name: &str, batch: i64) -> Submission {
    let ask = Ask {
        prompt: "a boat".into(),
        batch_size: batch.to_string(),
        client_token: uuid::Uuid::new_v4().to_string(),
        ..Ask::default()
    };
    generations::submit(&app.ctx, &app.user(name).await, None, ask).await.unwrap()
}

/// The run ends with so many pictures.
async fn settle(app: &TestApp, run: i64, delivered: i64, requested: i64) {
    let owner = "SELECT g.user_id FROM generations g JOIN runs r ON r.generation_id = g.id WHERE r.id =";
    let owner = app.count(&format!("{owner} {run}")).await;
    let asset = match app.count(&format!("SELECT COUNT(*) FROM assets WHERE user_id = {owner}")).await {
        0 => bulk::asset(&app.ctx.db, owner).await,
        _ => app.count(&format!("SELECT MAX(id) FROM assets WHERE user_id = {owner}")).await,
    };
    let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
    bulk::end(&txn, run, delivered, asset).await;
    assert!(holds::settle(&txn, run, delivered, requested).await.unwrap());
    txn.commit().await.unwrap();
}
