//! The doctor, through the real binary and through its own selftest.

use nproxy::models::doctor;
use serde_json::Value;

use crate::support::{Finished, Setup, TestApp};

/// `nproxy doctor …` beside the application, speaking to its sandbox.
pub(super) async fn consult(app: &TestApp, arguments: &[&str], settings: &[(&str, &str)]) -> Finished {
    let btcpay = sandbox::btcpay::settings(&app.sandbox.url());
    let mut command = app.command();
    command
        .args(arguments)
        .env("GEMINI_BASE_URL", app.sandbox.url())
        .env("SMTP_PORT", app.sandbox.smtp_addr().port().to_string());
    for (variable, name) in [
        ("BTCPAY_URL", "url"),
        ("BTCPAY_STORE_ID", "store_id"),
        ("BTCPAY_API_KEY", "api_key"),
        ("BTCPAY_WEBHOOK_SECRET", "webhook_secret"),
    ] {
        command.env(variable, btcpay[name].as_str().unwrap());
    }
    Finished::of(command.envs(settings.iter().copied())).await
}

fn json(said: &Finished) -> Value {
    serde_json::from_str(
        said.out.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{}", said.said())),
    )
    .unwrap()
}

fn failed(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["ok"] == false).map(|check| check["name"].as_str().unwrap()).collect()
}

/// F68: every rule is shown a database that breaks it, and names the row and nothing else.
#[tokio::test]
async fn every_rule_is_shown_what_it_is_for() {
    let app = TestApp::with(Setup { keys: vec![], jobs: false, people: false, ..Setup::default() }).await;
    let outcome = doctor::selftest::run(&app.ctx).await.unwrap();
    assert_eq!(outcome.failures, Vec::<String>::new());
    assert!(outcome.rules > 45 && outcome.breaks >= outcome.rules, "{outcome:?}");
    assert!(outcome.ok);

    let said = consult(&app, &["doctor", "--selftest", "--json"], &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.said());
    assert_eq!(json(&said)["rules"], outcome.rules);
    app.finish().await;
}

/// F68, F61: a healthy installation is green and leaves with 0; what is broken is named with the command that mends it.
#[tokio::test]
async fn it_tells_healthy_from_ill() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let ada = app.sign_in("ada").await;
    ada.make("three boats", &[("batch_size", "2")]).await;
    app.idle().await;

    let healthy = consult(&app, &["doctor"], &[]).await;
    assert_eq!(healthy.code, Some(0), "{}", healthy.said());
    assert!(
        healthy.out.lines().any(|line| line.starts_with("ok    surroundings/processors  btcpay")),
        "{}",
        healthy.out
    );
    assert!(healthy.out.contains("surroundings/provider_keys  3 of 3 at work"), "{}", healthy.out);

    app.sql("UPDATE allowances SET posted = posted + 1, available = available + 1 WHERE source LIKE 'trial:%'").await;
    app.sql("UPDATE provider_keys SET state = 'disabled'").await;
    let ill = consult(&app, &["-e", "test", "doctor", "--json"], &[("SMTP_PORT", "1")]).await;
    assert_eq!(ill.code, Some(1), "{}", ill.said());
    let report = json(&ill);
    assert_eq!(failed(&report), ["mail", "provider_keys", "balances_are_the_sums_of_the_entries"]);
    let ledger =
        report["checks"].as_array().unwrap().iter().find(|check| check["ok"] == false && check["area"] == "ledger");
    let ledger = ledger.unwrap();
    assert!(ledger["findings"][0]["row"].as_str().unwrap().starts_with("allowance "), "{ledger}");
    assert!(ledger["mend"].as_str().unwrap().starts_with("nproxy task ledger_check"), "{ledger}");

    let words = consult(&app, &["doctor"], &[("SMTP_PORT", "1")]).await;
    assert_eq!(words.code, Some(1));
    for part in ["FAIL  surroundings/mail", "mend: SMTP_HOST", "FAIL  ledger/balances", "has no key at work"] {
        assert!(words.out.contains(part), "{part}: {}", words.out);
    }
    assert!(!words.said().contains("sandbox-k1-"), "no secret is told");
    app.abandon().await;
}

/// A database of another release is said to be one, instead of a hundred queries that do not fit.
#[tokio::test]
async fn a_schema_of_another_release_is_named() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    app.sql("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_999999_tomorrow', 0)").await;
    let said = consult(&app, &["doctor", "--json"], &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.said());
    let report = json(&said);
    assert_eq!(failed(&report), ["migrations"]);
    assert!(report.to_string().contains("m29991231_999999_tomorrow"));
    assert!(!report.to_string().contains("a_due_job_runs"), "the rules are not asked of it");
    app.finish().await;
}

/// A database that does not answer is said in one sentence, with the setting that names it.
#[tokio::test]
async fn without_a_database_it_says_so() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let said = consult(&app, &["doctor"], &[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.said().contains("DATABASE_URL"), "{}", said.said());
    app.finish().await;
}
