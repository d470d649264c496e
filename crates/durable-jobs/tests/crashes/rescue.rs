//! With the times that the crate ships.

use durable_jobs::entity::job::State;

use super::{
    evidence::{findings, prepare, rescues},
    fleet::{Fleet, Process, busy},
    submitter::{Wish, one},
    worker::{Kind, Orders},
};
use crate::support::{bench, until};

/// Reliability's figure, with every default as it is shipped.
const LATEST_RESCUE: i64 = 45_000;
/// Jobs that the killed worker holds: all that it takes at a time.
const SLOTS: u64 = 16;
/// Two of these are longer than a lease, heartbeats in between.
const LONG: u64 = 18_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_s_jobs_run_again_within_45_seconds_and_a_living_one_s_are_left_alone() {
    bench(async |bench| {
        prepare(bench).await;
        let orders = Orders { shipped: true, ..Orders::worker(&bench.url) };
        let mut fleet = Fleet::start([orders.clone()]);
        for _ in 0..SLOTS {
            one(&bench.db, &Wish::new(Kind::Plain, 600_000, 0), None).await.unwrap();
        }
        until(async || bench.count(State::Running).await == SLOTS).await;
        let living = Process::start(&orders);
        let long = one(&bench.db, &Wish::new(Kind::Plain, LONG, LONG), None).await.unwrap();
        busy(bench, &living).await;
        fleet.kill(0);
        bench.all_done(SLOTS + 1).await;
        fleet.processes.push(living);
        let (absences, _) = fleet.dismiss().await;

        assert_eq!(findings(&bench.db).await, Vec::<String>::new());
        let rescues = rescues(&bench.db, &absences).await.unwrap();
        let slowest = rescues.iter().filter_map(|rescue| rescue.after).max().unwrap();
        println!("{} jobs of a killed worker; the slowest ran again after {slowest} ms", rescues.len());
        assert!(rescues.len() as u64 == SLOTS && slowest <= LATEST_RESCUE, "{rescues:?}");
        let attempts = format!(
            "SELECT CAST(attempts AS BIGINT) AS n FROM jobs WHERE id = (SELECT job FROM targets WHERE id = {long})"
        );
        assert_eq!(bench.number(&attempts).await, 1);
    })
    .await;
}
