//! A harness that no mistake can fail proves nothing. Each script runs as it should, and then with one rule broken in the
//! worker: the first must leave nothing to find, the second must be found out.

use std::time::Duration;

use durable_jobs::{entity::job::State, tx};
use futures::future::{join, join_all};
use sea_orm::{ConnectionTrait, DbErr};
use tokio::time::sleep;

use super::{
    evidence::{Absence, findings, prepare},
    fleet::{Fleet, Process, busy},
    submitter::{Wish, one},
    worker::{Kind, Mutant, Orders, SHORT_LEASE},
};
use crate::support::{Bench, DEADLINE, bench, until};

/// What a mutant has not ended by then it never will: lease, reaper and some time. Who is not broken gets more of it, for
/// the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(12);

/// What finished evidence is broken by, under the rule that must notice.
const CORRUPTIONS: [(&str, &str); 15] = [
    ("a committed change has no job", "DELETE FROM jobs WHERE id = (SELECT MIN(job) FROM targets)"),
    ("a job has no committed change", "DELETE FROM targets WHERE id = (SELECT MIN(id) FROM targets)"),
    ("two jobs for one change", "UPDATE targets SET job = (SELECT MIN(job) FROM targets)"),
    (
        "a job is not done",
        "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = (SELECT MIN(job) FROM targets WHERE kind = 'plain')",
    ),
    (
        "a job that cannot succeed is not dead",
        "UPDATE jobs SET state = 'done' WHERE id = (SELECT MIN(job) FROM targets WHERE kind = 'hopeless')",
    ),
    ("a dead job does not say why", "UPDATE jobs SET last_error = NULL WHERE state = 'dead'"),
    ("an effect is missing", "DELETE FROM effects WHERE step = 2"),
    (
        "an effect was applied twice",
        "INSERT INTO effects (target, step, attempt, pid) SELECT target, step, attempt, pid FROM effects",
    ),
    ("an effect of nothing", "INSERT INTO effects (target, step, attempt, pid) VALUES (0, 1, 1, 1)"),
    (
        "an effect that cannot be",
        "INSERT INTO effects (target, step, attempt, pid) SELECT id, 2, 1, 1 FROM targets WHERE kind = 'hopeless'",
    ),
    ("more attempts than allowed", "UPDATE jobs SET attempts = max_attempts + 1"),
    (
        "a job is held by nobody",
        "UPDATE jobs SET state = 'running', finished_at = NULL, lease_token = 1, lease_expires_at = created_at \
             WHERE state = 'done'",
    ),
    ("a finished job came back", "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE state = 'done'"),
    ("a job was ended by a process that did not hold it", "DELETE FROM endings"),
    (
        "a lease was taken before it was over",
        "INSERT INTO moves (job, was, became, owner, uncounted, error, lease_left, at) SELECT MIN(job), 'running', \
         'queued', 'host:1:ab', 0, 'the worker died in attempt 1 of 9', 2000, 1 FROM targets",
    ),
];

struct Script<'a> {
    bench: &'a Bench,
    orders: Orders,
}

impl Script<'_> {
    async fn submit(&self, wish: &Wish) {
        let submitted = one(&self.bench.db, wish, self.orders.mutant).await;
        assert_eq!(submitted.is_ok(), !wish.rolled_back);
    }

    /// Long enough for everything to end that will.
    async fn wait(&self, fleet: &mut Fleet) {
        let live = "SELECT COUNT(*) AS n FROM jobs WHERE state IN ('queued', 'running')";
        let patience = if self.orders.mutant.is_some() { PATIENCE } else { DEADLINE };
        fleet.until(async || self.bench.number(live).await == 0, patience).await;
    }

    async fn freeze(&self, process: &Process) -> Absence {
        loop {
            if let Some(absence) = process.freeze(self.bench).await {
                return absence;
            }
        }
    }

    /// Work that comes when everybody is asleep.
    async fn late_work(&self) -> Fleet {
        let mut fleet = Fleet::start([self.orders.clone()]);
        self.submit(&Wish::new(Kind::Plain, 10, 10)).await;
        self.wait(&mut fleet).await; // it ran
        sleep(Duration::from_millis(500)).await; // and rests
        for _ in 0..5 {
            self.submit(&Wish::new(Kind::Plain, 10, 10)).await;
        }
        self.wait(&mut fleet).await;
        fleet
    }

    /// A worker is killed in the middle of a job, another lives.
    async fn death(&self) -> Fleet {
        let mut fleet = Fleet::start([self.orders.clone()]);
        self.submit(&Wish::new(Kind::Plain, 600_000, 10)).await;
        busy(self.bench, &fleet.processes[0]).await;
        fleet.kill(0);
        self.wait(&mut fleet).await;
        fleet
    }

    /// A job that is longer than a lease, and than any age that a reaper may think enough.
    async fn long_job(&self) -> Fleet {
        let mut fleet = Fleet::start([self.orders.clone(), self.orders.clone()]);
        let half = u64::try_from(SHORT_LEASE.as_millis()).unwrap() * 3 / 4;
        self.submit(&Wish::new(Kind::Plain, half, half)).await;
        self.wait(&mut fleet).await;
        fleet
    }

    /// A worker is stopped in the middle of a job, another takes over, and while it works the first one wakes up.
    async fn zombie(&self) -> Fleet {
        let first = Process::start(&self.orders);
        // The second time it takes longer, so that whoever wakes up comes to his end first, also where everything is slow.
        self.submit(&Wish::new(Kind::Plain, 2_500, 5_000)).await;
        busy(self.bench, &first).await;
        let mut absence = self.freeze(&first).await;
        let second = Process::start(&self.orders);
        busy(self.bench, &second).await;
        first.thaw(&mut absence);
        let mut fleet = Fleet::start([]);
        fleet.absences.push(absence);
        fleet.processes.extend([first, second]);
        self.wait(&mut fleet).await;
        // What the sleeper was at when it was stopped is over as well.
        sleep(Duration::from_secs(6)).await;
        fleet
    }

    /// Half of the changes are rolled back.
    async fn rollbacks(&self) -> Fleet {
        let mut fleet = Fleet::start([self.orders.clone()]);
        for number in 0..6 {
            let rolled_back = number % 2 == 0;
            self.submit(&Wish { rolled_back, ..Wish::new(Kind::Plain, 10, 10) }).await;
        }
        self.wait(&mut fleet).await;
        fleet
    }

    /// A release that does not know the class, then one that does.
    async fn releases(&self) -> Fleet {
        let mut fleet = Fleet::start([self.orders.clone()]);
        self.submit(&Wish::new(Kind::Unknown, 10, 10)).await;
        let looked_at = "SELECT COUNT(*) AS n FROM moves WHERE was = 'running'";
        until(async || self.bench.number(looked_at).await > 0).await;
        fleet.kill(0);
        fleet.processes = vec![Process::start(&Orders { next_release: true, ..self.orders.clone() })];
        self.bench.sql("UPDATE jobs SET run_at = created_at WHERE state = 'queued'").await;
        self.wait(&mut fleet).await;
        fleet
    }
}

/// Processes wake up long after their leases, with nothing left to do but to say how their jobs went.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_sleeper_says_about_its_former_jobs_does_not_count() {
    bench(async |bench| {
        prepare(bench).await;
        let script = Script { bench, orders: Orders::worker(&bench.url) };
        let sleeper = Process::start(&script.orders);
        // As many as it has threads: nobody is left there to notice that the leases are over.
        for kind in [Kind::Plain, Kind::Plain, Kind::Fails, Kind::Fails] {
            let wish = Wish { blocks_ms: 6_000, detached: false, ..Wish::new(kind, 300, 3_000) };
            script.submit(&wish).await;
        }
        until(async || bench.number("SELECT COUNT(*) AS n FROM endings").await == 4).await;
        sleep(Duration::from_secs(1)).await; // now they are
        let mut absence = script.freeze(&sleeper).await;
        let held = async |process: &Process| {
            let held = format!("SELECT COUNT(*) AS n FROM jobs WHERE lease_owner LIKE '%:{}:%'", process.pid());
            bench.number(&held).await
        };
        assert!(held(&sleeper).await > 0, "it ended before it could be stopped");
        let other = Process::start(&script.orders);
        until(async || held(&sleeper).await == 0 && held(&other).await > 0).await;
        sleeper.thaw(&mut absence);
        let mut fleet = Fleet::start([]);
        fleet.processes.extend([sleeper, other]);
        script.wait(&mut fleet).await;
        fleet.dismiss().await;
        assert_eq!(findings(&bench.db).await, Vec::<String>::new());
    })
    .await;
}

/// Plays the script of a mutant, with it or without; answers what was found.
async fn play(mutant: Mutant, really: bool) -> Vec<String> {
    let mut found = Vec::new();
    bench(async |bench| {
        prepare(bench).await;
        let orders = Orders { mutant: really.then_some(mutant), ..Orders::worker(&bench.url) };
        let script = Script { bench, orders };
        let fleet = match mutant {
            Mutant::Deaf => script.late_work().await,
            Mutant::NoReaper => script.death().await,
            Mutant::ReapsByAge => script.long_job().await,
            Mutant::IgnoresFence | Mutant::FinishesWithoutToken => script.zombie().await,
            Mutant::EnqueuesOutside => script.rollbacks().await,
            Mutant::SwallowsUnknown => script.releases().await,
        };
        fleet.dismiss().await;
        found = findings(&bench.db).await;
    })
    .await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_rule_is_found_out() {
    let rows = [
        (Mutant::Deaf, "a job is not done"),
        (Mutant::NoReaper, "a job is not done"),
        (Mutant::ReapsByAge, "a lease was taken before it was over"),
        (Mutant::IgnoresFence, "an effect was applied twice"),
        (Mutant::FinishesWithoutToken, "an effect is missing"),
        (Mutant::EnqueuesOutside, "a job has no committed change"),
        (Mutant::SwallowsUnknown, "an effect is missing"),
    ];
    // All at a time: they mostly wait.
    let plays = rows.map(|(mutant, rule)| async move {
        let (without, with) = join(Box::pin(play(mutant, false)), Box::pin(play(mutant, true))).await;
        (mutant, rule, without, with)
    });
    for (mutant, rule, without, with) in join_all(plays).await {
        println!("{mutant:?}: {with:?}");
        assert_eq!(without, Vec::<String>::new(), "{mutant:?}, but not broken");
        assert!(with.iter().any(|found| found.starts_with(rule)), "{mutant:?} was not found out: {with:?}");
    }
}

/// And the evidence itself: every rule notices what it is there for.
#[tokio::test(flavor = "multi_thread")]
async fn each_corruption_of_the_evidence_is_named() {
    bench(async |bench| {
        prepare(bench).await;
        let mut fleet = Fleet::start([Orders::worker(&bench.url)]);
        for kind in [Kind::Plain, Kind::Plain, Kind::Fails, Kind::Hopeless, Kind::Malformed] {
            one(&bench.db, &Wish::new(kind, 5, 5), None).await.unwrap();
        }
        until(async || bench.count(State::Done).await + bench.count(State::Dead).await == 5).await;
        fleet.look_after();
        fleet.dismiss().await;
        assert_eq!(findings(&bench.db).await, Vec::<String>::new());
        for (rule, corruption) in CORRUPTIONS {
            let undone = tx::write(&bench.db, async |txn| {
                txn.execute_unprepared(corruption).await?;
                let found = findings(txn).await;
                assert!(found.iter().any(|found| found.starts_with(rule)), "{corruption}: {found:?}");
                Err::<(), _>(DbErr::Custom("only to see".into()))
            });
            assert!(undone.await.is_err());
        }
    })
    .await;
}
