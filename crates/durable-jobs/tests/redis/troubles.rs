//! Redis is away, hung, full or holds something else: enqueueing does not wait, jobs run by polling, hints resume.

use std::time::Duration;

use durable_jobs::{DurableQueue, entity::job::State};
use tokio::time::Instant;

use super::server::{Server, only_hints, queue as queue_at, server, settled};
use crate::support::{Bench, Running, bench, job, on, quick, start, until};

/// Nobody who enqueues waits for Redis.
const AT_ONCE: Duration = Duration::from_millis(100);

async fn worker(bench: &Bench, port: u16) -> (DurableQueue, Running) {
    let queue = queue_at(bench, quick(), port);
    on(&queue, "Ping", |_, _| async { Ok(()) }).await;
    let running = start(&queue);
    (queue, running)
}

/// Enqueues, hints and sees them done, however Redis is.
async fn work_goes_on(bench: &Bench, web: &DurableQueue) {
    for _ in 0..10 {
        let put = bench.put(job("Ping")).await;
        let began = Instant::now();
        web.hint(std::slice::from_ref(&put)).await;
        assert!(began.elapsed() < AT_ONCE, "waited {:?}", began.elapsed());
        bench.reaches(put.id, State::Done).await;
    }
}

/// A hint, and nothing else, wakes a runner of another process. There must be no other one.
async fn hints_work(bench: &Bench, redis: &Server) {
    let deaf = redis.queue(bench, only_hints(quick()));
    on(&deaf, "Hinted", |_, _| async { Ok(()) }).await;
    let running = start(&deaf);
    settled().await;
    let web = redis.queue(bench, quick());
    let put = bench.put(job("Hinted")).await;
    web.hint(std::slice::from_ref(&put)).await;
    bench.reaches(put.id, State::Done).await;
    running.stop().await;
}

async fn shows_up(redis: &Server) {
    until(async || !redis.run::<Vec<String>>("SMEMBERS processes").await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_at_boot_and_lost_later() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let port = redis.kill();
        let (queue, running) = worker(bench, port).await;
        assert_eq!(queue.redis_answers().await, Some(false));
        work_goes_on(bench, &queue).await;

        let redis = Server::start_on(port).await;
        shows_up(&redis).await;
        assert_eq!(queue.redis_answers().await, Some(true));
        work_goes_on(bench, &queue).await;
        let port = redis.kill();
        work_goes_on(bench, &queue).await;

        let redis = Server::start_on(port).await;
        shows_up(&redis).await;
        running.stop().await;
        hints_work(bench, &redis).await;
    })
    .await;
}

/// X5: it accepts connections and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn hung() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let (queue, running) = worker(bench, redis.port()).await;
        shows_up(&redis).await;
        redis.freeze();
        work_goes_on(bench, &queue).await;
        // A process that starts now is no worse off, and one that stops does not wait for ever.
        let (late, second) = worker(bench, redis.port()).await;
        work_goes_on(bench, &late).await;
        let began = Instant::now();
        second.stop().await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(queue.redis_answers().await, Some(false));

        redis.thaw();
        let began = Instant::now();
        until(async || queue.redis_answers().await == Some(true)).await;
        running.stop().await;
        hints_work(bench, &redis).await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    })
    .await;
}

/// X4: `OOM command not allowed when used memory > 'maxmemory'`.
#[tokio::test(flavor = "multi_thread")]
async fn full() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let (queue, running) = worker(bench, redis.port()).await;
        shows_up(&redis).await;
        redis.run::<()>("CONFIG SET maxmemory-policy noeviction").await;
        redis.run::<()>("CONFIG SET maxmemory 100kb").await;
        let refused = redis::cmd("SET").arg("a").arg("b").query_async::<()>(&mut redis.connection().await).await;
        assert!(refused.unwrap_err().to_string().contains("OOM"));
        work_goes_on(bench, &queue).await;
        redis.run::<()>("CONFIG SET maxmemory 0").await;
        running.stop().await;
        hints_work(bench, &redis).await;
    })
    .await;
}

/// Somebody else's keys are under our names.
#[tokio::test(flavor = "multi_thread")]
async fn of_another_type() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        redis.run::<()>("ZADD queue:default 1 job").await;
        redis.run::<()>("SADD queues default").await;
        let (queue, running) = worker(bench, redis.port()).await;
        work_goes_on(bench, &queue).await;
        redis.run::<()>("DEL queue:default").await;
        running.stop().await;
        hints_work(bench, &redis).await;
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_repeating_it() {
    bench(async |bench| {
        let settings = durable_jobs::RedisSettings::new("http://user:secret@nowhere");
        let error = DurableQueue::redis(bench.db.clone(), quick(), settings).err().unwrap().to_string();
        assert!(error.contains("Redis") && !error.contains("secret"), "{error}");
    })
    .await;
}
