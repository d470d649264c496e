//! The dashboard, the health page, `/ready` and `/metrics`.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    backups,
    provider_keys::{activation, balance},
    standing,
    subscriptions::give_month,
};
use serde_json::Value;

use crate::support::{Html, Process, Setup, TestApp, eventually, free_port, redis::Redis};

/// The figure of a tile.
fn tile(page: &Html, label: &str) -> (String, String) {
    let [labels, values, notes] =
        [1, 2, 3].map(|part| page.texts(&format!("ul[aria-label='Figures'] > li > a > span:nth-of-type({part})")));
    let at = labels.iter().position(|it| it == label).unwrap_or_else(|| panic!("no {label} in {labels:?}"));
    (values[at].clone(), notes[at].clone())
}

/// F55: the dashboard says what was made, paid and is left, from rows of the last days alone; each curve has its numbers in
/// a table, and its data in an element that no browser executes.
#[tokio::test]
async fn the_dashboard_adds_up() {
    let app = TestApp::start().await;
    let (ada, cy) = (app.sign_in("ada").await, app.sign_in_staff("cy").await);
    let empty = cy.get("/admin").await.html();
    assert_eq!(tile(&empty, "A picture takes").0, "–");
    assert_eq!(tile(&empty, "Last backup").0, "never");
    assert_eq!(tile(&empty, "Active plans"), ("2".into(), "0 end within 3 days".into()));

    ada.make("a lighthouse", &[("batch_size", "2")]).await;
    app.idle().await;
    let now = Utc::now();
    for (n, days, state, minor) in
        [(1, 0, "paid", 999), (2, 1, "paid", 2500), (3, 2, "refunded", 1000), (4, 40, "paid", 7777)]
    {
        let ada = app.user("ada").await.id;
        app.sql(&format!(
            "INSERT INTO invoices (pid, user_id, kind, offer_code, offer_snapshot, price_minor, currency, processor, state, \
             paid_minor, late, overpaid, marked, payments, version, created_at, expires_at, paid_at) \
             SELECT {}, {ada}, 'tokens', 'small', '{{}}', {minor}, 'USD', 'btcpay', '{state}', {minor}, {f}, {f}, {f}, '[]', 0, \
             created_at, created_at, created_at FROM users WHERE id = {ada}",
            pid(&app, n),
            f = if app.ctx.db.get_database_backend() == sea_orm::DbBackend::Postgres { "FALSE" } else { "0" },
        ))
        .await;
        app.set_time("invoices", "paid_at", now - TimeDelta::days(days), &format!("price_minor = {minor}")).await;
    }
    balance::enter(&app.ctx, app.key("sandbox-k2").await.id, 12_500_000, &Actor::Cli).await.unwrap();
    let page = cy.get("/admin").await.html();
    assert_eq!(tile(&page, "Revenue, 30 days"), ("$34.99".into(), "2 paid".into()));
    assert_eq!(tile(&page, "Calls that brought a picture"), ("100 %".into(), "2 of 2 in 24 hours".into()));
    assert!(tile(&page, "A picture takes").1.ends_with("the last 2"), "{:?}", tile(&page, "A picture takes"));
    assert_eq!(tile(&page, "Keys that can work").0, "3");
    assert_eq!(page.texts("#keys li"), ["gemini · active 3"]);
    assert_eq!(page.texts("#calls li"), ["delivered 2 · 100 %"]);
    let balances = page.texts("#balances li").concat();
    assert!(balances.starts_with("sandbox-k2 $12.50"), "{balances}");

    let rows = page.texts("section:has(#revenue-data) tbody tr");
    assert_eq!(rows.len(), 30);
    let day = |ago| (now - TimeDelta::days(ago)).format("%Y-%m-%d").to_string();
    assert_eq!(rows[0], format!("{} $9.99", day(0)));
    assert_eq!(rows[1], format!("{} $25.00", day(1)));
    assert_eq!(rows[2], format!("{} $0.00", day(2)), "what went back is no revenue");
    let outcomes = page.texts("section:has(#outcomes-data) tbody tr");
    assert_eq!(outcomes[0], format!("{} 1 0 0 0", day(0)));
    for data in page.texts("script[type='application/json']") {
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["days"].as_array().unwrap().len(), 30);
        assert_eq!(data["series"][0]["values"].as_array().unwrap().len(), 30);
    }

    let ending = "kind = 'quota' AND user_id = (SELECT MIN(user_id) FROM allowances WHERE kind = 'quota')";
    app.set_time("allowances", "expires_at", now + TimeDelta::days(2), ending).await;
    let active_plans = async || tile(&cy.get("/admin").await.html(), "Active plans");
    assert_eq!(active_plans().await, ("2".into(), "1 end within 3 days".into()));
    let email =
        app.text(&format!("SELECT email FROM users WHERE id = (SELECT user_id FROM allowances WHERE {ending})")).await;
    give_month(&app.ctx, &email, "for the test", &Actor::Cli).await.unwrap().unwrap();
    let goes_on = active_plans().await;
    assert_eq!(goes_on, ("2".into(), "0 end within 3 days".into()), "the next month is there already");
    app.finish().await;
}

fn pid(app: &TestApp, n: u8) -> String {
    match app.ctx.db.get_database_backend() {
        sea_orm::DbBackend::Postgres => format!("'00000000-0000-0000-0000-00000000000{n}'"),
        _ => format!("x'0000000000000000000000000000000{n}'"),
    }
}

/// Nothing on the dashboard reads a whole table that grows: the plans of its questions go by an index.
#[tokio::test]
async fn the_dashboard_goes_by_indexes() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    if app.ctx.db.get_database_backend() == sea_orm::DbBackend::Sqlite {
        for question in [
            "SELECT date(created_at), state, COUNT(*) FROM runs WHERE created_at >= '2026' GROUP BY date(created_at), state",
            "SELECT latency_ms FROM attempts WHERE created_at >= '2026' AND outcome = 'delivered' ORDER BY created_at DESC",
            "SELECT outcome, COUNT(*) FROM attempts WHERE created_at >= '2026' AND outcome <> 'open' GROUP BY outcome",
            "SELECT currency, SUM(price_minor) FROM invoices WHERE paid_at >= '2026' AND state = 'paid' GROUP BY currency",
            "SELECT COUNT(*) FROM allowances WHERE kind = 'quota' AND expires_at > '2026' AND starts_at <= '2027'",
            "SELECT COUNT(*) FROM storage_objects WHERE state = 'pending' AND changed_at < '2026'",
        ] {
            let plan = explained(&app, question).await;
            assert!(plan.contains("SEARCH") && !plan.contains("SCAN"), "{question}: {plan}");
        }
    }
    standing::look(&app.ctx).await.unwrap();
    app.finish().await;
}

async fn explained(app: &TestApp, question: &str) -> String {
    use sea_orm::{ConnectionTrait, Statement};
    let ask = Statement::from_string(app.ctx.db.get_database_backend(), format!("EXPLAIN QUERY PLAN {question}"));
    let rows = app.ctx.db.query_all_raw(ask).await.unwrap();
    rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap()).collect::<Vec<_>>().join("; ")
}

fn condition(page: &Html, part: &str) -> String {
    let names = page.texts("#parts li p:first-child");
    let at = names.iter().position(|name| name == part).unwrap_or_else(|| panic!("no {part} in {names:?}"));
    page.attributes("#parts li", "data-condition")[at].clone()
}

/// F55: Redis stops: its line turns red, and the page loads all the same.
#[tokio::test]
async fn a_redis_that_stops_is_red() {
    let Some(redis) = Redis::start().await else { return };
    let app = TestApp::with(Setup { redis: Some(redis.url()), ..Setup::default() }).await;
    let cy = app.sign_in_staff("cy").await;
    assert_eq!(condition(&cy.get("/admin/health").await.html(), "Redis"), "well");

    drop(redis);
    eventually("the red line", || async {
        let page = cy.get("/admin/health").await;
        assert_eq!(page.status, 200);
        (condition(&page.html(), "Redis") == "down").then_some(())
    })
    .await;
    let ada = app.sign_in("ada").await;
    assert_eq!(ada.make("a boat", &[]).await.texts(".cell img").len(), 1, "and pictures are made");
    app.finish().await;
}

/// F55: what is down is red and says what to do, and the page loads all the same: storage, mail, keys, a processor, jobs.
#[tokio::test]
async fn what_is_down_is_red() {
    let mut app = TestApp::with(Setup { jobs: false, s3: false, ..Setup::default() }).await;
    let cy = app.sign_in_staff("cy").await;
    let well = cy.get("/admin/health").await.html();
    for part in ["Database", "Jobs", "Storage", "Mail", "Provider keys"] {
        assert_eq!(condition(&well, part), "well", "{part}: {}", well.text());
    }
    assert_eq!(condition(&well, "Payments: btcpay"), "well", "{}", well.text());
    assert_eq!(condition(&well, "Proxies"), "absent");
    assert_eq!(app.readiness().await.status, 200);

    for key in ["sandbox-k1", "sandbox-k2", "sandbox-k3"] {
        activation::disable(&app.ctx, app.key(key).await.id, "a test", &Actor::Cli).await.unwrap();
    }
    let files = app.files();
    std::fs::rename(&files, app.folder.path().join("elsewhere")).ok();
    std::fs::write(&files, "not a folder").unwrap();
    let job = "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, created_at) \
               SELECT 'Nobody', '{}', 'default', 0, 'queued', created_at, 0, 1, created_at FROM users WHERE id = 1";
    app.sql(job).await;
    app.set_time("jobs", "run_at", Utc::now() - TimeDelta::minutes(6), "class = 'Nobody'").await;
    drop(std::mem::replace(&mut app.sandbox, sandbox::Sandbox::start(sandbox::Options::default()).await.unwrap()));

    let red = cy.get("/admin/health").await;
    assert_eq!(red.status, 200);
    let red = red.html();
    assert_eq!(condition(&red, "Database"), "well");
    for part in ["Jobs", "Storage", "Mail", "Provider keys", "Payments: btcpay"] {
        assert_eq!(condition(&red, part), "down", "{part}: {}", red.text());
    }
    assert!(red.texts("h1").concat().contains("parts are down"), "{:?}", red.texts("h1"));
    let ready = app.readiness().await;
    let said: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!((ready.status, &said["database"], &said["storage"]), (503, &true.into(), &false.into()));
    assert_eq!(app.visitor().get("/up").await.status, 200);
    app.abandon().await;
}

/// F55: a store that stops is as red as a folder that cannot be written to, and the page loads all the same; back, it is well.
#[tokio::test]
async fn a_store_that_stops_is_red() {
    let app = TestApp::with(Setup { jobs: false, s3: true, ..Setup::default() }).await;
    let cy = app.sign_in_staff("cy").await;
    assert_eq!(condition(&cy.get("/admin/health").await.html(), "Storage"), "well");

    app.s3().stop().await;
    let red = cy.get("/admin/health").await;
    assert_eq!((red.status, condition(&red.html(), "Storage").as_str()), (200, "down"), "{}", red.html().text());
    assert_eq!(condition(&red.html(), "Database"), "well");
    let ready = app.readiness().await;
    let said: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!((ready.status, &said["database"], &said["storage"]), (503, &true.into(), &false.into()));

    app.s3().restart();
    eventually("the green line", || async {
        let page = cy.get("/admin/health").await.html();
        let is_ready = app.readiness().await.status == 200;
        (condition(&page, "Storage") == "well" && is_ready).then_some(())
    })
    .await;
    app.finish().await;
}

/// The names that README.md promises are there, with their labels, on a port of their own; the site does not have them.
#[tokio::test]
async fn prometheus_reads_the_metrics() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let ada = app.sign_in("ada").await;
    let port = free_port();
    let (_, recipient) = backups::new_identity();
    let (dir, port) = (app.folder.path().join("backups").display().to_string(), port.to_string());
    let settings = [
        ("METRICS_PORT", port.as_str()),
        ("BINDING", "127.0.0.1"),
        ("BACKUP_DIR", &dir),
        ("BACKUP_RECIPIENT", &recipient),
    ];
    let process = Process::all(&app, &settings);
    ada.make("a lighthouse", &[]).await;
    app.task("object_sweep", &[]).await.unwrap();
    app.sql(
        "INSERT INTO backups (name, bytes, objects, taken_at) SELECT 'one', 1234, 2, created_at FROM users WHERE id = 1",
    )
    .await;
    balance::enter(&app.ctx, app.key("sandbox-k2").await.id, 12_500_000, &Actor::Cli).await.unwrap();
    let url = format!("http://127.0.0.1:{port}/metrics");
    let metrics = eventually("the metrics of a picture", || async {
        let answer = reqwest::Client::new().get(&url).timeout(Duration::from_secs(5)).send().await.ok()?;
        let text = answer.text().await.ok()?;
        text.contains("nproxy_attempts_total").then_some(text)
    })
    .await;
    for line in [
        "nproxy_key_state{provider=\"gemini\",state=\"active\"} 3",
        "nproxy_key_state{provider=\"gemini\",state=\"manual_review\"} 0",
        "nproxy_attempts_total{provider=\"gemini\",class=\"delivered\"} 1",
        "nproxy_attempt_seconds_count{class=\"delivered\"} 1",
        "nproxy_pick_seconds_count 1",
        "nproxy_key_leases 0",
        "nproxy_pool_eligible 3",
        "nproxy_key_balance{provider=\"gemini\",key=\"sandbox-k2\"} 12.5",
        "nproxy_jobs_dead 0",
        "nproxy_queue_age_seconds ",
        "nproxy_payment_age_seconds 0",
        "nproxy_backup_age_seconds ",
        "nproxy_backup_bytes 1234",
        "nproxy_stored_objects 2",
        "nproxy_stored_bytes ",
        "nproxy_disk_free_bytes{folder=",
    ] {
        assert!(metrics.lines().any(|it| it.starts_with(line)), "{line} is not in\n{metrics}");
    }
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for name in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(readme.contains(&format!("`{name}")), "README.md does not explain {name}");
    }
    assert_eq!(app.visitor().get("/metrics").await.status, 404);
    process.stop().await;
    app.finish().await;
}
