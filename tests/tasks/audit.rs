//! Every task that changes something leaves exactly one activity; and the log that they write cannot be rewritten unseen.

use std::collections::BTreeMap;

use loco_rs::{app::Hooks, task::Tasks};
use nproxy::{app::App, models::activities::check};
use sea_orm::DbBackend;

use super::quiet;
use crate::support::{Setup, TestApp};

/// What a task does to the world, and how it is run.
enum Kind {
    /// Looks, and changes nothing.
    Looks,
    /// Run by the timetable: what it changes it does as `system:nproxy`, each change with its own trace.
    Timetable,
    /// Changes something for an operator, under the name that the web and the bot have for it too.
    Changes(&'static str, Vec<&'static str>),
    /// Changes something that only a chat can begin; its row is counted in `tests/bot`.
    Chats,
    /// Changes everything, and leaves its rows where that is tested: `tests/tasks/backups.rs`, `tests/models/vault.rs`.
    Elsewhere,
}

/// F62, invariant 10: each task that changes something is run once and leaves exactly one row, written by the console, of the
/// kind that the same change has on the other faces (`requests/admin/doors.rs`, `bot/deeds.rs`). A task that is not in this
/// list fails the test: say what it does.
#[tokio::test]
async fn f62_every_task_leaves_exactly_one_row() {
    let app = TestApp::start().await;
    let bo = app.sign_in("bo").await;
    // More than the free pictures can pay back, so that a debt is left to be let go.
    bo.make("a lighthouse, so that something was used", &[("batch_size", "4")]).await;
    app.visitor().post("/register", &[("email", "fay@example.com"), ("password", "a long enough sentence")]).await;
    let invoice = app.bill(&app.sign_in("eve").await, "btcpay").await;
    let invoice = app.invoice(&invoice).await.id;
    app.idle().await;
    let plan = app.count("SELECT id FROM allowances WHERE source LIKE 'seed:%' ORDER BY id LIMIT 1").await;
    let secret = app.folder.path().join("secret");
    std::fs::write(&secret, "sandbox-of-the-audit").unwrap();
    let way = app.folder.path().join("way");
    std::fs::write(&way, "http://ann:secret@127.0.0.1:9").unwrap();
    let again = app.folder.path().join("again");
    std::fs::write(&again, "sandbox-of-the-audit-again").unwrap();
    for label in ["retried", "discarded"] {
        app.sql(&format!(
            "INSERT INTO jobs (class, args, queue, priority, state, run_at, attempts, max_attempts, last_error, created_at, \
             finished_at) SELECT 'FulfilRun', '{{\"run\":999999}}', 'default', 0, 'dead', created_at, 10, 10, '{label}', \
             created_at, created_at FROM users WHERE email = 'ada@example.com'"
        ))
        .await;
    }
    let job = async |label: &str| app.count(&format!("SELECT id FROM jobs WHERE last_error = '{label}'")).await;
    let (retried, discarded) = (job("retried").await, job("discarded").await);
    let texts: &'static [String] = Box::leak(Box::new([
        format!("allowance:{plan}"),
        format!("invoice:{invoice}"),
        format!("secret_file:{}", secret.display()),
        format!("url_file:{}", way.display()),
        format!("secret_file:{}", again.display()),
        format!("job:{retried}"),
        format!("job:{discarded}"),
    ]));
    let [plan, invoice, secret, way, again, retried, discarded] = texts else { panic!("seven") };

    use Kind::{Changes, Chats, Elsewhere, Looks, Timetable};
    // In the order in which they are run.
    let tasks = [
        ("grant", Changes("grant_allowance", vec!["email:ada@example.com", "kind:tokens", "amount:5"])),
        ("allowance_adjust", Changes("adjust_allowance", vec![plan, "by:1", "reason:a slip"])),
        ("allowance_revoke", Changes("revoke_allowance", vec![plan, "reason:refunded", "confirm:yes"])),
        ("debt_clear", Changes("forgive_debt", vec!["debt:1", "reason:our fault"])),
        ("invoice_check", Changes("check_invoice", vec![invoice, "reason:asked"])),
        ("invoice_mark_paid", Changes("mark_invoice_paid", vec![invoice, "reason:paid by bank"])),
        ("invoice_refund", Changes("refund_invoice", vec![invoice, "reason:not as hoped", "confirm:yes"])),
        ("subscription_give", Changes("grant_allowance", vec!["email:dee@example.com", "reason:thanks"])),
        ("key_add", Changes("create_provider_key", vec!["provider:gemini", "label:audit", secret])),
        ("key_balance", Changes("enter_provider_balance", vec!["key:audit", "dollars:5"])),
        ("key_disable", Changes("change_provider_key_state", vec!["key:audit"])),
        ("key_activate", Changes("change_provider_key_state", vec!["key:audit", "unasked:true"])),
        ("key_edit", Changes("edit_provider_key", vec!["key:audit", "concurrency:2"])),
        ("key_rotate", Changes("rotate_provider_key", vec!["key:audit", again, "reason:it leaked"])),
        ("job_retry", Changes("retry_job", vec![retried])),
        ("job_discard", Changes("discard_job", vec![discarded, "reason:nobody wants it"])),
        ("pair", Chats),
        ("pair_revoke", Chats),
        ("proxy_add", Changes("create_proxy", vec!["label:audit", way])),
        ("proxy_disable", Changes("change_proxy_state", vec!["proxy:audit"])),
        ("proxy_activate", Changes("change_proxy_state", vec!["proxy:audit"])),
        ("user_activate", Changes("activate_user", vec!["email:fay@example.com"])),
        ("user_block", Changes("block_user", vec!["email:eve@example.com"])),
        ("user_unblock", Changes("unblock_user", vec!["email:eve@example.com"])),
        ("admin_create", Changes("create_admin", vec!["email:olga@example.com"])),
        ("role_change", Changes("change_role", vec!["email:bo@example.com", "role:support"])),
        ("second_factor_reset", Changes("reset_second_factor", vec!["email:cy@example.com"])),
        ("switch_set", Changes("pause_generation", vec!["name:generation_paused", "on:true"])),
        ("restore", Elsewhere),
        ("secrets_rotate", Elsewhere),
        ("account_cleanup", Timetable),
        ("alert_check", Timetable),
        ("backup", Timetable),
        ("pair_cleanup", Timetable),
        ("allowance_expiry", Timetable),
        ("invoice_poll", Timetable),
        ("invoice_reconcile", Timetable),
        ("jobs_tidy", Timetable),
        ("key_cooldown_recovery", Timetable),
        ("object_sweep", Timetable),
        ("provider_balance_refresh", Timetable),
        ("renewal_invoices", Timetable),
        ("stuck_run_recovery", Timetable),
        ("subscription_expiry_warnings", Timetable),
        ("activity_list", Looks),
        ("allowance_list", Looks),
        ("backup_identity", Looks),
        ("doctor", Looks),
        ("job_list", Looks),
        ("landing_build", Looks),
        ("pair_list", Looks),
        ("run_show", Looks),
        ("user_find", Looks),
        ("audit_check", Looks),
        ("key_list", Looks),
        ("key_test", Looks),
        ("ledger_check", Looks),
        ("object_check", Looks),
        ("proxy_list", Looks),
        ("proxy_test", Looks),
        ("switch_list", Looks),
    ];
    let known: BTreeMap<_, _> = tasks.iter().map(|(name, kind)| (*name, kind)).collect();
    let mut registered = Tasks::default();
    App::register_tasks(&mut registered);
    for info in registered.list() {
        assert!(known.contains_key(info.name.as_str()), "the task {} is not in this list: say what it does", info.name);
    }
    assert_eq!(registered.list().len(), known.len());

    // So that a factor is there to be reset.
    app.sign_in_staff("cy").await;
    for (name, kind) in &tasks {
        let Changes(what, arguments) = kind else { continue };
        let before = app.count("SELECT COUNT(*) FROM activities").await;
        let pairs: Vec<_> = arguments.iter().map(|pair| pair.split_once(':').unwrap()).collect();
        app.task(name, &pairs).await.unwrap_or_else(|error| panic!("{name} {arguments:?}: {error}"));
        assert_eq!(app.count("SELECT COUNT(*) FROM activities").await - before, 1, "{name}");
        let newest = "SELECT actor_type || ' ' || activity_type FROM activities ORDER BY id DESC LIMIT 1";
        assert_eq!(app.text(newest).await, format!("cli {what}"), "{name}");
    }
    assert!(check::run(&app.ctx.db, None).await.unwrap().findings.is_empty());
    app.finish().await;
}

async fn without_triggers(app: &TestApp) {
    if app.ctx.db.get_database_backend() == DbBackend::Postgres {
        app.sql("DROP TRIGGER activities_append_only ON activities").await;
        app.sql("DROP TRIGGER activity_heads_go_on ON activity_heads").await;
        app.sql("DROP TRIGGER activity_heads_follow ON activities").await;
    } else {
        for name in ["activities_no_update", "activities_no_delete", "activity_heads_go_on", "activity_heads_follow"] {
            app.sql(&format!("DROP TRIGGER {name}")).await;
        }
    }
}

/// F53: the database itself refuses to change or remove a row, and to move the end of the log back.
#[tokio::test]
async fn f53_the_log_refuses_to_be_edited() {
    use sea_orm::ConnectionTrait;
    let app = quiet().await;
    for sql in [
        "UPDATE activities SET actor_id = '1'",
        "DELETE FROM activities",
        "UPDATE activity_heads SET length = 1",
        "DELETE FROM activity_heads",
    ] {
        let refused = app.ctx.db.execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only") || refused.contains("only grows"), "{sql}: {refused}");
    }
    app.finish().await;
}

/// I21: a row that was altered, removed from the middle, taken off the end or put in between is found and named, by the real
/// binary with exit code 1, also when the triggers are gone; so is a whole log written anew, by who kept its head.
#[tokio::test]
async fn i21_tampering_is_found_and_named() {
    let app = quiet().await;
    for amount in ["1", "2", "3", "4"] {
        app.task("grant", &[("email", "ada@example.com"), ("kind", "tokens"), ("amount", amount)]).await.unwrap();
    }
    let fine = app.nproxy(&["task", "audit_check"]).await;
    assert_eq!(fine.code, Some(0), "{}", fine.said());
    assert!(fine.out.contains("the audit log holds: "), "{}", fine.out);
    let head = app.text("SELECT hash FROM activity_heads").await;
    let kept = app.nproxy(&["task", "audit_check", &format!("head:{head}")]).await;
    assert_eq!(kept.code, Some(0), "{}", kept.said());
    let strange = app.nproxy(&["task", "audit_check", "head:0123"]).await;
    assert_eq!(strange.code, Some(1));
    assert!(strange.out.contains("the head that was kept is not in the log any more"), "{}", strange.out);

    without_triggers(&app).await;
    let last = app.count("SELECT MAX(id) FROM activities").await;
    let findings = async || {
        let proof = check::run(&app.ctx.db, None).await.unwrap();
        proof.findings.into_iter().map(|finding| format!("{} {}", finding.id, finding.says)).collect::<Vec<_>>()
    };
    assert_eq!(findings().await, Vec::<String>::new());

    // Altered.
    let was = app.text(&format!("SELECT actor_id FROM activities WHERE id = {}", last - 2)).await;
    app.sql(&format!("UPDATE activities SET actor_id = 'somebody else' WHERE id = {}", last - 2)).await;
    assert_eq!(
        findings().await,
        [format!("{} was altered: it does not say what it said when it was written", last - 2)]
    );
    let end = app.nproxy(&["task", "audit_check"]).await;
    assert_eq!(end.code, Some(1), "{}", end.said());
    assert!(end.out.contains(&format!("activity {} was altered", last - 2)), "{}", end.out);
    app.sql(&format!("UPDATE activities SET actor_id = '{was}' WHERE id = {}", last - 2)).await;
    assert_eq!(findings().await, Vec::<String>::new());

    // Removed, and put back after the end: the numbers are no order of their own.
    app.sql(&format!("CREATE TABLE hidden AS SELECT * FROM activities WHERE id = {}", last - 1)).await;
    app.sql(&format!("DELETE FROM activities WHERE id = {}", last - 1)).await;
    let found = findings().await;
    assert!(found[0].starts_with(&format!("{last} does not follow row {}", last - 2)), "{found:?}");
    assert!(found[1].starts_with("0 the log has "), "{found:?}");
    app.sql("INSERT INTO activities SELECT * FROM hidden").await;
    assert_eq!(findings().await, Vec::<String>::new());

    // Taken off the end.
    app.sql("DELETE FROM hidden").await;
    app.sql(&format!("INSERT INTO hidden SELECT * FROM activities WHERE id = {last}")).await;
    app.sql(&format!("DELETE FROM activities WHERE id = {last}")).await;
    let found = findings().await;
    assert!(found.len() == 1 && found[0].contains("the end replaced"), "{found:?}");
    app.sql("INSERT INTO activities SELECT * FROM hidden").await;

    // Put in between, with a right hash of its own: the row after it goes past it.
    app.sql(&format!("UPDATE activities SET id = {} WHERE id = {last}", last + 5)).await;
    app.sql(&format!(
        "INSERT INTO activities SELECT {last}, {uuid}, actor_type, actor_id, activity_type, resource_type, resource_id, detail, \
         'nothing', 'invented', created_at FROM activities WHERE id = {}",
        last - 1,
        uuid = if app.ctx.db.get_database_backend() == DbBackend::Postgres { "gen_random_uuid()" } else { "randomblob(16)" },
    ))
    .await;
    let found = findings().await;
    assert!(found.iter().any(|it| it.starts_with(&format!("{last} was altered"))), "{found:?}");
    assert!(found.iter().any(|it| it == &format!("{last} was inserted: the chain goes past it")), "{found:?}");
    app.abandon().await;
}

/// The first owner comes from the console: a link sets the password once, no password is ever made up; somebody who is there
/// already is raised, and the last owner stays.
#[tokio::test]
async fn the_first_owner_comes_from_the_console() {
    let app = TestApp::with(Setup { jobs: false, ..Setup::default() }).await;
    let made = app.nproxy(&["task", "admin_create", "email:Olga@example.com"]).await;
    assert_eq!(made.code, Some(0), "{}", made.said());
    assert!(made.out.contains("is owner at "), "{}", made.out);
    let link = made.out.lines().find(|line| line.contains("/password/reset?token=")).unwrap();
    let path = &link[link.find("/password/reset").unwrap()..];
    let olga = app.visitor();
    let refused = olga.post("/login", &[("email", "olga@example.com"), ("password", "")]).await;
    assert_eq!(refused.status, 422, "there is no password yet");
    let form = olga.get(path).await.html().form("form[action='/password/reset']");
    let set = olga.submit(&form.fill("password", "a long enough sentence")).await;
    assert_eq!(set.status, 303, "{}", set.html().text());
    assert!(olga.get("/admin").await.location().starts_with("/admin/second-factor"));
    assert_eq!(app.user("olga").await.role, "owner");

    let again = app.nproxy(&["task", "admin_create", "email:ada@example.com", "role:admin", "json:true"]).await;
    assert_eq!(again.code, Some(0), "{}", again.said());
    assert!(again.out.contains("\"link\":null") && again.out.contains("\"role\":\"admin\""), "{}", again.out);
    let last = app.nproxy(&["task", "role_change", "email:olga@example.com", "role:user"]).await;
    assert_eq!(last.code, Some(1));
    assert!(last.said().contains("olga@example.com is the only owner"), "{}", last.said());
    for (arguments, said) in [
        (["email:x@example.com", "role:user"], "role:user opens no web admin"),
        (["email:x@example.com", "role:king"], "role:king is not known"),
        (["email:nobody", "role:owner"], "nobody is no mail address"),
    ] {
        let end = app.nproxy(&[&["task", "admin_create"], arguments.as_slice()].concat()).await;
        assert_eq!(end.code, Some(1));
        assert!(end.said().contains(said), "{}", end.said());
    }
    app.finish().await;
}
