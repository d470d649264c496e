//! One job per entry and tick, whatever the number of hosts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use durable_jobs::{
    DurableQueue, Recurring, Schedule,
    entity::{job::State, tick},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{Bench, bench, job, on, quick, start, until};

fn entry(name: &str, schedule: &str) -> Recurring {
    Recurring { name: name.into(), schedule: schedule.into(), class: "Tick".into(), args: json!({ "of": name }) }
}

async fn host(bench: &Bench, entries: &[Recurring]) -> DurableQueue {
    let queue = bench.queue(quick());
    on(&queue, "Tick", |_, _| async { Ok(()) }).await;
    queue.timetable(entries.to_vec());
    queue
}

async fn last_tick(bench: &Bench, name: &str) -> Option<DateTime<Utc>> {
    tick::Entity::find_by_id(name).one(&bench.db).await.unwrap().map(|row| row.last_tick)
}

async fn set_last_tick(bench: &Bench, name: &str, at: DateTime<Utc>) {
    tick::ActiveModel { name: Set(name.into()), last_tick: Set(at) }.insert(&bench.db).await.unwrap();
}

async fn jobs(bench: &Bench) -> i64 {
    bench.number("SELECT COUNT(*) AS n FROM jobs").await
}

#[test]
fn schedules_are_read_as_loco_reads_them() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let now = at("2026-11-21T10:07:30.5Z");
    for (schedule, latest, next) in [
        ("0 */5 * * * *", "2026-11-21T10:05:00Z", "2026-11-21T10:10:00Z"),
        ("0 */5 * * * * *", "2026-11-21T10:05:00Z", "2026-11-21T10:10:00Z"),
        ("*/10 * * * * *", "2026-11-21T10:07:30Z", "2026-11-21T10:07:40Z"),
        ("0 30 4 * * *", "2026-11-21T04:30:00Z", "2026-11-22T04:30:00Z"),
        ("0 0 0 1 1 *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("every 5 minutes", "2026-11-21T10:05:00Z", "2026-11-21T10:10:00Z"),
        ("every 15 seconds", "2026-11-21T10:07:30Z", "2026-11-21T10:07:45Z"),
        ("every day at 4:00 pm", "2026-11-20T16:00:00Z", "2026-11-21T16:00:00Z"),
        ("on Sunday at 12:00", "2026-11-15T12:00:00Z", "2026-11-22T12:00:00Z"),
        ("every 24 hours", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
    ] {
        let read = Schedule::parse(schedule).unwrap();
        assert_eq!(read.latest(now), Some(at(latest)), "{schedule}");
        assert_eq!(read.next(now), Some(at(next)), "{schedule}");
    }
    let never = Schedule::parse("0 0 0 31 2 *").unwrap();
    assert_eq!((never.latest(now), never.next(now)), (None, None));
    for nonsense in ["", "0 61 * * * *", "* *", "whenever you like"] {
        assert!(entry("x", nonsense).parse().is_err(), "{nonsense}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_make_one_job_per_tick() {
    bench(async |bench| {
        let entries = [entry("second", "* * * * * *"), entry("nonsense", "whenever you like")];
        let hosts = [host(bench, &entries).await, host(bench, &entries).await];
        let running = hosts.iter().map(start).collect::<Vec<_>>();
        until(async || last_tick(bench, "second").await.is_some()).await;
        let first = last_tick(bench, "second").await.unwrap();
        bench.all_done_at_least(4).await;
        for running in running {
            running.stop().await;
        }
        let passed = (last_tick(bench, "second").await.unwrap() - first).num_milliseconds();
        // Second by second: no more jobs than ticks that passed since the first look.
        assert!(jobs(bench).await <= passed / 1000 + 1, "{} jobs in {passed} ms", jobs(bench).await);
        assert_eq!(last_tick(bench, "nonsense").await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_that_were_missed_count_as_one_for_all_hosts() {
    bench(async |bench| {
        let new_year = entry("new_year", "0 0 0 1 1 *");
        set_last_tick(bench, "new_year", Utc::now() - TimeDelta::days(3 * 366)).await;
        let mut hosts = Vec::new();
        for _ in 0..4 {
            hosts.push(host(bench, std::slice::from_ref(&new_year)).await);
        }
        let running = hosts.iter().map(start).collect::<Vec<_>>();
        bench.all_done(1).await;
        sleep(Duration::from_millis(500)).await;
        for running in running {
            running.stop().await;
        }
        assert_eq!(jobs(bench).await, 1);
        assert_eq!(last_tick(bench, "new_year").await, new_year.parse().unwrap().latest(Utc::now()));
    })
    .await;
}

#[tokio::test]
async fn the_first_start_waits_for_the_next_tick() {
    bench(async |bench| {
        let queue = host(bench, &[entry("new_year", "0 0 0 1 1 *")]).await;
        let running = start(&queue);
        until(async || last_tick(bench, "new_year").await.is_some()).await;
        sleep(Duration::from_millis(300)).await;
        running.stop().await;
        assert_eq!(jobs(bench).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_tick_hurries_the_former_job_and_makes_no_second_one() {
    bench(async |bench| {
        let long_ago = Utc::now() - TimeDelta::days(400);
        set_last_tick(bench, "new_year", long_ago).await;
        let waiting = job("Elsewhere").unique("recurring:new_year").in_(Duration::from_secs(3600));
        let former = bench.put(waiting).await.id;
        let was_to_run = bench.row(former).await.run_at;
        let queue = host(bench, &[entry("new_year", "0 0 0 1 1 *")]).await;
        let running = start(&queue);
        until(async || last_tick(bench, "new_year").await.unwrap() > long_ago + TimeDelta::days(1)).await;
        running.stop().await;
        assert_eq!(jobs(bench).await, 1);
        let row = bench.row(former).await;
        assert_eq!(row.state, State::Queued);
        assert!(row.run_at < was_to_run - TimeDelta::minutes(30), "{}", row.run_at);
    })
    .await;
}
