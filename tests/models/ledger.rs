//! What a person pays, told by the ledger itself.

use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use nproxy::models::{
    activities::Actor,
    allowances::{self, Gift, Grant, Kind},
    clock,
    generations::{self, Ask, Submission},
    holds,
};
use sandbox::{Fault, gemini::EVERY_KEY};
use sea_orm::ConnectionTrait;

use crate::support::{Setup, TestApp, bulk, is_postgres};

/// F31: what arrives is paid and nothing else — two of three pictures cost two.
#[tokio::test]
async fn a_batch_pays_for_what_arrived() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    app.sandbox.gemini().fault_times(EVERY_KEY, Fault::RefusedOutput { finish_reason: "IMAGE_SAFETY".into() }, 1);

    let page = ada.make("three boats", &[("batch_size", "3")]).await;

    assert_eq!(page.texts(".cell img").len(), 2);
    insta::assert_snapshot!(app.story("ada").await, @"trial: grant 3 / hold -3 / capture -2 / release 1");
    app.finish().await;
}

/// F31: a run without a picture costs nothing, whatever it held.
#[tokio::test]
async fn a_failure_gives_everything_back() {
    // Of a pool of one: several that fail alike are an outage, and the run would wait for its end.
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1"], ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    app.sandbox.gemini().fault(EVERY_KEY, Fault::Status { code: 500 });

    let page = ada.make("two boats", &[("batch_size", "2")]).await;

    assert!(page.text().contains("nothing was charged"), "{}", page.text());
    insta::assert_snapshot!(app.story("ada").await, @"trial: grant 3 / hold -2 / release 2");
    app.finish().await;
}

/// F31: quota before trial before tokens, and of two quotas the one that ends first; then nothing more is accepted.
#[tokio::test]
async fn what_ends_first_is_spent_first() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    give(&app, "tokens", "100", "1").await;
    give(&app, "quota", "1", "2").await;
    give(&app, "quota", "2", "1").await;

    for _ in 0..7 {
        ada.make("a boat", &[]).await;
    }
    let refused = ada.try_ask("an eighth boat", &[], None).await;

    assert_eq!(refused.status, 402);
    assert_eq!(app.payers().await, "quota quota quota trial trial trial tokens");
    insta::assert_snapshot!(app.story("ada").await, @r"
    trial: grant 3 / hold -1 / capture -1 / hold -1 / capture -1 / hold -1 / capture -1
    tokens: grant 100 / hold -100 / capture -100
    quota: grant 1 / hold -1 / capture -1
    quota: grant 2 / hold -1 / capture -1 / hold -1 / capture -1
    ");
    let first_three = app
        .texts(
            "SELECT CAST(granted AS TEXT) FROM holds JOIN allowances ON allowances.id = allowance_id ORDER BY run_id",
        )
        .await;
    assert_eq!(first_three[..3], ["2", "2", "1"], "the quota that ends in a month before the one that ends in two");
    app.finish().await;
}

/// F31: one source pays a whole run — two free pictures left do not help a batch of three, tokens do, and without tokens
/// nothing starts.
#[tokio::test]
async fn a_run_is_paid_from_one_source() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;
    ada.make("one boat", &[]).await;

    let refused = ada.try_ask("three boats", &[("batch_size", "3")], None).await;
    assert_eq!(refused.status, 402, "{}", refused.html().text());
    assert_eq!(app.count("SELECT COUNT(*) FROM runs").await, 1, "nothing was started");

    give(&app, "tokens", "300", "1").await;
    ada.make("three boats", &[("batch_size", "3")]).await;

    insta::assert_snapshot!(app.story("ada").await, @r"
    trial: grant 3 / hold -1 / capture -1
    tokens: grant 300 / hold -300 / capture -300
    ");
    app.finish().await;
}

/// F21, invariant 5: a quota pays until its last second and not in the next one, with the scheduler switched off; a run
/// that began in time is paid after the end, and what it gives back is gone.
#[tokio::test]
async fn a_quota_that_is_over_pays_nothing() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    give(&app, "quota", "10", "1").await;
    let end = app.time("SELECT expires_at FROM allowances WHERE kind = 'quota' AND granted = 10").await;
    let second = TimeDelta::seconds(1);

    assert!(matches!(clock::at(end - second, submit(&app, "ada", 3)).await, Submission::Accepted { .. }));
    assert_eq!(app.payers().await, "quota");
    assert!(matches!(clock::at(end, submit(&app, "ada", 3)).await, Submission::Accepted { .. }));
    assert_eq!(app.payers().await, "quota trial", "at the end itself the plan does not pay");
    let late = clock::at(end, submit(&app, "ada", 1)).await;
    assert!(matches!(late, Submission::Short), "the free pictures are held, the quota is over");
    assert!(matches!(submit(&app, "dee", 1).await, Submission::Short), "a plan that ended yesterday");

    let run = app.count("SELECT MIN(id) FROM runs").await;
    let asset = bulk::asset(&app.ctx.db, app.user("ada").await.id).await;
    clock::at(end + second, async {
        let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
        bulk::end(&txn, run, 2, asset).await;
        assert!(holds::settle(&txn, run, 2, 3).await.unwrap());
        txn.commit().await.unwrap();
    })
    .await;
    insta::assert_snapshot!(app.story("ada").await, @r"
    trial: grant 3 / hold -3
    quota: grant 10 / hold -3 / capture -2 / release 1 / expire -1
    ");
    app.finish().await;
}

/// F53, invariant 2: the database itself refuses to change or remove what was written, whoever asks.
#[tokio::test]
async fn history_cannot_be_edited() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    for table in ["ledger_entries", "activities"] {
        let before = app.count(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert!(before > 0, "{table} has rows");
        let mut tries = vec![format!("DELETE FROM {table} WHERE id > 0")];
        for column in columns(&app, table).await {
            tries.push(format!("UPDATE {table} SET {column} = {column}"));
        }
        if is_postgres() {
            tries.push(format!("TRUNCATE {table} CASCADE"));
        }
        for sql in tries {
            let error = app.ctx.db.execute_unprepared(&sql).await.expect_err(&sql).to_string();
            assert!(error.contains("append-only"), "{sql}: {error}");
        }
        assert_eq!(app.count(&format!("SELECT COUNT(*) FROM {table}")).await, before);
    }
    app.finish().await;
}

/// F18, invariant 4: one source is one grant, however often and from however many places it is asked for.
#[tokio::test]
async fn twenty_grants_of_one_source_are_one() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.user("ada").await;

    let grants = join_all((0..20).map(|_| async {
        let txn = durable_jobs::tx::begin(&app.ctx.db).await.unwrap();
        let gift = Gift {
            kind: Kind::Tokens,
            amount: 500,
            starts_at: Utc::now(),
            expires_at: None,
            source: "invoice:1".into(),
            reason: "paid",
        };
        let grant = allowances::grant(&txn, &ada, gift, &Actor::System).await.unwrap();
        txn.commit().await.unwrap();
        matches!(grant, Grant::Granted(_))
    }))
    .await;

    assert_eq!(grants.into_iter().filter(|granted| *granted).count(), 1);
    insta::assert_snapshot!(app.story("ada").await, @r"
    trial: grant 3
    tokens: grant 500
    ");
    app.finish().await;
}

async fn columns(app: &TestApp, table: &str) -> Vec<String> {
    let sql = if is_postgres() {
        format!("SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'")
    } else {
        format!("SELECT name FROM pragma_table_info('{table}')")
    };
    let columns = app.texts(&sql).await;
    assert!(columns.len() > 10, "{columns:?}");
    columns
}

async fn give(app: &TestApp, kind: &str, amount: &str, months: &str) {
    let vars = [("email", "ada@example.com"), ("kind", kind), ("amount", amount), ("months", months)];
    app.task("grant", &vars).await.unwrap();
}

async fn submit(app: &TestApp, name: &str, batch: u32) -> Submission {
    let ask = Ask {
        prompt: "a boat".into(),
        batch_size: batch.to_string(),
        client_token: uuid::Uuid::new_v4().to_string(),
        ..Ask::default()
    };
    generations::submit(&app.ctx, &app.user(name).await, None, ask).await.unwrap()
}
