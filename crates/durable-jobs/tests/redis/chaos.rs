//! As `crashes::chaos`, with hints through a Redis that is flushed every now and then.

use super::server::server;
use crate::{crashes::Chaos, support::bench};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_done_twice_by_kills_and_flushes() {
    let Some(redis) = server().await else { return };
    bench(async |bench| {
        let chaos = Chaos::through(redis.url());
        println!("{chaos:?}");
        let outcome = chaos.unleash(bench).await;
        println!("{outcome:?}");
        assert_eq!(outcome.findings, Vec::<String>::new());
        // The last processes said goodbye, and counted.
        assert!(redis.run::<i64>("GET stat:processed").await > 0);
    })
    .await;
}
