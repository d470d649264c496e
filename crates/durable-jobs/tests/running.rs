//! What happens to a job that is claimed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use durable_jobs::{NewJob, Settings, current, entity::job::State, tx};
use loco_rs::{
    Error, Result,
    app::AppContext,
    bgworker::{BackgroundWorker, Queue},
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{bench, connect, held, job, on, quick, start, start_for, until, with_alerts};

#[tokio::test(flavor = "multi_thread")]
async fn many_runners_execute_each_of_500_jobs_exactly_once() {
    bench(async |bench| {
        const JOBS: usize = 500;
        let ran = Arc::new(Mutex::new(HashMap::<i64, usize>::new()));
        tx::write(&bench.db, async |txn| {
            for _ in 0..JOBS {
                let _ = durable_jobs::enqueue(txn, job("Count")).await?;
            }
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
        let mut all = Vec::new();
        for _ in 0..5 {
            // A pool of its own, as another host would have.
            let queue = durable_jobs::DurableQueue::embedded(connect(&bench.url, 4).await, quick());
            let ran = ran.clone();
            on(&queue, "Count", move |id, _| {
                *ran.lock().unwrap().entry(id).or_default() += 1;
                async { Ok(()) }
            })
            .await;
            all.push(start(&queue));
        }
        bench.all_done(JOBS as u64).await;
        for running in all {
            running.stop().await;
        }
        assert_eq!(bench.number("SELECT COUNT(*) AS n FROM jobs WHERE attempts <> 1").await, 0);
        let ran = ran.lock().unwrap();
        assert_eq!(ran.len(), JOBS);
        assert!(ran.values().all(|times| *times == 1));
    })
    .await;
}

#[tokio::test]
async fn the_urgent_run_first_then_the_oldest() {
    bench(async |bench| {
        for (class, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", -1), ("e", 5)] {
            let _ = bench.put(job(class).priority(priority)).await;
        }
        let order = Arc::new(Mutex::new(String::new()));
        let queue = bench.queue(Settings { concurrency: 1, ..quick() });
        for class in ["a", "b", "c", "d", "e"] {
            let order = order.clone();
            on(&queue, class, move |_, _| {
                order.lock().unwrap().push_str(class);
                async { Ok(()) }
            })
            .await;
        }
        let running = start(&queue);
        bench.all_done(5).await;
        running.stop().await;
        assert_eq!(*order.lock().unwrap(), "beacd");
    })
    .await;
}

#[tokio::test]
async fn failure_is_tried_again_and_then_dead_with_one_alert() {
    bench(async |bench| {
        let (settings, alerts) = with_alerts(quick());
        let queue = bench.queue(settings);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let attempts = seen.clone();
        on(&queue, "Fail", move |_, _| {
            let current = current().unwrap();
            attempts.lock().unwrap().push((current.attempt, current.is_last()));
            async move { Err(Error::string(&format!("no luck, {}\0", current.attempt))) }
        })
        .await;
        let running = start(&queue);
        let id = bench.put(job("Fail").attempts(3)).await.id;
        let row = bench.reaches(id, State::Dead).await;
        until(async || !alerts.lock().unwrap().is_empty()).await;
        running.stop().await;

        assert_eq!(*seen.lock().unwrap(), [(1, false), (2, false), (3, true)]);
        assert_eq!((row.attempts, row.last_error.as_deref()), (3, Some("no luck, 3")));
        assert!(row.finished_at.is_some() && row.lease_token.is_none());
        let alerts = alerts.lock().unwrap();
        assert_eq!(alerts.len(), 1);
        assert_eq!((alerts[0].id, alerts[0].attempts, alerts[0].class.as_str()), (id, 3, "Fail"));
        assert!(current().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_a_failure_and_a_panicking_alert_harms_nobody() {
    bench(async |bench| {
        let settings = Settings { on_dead: Some(Arc::new(|_| panic!("the alert itself"))), ..quick() };
        let queue = bench.queue(settings);
        on(&queue, "Once", |_, _| async {
            assert!(current().unwrap().attempt > 1, "the first time hurts");
            Ok(())
        })
        .await;
        on(&queue, "Always", |_, _| -> std::future::Ready<Result<()>> { panic!("before there is a future") }).await;
        let running = start(&queue);
        let once = bench.put(job("Once")).await.id;
        let always = bench.put(job("Always").attempts(2)).await.id;
        assert_eq!(bench.reaches(once, State::Done).await.attempts, 2);
        let dead = bench.reaches(always, State::Dead).await;
        assert_eq!(dead.last_error.as_deref(), Some("panicked: before there is a future"));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_class_is_parked_and_never_dropped() {
    bench(async |bench| {
        let queue = bench.queue(quick());
        on(&queue, "Known", |_, _| async { Ok(()) }).await;
        let running = start(&queue);
        let unknown = bench.put(job("FromTheNextRelease").priority(9)).await.id;
        let known = bench.put(job("Known")).await.id;
        bench.reaches(known, State::Done).await;
        until(async || bench.row(unknown).await.last_error.is_some()).await;
        running.stop().await;
        let row = bench.row(unknown).await;
        assert_eq!((row.state, row.attempts), (State::Queued, 0));
        assert_eq!(row.last_error.as_deref(), Some("unknown class"));
        assert!((row.run_at - row.created_at).num_seconds() >= 300);
    })
    .await;
}

#[tokio::test]
async fn a_malformed_row_is_dead_and_the_runner_goes_on() {
    bench(async |bench| {
        let (settings, alerts) = with_alerts(Settings { concurrency: 1, ..quick() });
        let queue = bench.queue(settings);
        on(&queue, "Good", |_, _| async { Ok(()) }).await;
        let bad = bench.put(job("Good").priority(9)).await.id;
        bench.sql(&format!("UPDATE jobs SET args = '{{\"half' WHERE id = {bad}")).await;
        let worse = bench.put(job("Good").priority(8)).await.id;
        if !bench.is_postgres() {
            bench.sql(&format!("UPDATE jobs SET args = x'fffe' WHERE id = {worse}")).await;
        }
        let good = bench.put(job("Good")).await.id;
        let running = start(&queue);
        bench.reaches(good, State::Done).await;
        running.stop().await;
        let row = bench.row(bad).await;
        assert_eq!(row.state, State::Dead);
        assert!(row.last_error.unwrap().starts_with("malformed args"));
        let dead = if bench.is_postgres() { 1 } else { 2 };
        assert_eq!(bench.count(State::Dead).await, dead);
        assert_eq!(alerts.lock().unwrap().len() as u64, dead);
    })
    .await;
}

#[tokio::test]
async fn a_runner_takes_the_queues_it_was_started_for() {
    bench(async |bench| {
        let queue = bench.queue(quick());
        on(&queue, "Ping", |_, _| async { Ok(()) }).await;
        let other = bench.put(job("Ping").on("slow")).await.id;
        let mine = bench.put(job("Ping").on("mail")).await.id;
        let running = start_for(&queue, &["mail", "reports"]);
        bench.reaches(mine, State::Done).await;
        running.stop().await;
        assert_eq!(bench.row(other).await.state, State::Queued);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_jobs_at_a_time_than_slots() {
    bench(async |bench| {
        let queue = bench.queue(Settings { concurrency: 3, ..quick() });
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counter, peak) = (now.clone(), most.clone());
        on(&queue, "Busy", move |_, _| {
            let (counter, peak) = (counter.clone(), peak.clone());
            async move {
                peak.fetch_max(counter.fetch_add(1, SeqCst) + 1, SeqCst);
                sleep(Duration::from_millis(20)).await;
                counter.fetch_sub(1, SeqCst);
                Ok(())
            }
        })
        .await;
        for _ in 0..20 {
            let _ = bench.put(job("Busy")).await;
        }
        let running = start(&queue);
        bench.all_done(20).await;
        running.stop().await;
        assert_eq!(most.load(SeqCst), 3);
    })
    .await;
}

/// Who is started with that takes such a queue for one of long work.
fn with_long_queue(settings: Settings) -> Settings {
    Settings { long_queues: vec!["long".to_owned()], ..settings }
}

/// A payment and a mail are done while everything that takes long stands still, also when that has waited for longer.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_quick_does_not_wait_for_what_takes_long() {
    bench(async |bench| {
        // A poll of an hour: what runs was found by a claim, told of by a hint, or began when a slot was free again.
        let never = Duration::from_secs(3600);
        let four = Settings { concurrency: 4, poll_every: never, sweep_every: never, ..quick() };
        let queue = bench.queue(with_long_queue(four));
        let gate = held(&queue, "Long").await;
        on(&queue, "Quick", |_, _| async { Ok(()) }).await;
        for _ in 0..6 {
            let _ = bench.put(job("Long").on("long").long()).await;
        }
        let waiting = bench.put(job("Quick")).await.id;
        let running = start(&queue);
        bench.reaches(waiting, State::Done).await;
        until(async || bench.count(State::Running).await == 3).await;
        for _ in 0..3 {
            let put = bench.put(job("Quick")).await;
            queue.hint(std::slice::from_ref(&put)).await;
            bench.reaches(put.id, State::Done).await;
        }
        assert_eq!((bench.count(State::Running).await, bench.count(State::Queued).await), (3, 3));

        // Where one ends the next begins, though nobody hints.
        gate.add_permits(1);
        until(async || bench.count(State::Queued).await == 2).await;
        until(async || bench.count(State::Running).await == 3).await;
        gate.add_permits(5);
        bench.all_done(10).await;
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_in_eight_is_kept_from_long_work() {
    bench(async |bench| {
        let cases: [(usize, &[&str], u64); 5] =
            [(1, &[], 1), (2, &[], 1), (8, &[], 7), (16, &[], 14), (4, &["long"], 4)];
        for (slots, queues, long) in cases {
            let queue = bench.queue(with_long_queue(Settings { concurrency: slots, ..quick() }));
            let gate = held(&queue, "Long").await;
            for _ in 0..20 {
                let _ = bench.put(job("Long").on("long").long()).await;
            }
            let running = start_for(&queue, queues);
            until(async || bench.count(State::Running).await == long).await;
            sleep(Duration::from_millis(300)).await;
            assert_eq!(bench.count(State::Running).await, long, "{slots} slots for {queues:?}");
            gate.add_permits(20);
            bench.all_done(20).await;
            running.stop().await;
            bench.sql("DELETE FROM jobs").await;
        }
    })
    .await;
}

/// What is urgent goes first, of either kind, and what is quick before what takes long.
#[tokio::test]
async fn long_work_is_claimed_in_its_turn() {
    bench(async |bench| {
        let order = Arc::new(Mutex::new(String::new()));
        let queue = bench.queue(with_long_queue(Settings { concurrency: 2, ..quick() }));
        for class in ["a", "b", "c", "d", "e"] {
            let order = order.clone();
            on(&queue, class, move |_, _| {
                let order = order.clone();
                async move {
                    order.lock().unwrap().push_str(class);
                    sleep(Duration::from_millis(100)).await;
                    Ok(())
                }
            })
            .await;
        }
        for (class, priority) in [("e", -9), ("d", -1), ("c", 0), ("b", 1), ("a", 5)] {
            let new = job(class).priority(priority);
            let _ = bench.put(if priority < 0 { new.on("long").long() } else { new }).await;
        }
        let running = start(&queue);
        bench.all_done(5).await;
        running.stop().await;
        let order = order.lock().unwrap();
        let place = |class: &str| order.find(class).unwrap();
        assert!(place("d") < place("e"), "{order}");
        assert!(place("a") < 2 && place("b") < 2 && place("c") < place("e"), "{order}");
    })
    .await;
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    name: String,
}

struct Greeter(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl BackgroundWorker<Greeting> for Greeter {
    fn build(_ctx: &AppContext) -> Self {
        Self(Arc::default())
    }

    async fn perform(&self, args: Greeting) -> Result<()> {
        self.0.lock().unwrap().push(args.name);
        Ok(())
    }
}

#[tokio::test]
async fn a_loco_worker_runs_and_wrong_arguments_are_its_failure() {
    bench(async |bench| {
        let ours = bench.queue(quick());
        let queue = Queue::from_provider(Arc::new(ours.clone()));
        let greeted = Arc::new(Mutex::new(Vec::new()));
        queue.register(Greeter(greeted.clone())).await.unwrap();
        let running = start(&ours);
        queue.enqueue("Greeter".into(), None, Greeting { name: "Ada".into() }, None, None).await.unwrap();
        let wrong = bench.put(NewJob::new("Greeter", json!({ "nom": 1 })).attempts(2)).await.id;
        let dead = bench.reaches(wrong, State::Dead).await;
        assert!(dead.last_error.unwrap().contains("missing field"));
        bench.all_done(1).await;
        running.stop().await;
        assert_eq!(*greeted.lock().unwrap(), ["Ada"]);
    })
    .await;
}

#[tokio::test]
async fn shutdown_before_and_without_work_returns_at_once() {
    bench(async |bench| {
        let queue = bench.queue(Settings { poll_every: Duration::from_secs(3600), ..quick() });
        let running = start(&queue);
        sleep(Duration::from_millis(100)).await;
        let asked = Instant::now();
        running.stop().await;
        start(&queue).stop().await;
        assert!(asked.elapsed() < Duration::from_secs(10));
    })
    .await;
}
