//! Who looks on while the pool works, and what the rows tell afterwards.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use nproxy::models::{attempts, provider_keys};
use sandbox::Call;
use sea_orm::{ConnectionTrait, Statement};

use crate::support::TestApp;

const EVERY: Duration = Duration::from_millis(40);
/// Who moves again has sent within this time what he was about to send.
const SENDS_WITHIN: TimeDelta = TimeDelta::milliseconds(500);
const STRIKES: [&str; 3] = ["transient", "not_sent", "ambiguous"];

type Time = DateTime<Utc>;

/// What was seen.
#[derive(Debug, Default)]
pub struct Watch {
    /// The vendor's log by the ids of its calls.
    calls: Mutex<HashMap<u64, Call>>,
    /// When somebody who had stood still moved again.
    thawed: Mutex<Vec<Time>>,
    wrong: Mutex<Vec<String>>,
}

impl Watch {
    /// Looks until it is over.
    pub async fn look(&self, app: &TestApp, is_over: &AtomicBool) {
        let mut before: HashMap<i64, provider_keys::Model> = HashMap::new();
        while !is_over.load(Ordering::SeqCst) {
            for call in app.sandbox.gemini().calls() {
                self.calls.lock().unwrap().insert(call.id, call);
            }
            self.leases(app).await;
            for key in provider_keys::list(&app.ctx.db).await.unwrap() {
                if let Some(before) = before.insert(key.id, key.clone()) {
                    self.rest(&before, &key);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// 8: never more than the key carries.
    async fn leases(&self, app: &TestApp) {
        let sql = "SELECT k.label, k.max_concurrency, l.expires_at FROM key_leases l \
                   JOIN provider_keys k ON k.id = l.provider_key_id";
        let db = &app.ctx.db;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let now = Utc::now();
        let mut live: HashMap<String, (i64, i64)> = HashMap::new();
        for row in rows {
            let expires_at: Time = row.try_get("", "expires_at").unwrap();
            let cap = row.try_get("", "max_concurrency").unwrap();
            let count = live.entry(row.try_get("", "label").unwrap()).or_insert((0, cap));
            count.0 += i64::from(expires_at > now);
        }
        for (key, (count, cap)) in live {
            if count > cap {
                self.wrong(format!("{count} leases on {key}, which carries {cap}"));
            }
        }
    }

    /// 5: while a key rests, the end of its rest moves only away.
    fn rest(&self, before: &provider_keys::Model, after: &provider_keys::Model) {
        // Through another state it takes two moves, and that is a new rest.
        if after.epoch <= before.epoch + 1
            && let (Some(was), Some(is)) = (before.cooldown_until, after.cooldown_until)
            && is < was
        {
            self.wrong(format!("the rest of {} ended at {was} and ends at {is}", after.label));
        }
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub fn thaws(&self) {
        self.thawed.lock().unwrap().push(Utc::now());
    }

    /// 8 and 14: as the vendor saw it, too, no key carried more calls than it may, and no picture was asked for twice at the
    /// same time. A caller that dies is gone for the vendor at once; one that stands still has its answer before anybody
    /// takes over. What nobody can prevent is left out: a request that was written when the caller stood still, and is sent
    /// when it moves again.
    pub fn found_nothing(&self, caps: &[(&str, i32)]) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} times, first: {}", wrong.len(), wrong[0]);
        let thawed = self.thawed.lock().unwrap();
        let is_late = |call: &Call| thawed.iter().any(|at| (*at..*at + SENDS_WITHIN).contains(&call.started_at));
        let calls = self.calls.lock().unwrap();
        println!("{} calls reached the vendor", calls.len());
        let in_time = || calls.values().filter(|call| !is_late(call));
        for (key, cap) in caps {
            let most = most_at_once(in_time().filter(|call| call.key == *key));
            assert!(most <= *cap, "{key}: {most} calls at once");
        }
        let mut prompts: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
        for call in in_time().filter(|call| call.prompt.starts_with("boat ")) {
            prompts.entry(&call.prompt).or_default().push(call);
        }
        for (prompt, calls) in prompts {
            let most = most_at_once(calls.into_iter());
            let pictures: i32 = prompt.rsplit_once('x').unwrap().1.parse().unwrap();
            assert!(most <= pictures, "{prompt:?}: {most} calls at once");
        }
    }
}

fn most_at_once<'a>(calls: impl Iterator<Item = &'a Call>) -> i32 {
    let mut moments: Vec<_> =
        calls.flat_map(|call| [(call.started_at, 1), (call.finished_at.unwrap_or(call.started_at), -1)]).collect();
    moments.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in moments {
        now += change;
        most = most.max(now);
    }
    most
}

/// Every run is settled, every call closed, every picture paid once; and each key was judged by its own calls.
pub async fn is_accounted_for(app: &TestApp) {
    for (what, sql) in [
        ("runs without an end", "SELECT COUNT(*) FROM runs WHERE finished_at IS NULL"),
        ("holds without an end", "SELECT COUNT(*) FROM holds WHERE state = 'open'"),
        ("leases", "SELECT COUNT(*) FROM key_leases"),
        ("calls without an end", "SELECT COUNT(*) FROM attempts WHERE outcome = 'open'"),
        ("lost calls", "SELECT COUNT(*) FROM attempts WHERE outcome = 'unknown' AND NOT maybe_billed"),
        (
            "calls beyond the budget of those that may have been billed",
            "SELECT COUNT(*) FROM (SELECT 1 FROM attempts WHERE maybe_billed GROUP BY run_id, position \
             HAVING COUNT(*) > 2) AS t",
        ),
        (
            "pictures that were delivered twice",
            "SELECT COUNT(*) FROM (SELECT 1 FROM attempts WHERE outcome = 'delivered' GROUP BY run_id, position \
             HAVING COUNT(*) > 1) AS t",
        ),
    ] {
        assert_eq!(app.count(sql).await, 0, "{what}");
    }
    let captured = app.count("SELECT CAST(SUM(captured_amount) AS BIGINT) FROM holds").await;
    let pictures = app.pictures().await;
    assert_eq!(captured, pictures, "paid and delivered");
    assert_eq!(app.count("SELECT COUNT(*) FROM assets WHERE origin = 'output'").await, pictures);
    // What came too late for its run was delivered by the vendor all the same, and fills no place.
    let by_a_call = "SELECT COUNT(*) FROM attempts a JOIN outputs o ON o.run_id = a.run_id AND o.position = a.position \
                     WHERE a.outcome = 'delivered' AND o.state = 'done'";
    assert_eq!(app.count(by_a_call).await, pictures, "each picture came by one call");
    let runs = app.count("SELECT COUNT(*) FROM runs").await;
    let succeeded = app.count("SELECT COUNT(*) FROM runs WHERE state = 'succeeded'").await;
    let lost = app.count("SELECT COUNT(*) FROM attempts WHERE outcome = 'unknown'").await;
    println!("{succeeded} of {runs} runs brought {pictures} pictures; {lost} calls were cut off");
    println!(
        "{:?}",
        app.texts("SELECT state || ' ' || COALESCE(failure, '') FROM runs WHERE state <> 'succeeded'").await
    );
    assert!(succeeded * 10 >= runs * 8, "most runs live through it");
    assert!(lost > 0, "somebody died in the middle of a call");

    let mut calls = vec![];
    for run in 1..=app.newest_run().await {
        calls.extend(attempts::of_run(&app.ctx.db, run).await.unwrap());
    }
    one_at_a_time(&calls);
    for key in provider_keys::list(&app.ctx.db).await.unwrap() {
        println!("{} {} {} after {} pictures", key.label, key.state, key.consecutive_failures, key.successes);
        if key.state == "manual_review" {
            struck_out(&key, &calls);
        }
    }
    assert_eq!(app.key("sandbox-dead").await.successes, 0);
}

/// 2 and 14: for one picture a call begins after the one before has ended, and none after the picture has come.
fn one_at_a_time(calls: &[attempts::Model]) {
    let mut places: HashMap<(i64, i64), Vec<&attempts::Model>> = HashMap::new();
    for call in calls {
        places.entry((call.run_id, call.position)).or_default().push(call);
    }
    for calls in places.values_mut() {
        calls.sort_unstable_by_key(|call| call.id);
        for pair in calls.windows(2) {
            assert!(pair[0].finished_at.unwrap() <= pair[1].created_at, "two calls at once: {pair:?}");
            assert_ne!(pair[0].outcome, "delivered", "called again after the picture had come: {pair:?}");
        }
    }
}

/// 4: eleven strikes, each of another generation of leases, and no picture among them.
fn struck_out(key: &provider_keys::Model, calls: &[attempts::Model]) {
    assert!(key.consecutive_failures > 10, "{key:?}");
    let mine = || calls.iter().filter(|call| call.provider_key_id == key.id);
    let mut epochs: Vec<i64> =
        mine().filter(|call| STRIKES.contains(&call.outcome.as_str())).map(|call| call.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    // A question at the very end of an incident may be one of them, and is no call.
    assert!(epochs.len() >= 10, "{} has struck out after {} strikes", key.label, epochs.len());
    let first = epochs[epochs.len() - 10];
    let praised = mine().find(|call| call.outcome == "delivered" && call.epoch > first);
    assert!(praised.is_none(), "{} was sent to a person after {praised:?}", key.label);
}
