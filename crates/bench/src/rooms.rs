//! The measurements, one after another in one house: the same for both modes.

use std::time::{Duration, Instant};

use sandbox::{Fault, Sandbox};
use tokio::time::sleep;

use crate::{
    Effort, Result,
    figures::{Figure, median, quantile},
    house::{House, Mode, Place, driver},
    load::{self, Door, at_rate},
    pictures::{real, tiny},
    seeds::{Books, Person, secret_of},
};

/// Prompts in a second at which waiting is measured.
const PACE: f64 = 20.0;

/// People who ask in turn: nobody comes to a limit.
const PEOPLE: i64 = 200;

/// Keys of the pool, and the calls that each carries.
const KEYS: i64 = 24;
const EACH: i64 = 8;

/// Connections that poll.
const POLLERS: usize = 64;

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    Paced,
    Pictures,
    Sustained,
    Polls,
    Broken,
    Growth,
}

impl Part {
    /// Those that share a house, in the order in which they are measured.
    pub const LIVE: [Self; 5] = [Self::Paced, Self::Pictures, Self::Sustained, Self::Polls, Self::Broken];
}

/// What it was like to live in one mode.
pub struct Stay<'a> {
    pub place: &'a Place,
    pub mode: Mode,
    pub sandbox: &'a Sandbox,
    pub effort: Effort,
    pub figures: Vec<Figure>,
    pub notes: Vec<String>,
}

/// What a load took of the processor, by whose it is, in seconds.
#[derive(Debug, Clone, Copy)]
struct Spent {
    ours: f64,
    databases: f64,
    driver: f64,
    /// Not seconds: how often a thread of ours made way.
    switches: f64,
}

impl Stay<'_> {
    pub(crate) fn figure(&self, id: &str, words: &str, value: f64, unit: &'static str) -> Figure {
        Figure::new(id, words, self.mode.short(), value, unit)
    }

    fn spent(&self, house: &House) -> Spent {
        let switches = house.switches();
        Spent { ours: house.processor(), databases: self.place.databases(), driver: driver(), switches }
    }

    /// What one house can tell, of these parts.
    pub async fn live(&mut self, parts: &[Part]) -> Result<()> {
        self.place.start(self.mode).await?.stop()?; // makes the schema
        let books = Books::open(&self.place.database).await?;
        books.keys(KEYS, EACH).await?;
        let people = books.people(PEOPLE).await?;
        let house = self.begin().await?;
        self.warm(&house, &people).await?;
        for part in Part::LIVE.into_iter().filter(|part| parts.contains(part)) {
            match part {
                Part::Paced => {
                    for (name, latency) in [("zero-latency", 0), ("one-second", 1000)] {
                        self.paced(&house, &books, &people, name, Duration::from_millis(latency)).await?;
                    }
                }
                Part::Pictures => self.real_pictures(&house, &books, &people).await?,
                Part::Sustained => self.sustained(&house, &books, &people).await?,
                Part::Polls => self.unchanged(&house, &books, &people).await?,
                Part::Broken => self.broken_key(&house, &books, &people).await?,
                Part::Growth => {}
            }
        }
        house.stop()?;
        self.audited(&books).await?;
        books.db.close().await?;
        Ok(())
    }

    /// How a process begins, and what it is before anybody comes.
    async fn begin(&mut self) -> Result<House> {
        let mut ready = Vec::new();
        for _ in 0..self.effort.repeats.saturating_sub(1) {
            let house = self.place.start(self.mode).await?;
            ready.push(house.ready.as_secs_f64());
            house.stop()?;
        }
        let house = self.place.start(self.mode).await?;
        ready.push(house.ready.as_secs_f64());
        sleep(Duration::from_secs(3)).await;
        let (idle, _) = house.resident();
        let words = "resident memory of a process, idle";
        let idle = self.figure("idle", words, idle, "MB");
        let ready = self.figure("ready", "from start to ready", median(&ready), "s").at_most(1.0);
        self.figures.push(if self.mode == Mode::Embedded { idle.at_most(80.0) } else { idle });
        self.figures.push(ready);
        Ok(house)
    }

    /// Nobody measures the first time.
    async fn warm(&self, house: &House, people: &[Person]) -> Result<()> {
        self.sandbox.gemini().latency(Duration::ZERO);
        self.sandbox.gemini().still(Some(tiny()?));
        let tally = at_rate(house.port, people, PACE, Duration::from_secs(2)).await;
        if tally.accepted == 0 {
            return Err(format!("nothing works: {:?}", tally.refused.first()).into());
        }
        Ok(())
    }

    async fn paced(
        &mut self,
        house: &House,
        books: &Books,
        people: &[Person],
        name: &str,
        latency: Duration,
    ) -> Result<()> {
        self.sandbox.gemini().latency(latency);
        self.sandbox.gemini().still(Some(tiny()?));
        let (mut cost, mut databases, mut drivers, mut switches) = (vec![], vec![], vec![], vec![]);
        let (mut p50, mut p99) = (vec![], vec![]);
        for _ in 0..self.effort.repeats {
            let last = books.number("SELECT MAX(id) FROM runs").await?;
            let before = self.spent(house);
            let tally = at_rate(house.port, people, PACE, self.effort.lasting).await;
            load::settled(books).await?;
            let after = self.spent(house);
            self.complain(&tally);
            let each = |from: f64, to: f64| {
                (to - from) * 1000.0 / f64::from(u32::try_from(tally.accepted.max(1)).unwrap_or(1))
            };
            cost.push(each(before.ours, after.ours));
            databases.push(each(before.databases, after.databases));
            drivers.push(each(before.driver, after.driver));
            switches.push(each(before.switches, after.switches) / 1000.0);
            let sql = format!("SELECT created_at, finished_at FROM runs WHERE id > {last} AND state = 'succeeded'");
            let own: Vec<f64> =
                books.spans(&sql).await?.into_iter().map(|span| span - latency.as_secs_f64() * 1000.0).collect();
            p50.push(quantile(&own, 0.5));
            p99.push(quantile(&own, 0.99));
        }
        let id = |what: &str| format!("{what}-{name}");
        let at = format!("{name} upstream, 20 a second");
        let figures = [
            self.figure(
                &id("cost"),
                &format!("our processor time a generation, 1 KB picture, {at}"),
                median(&cost),
                "ms",
            ),
            self.figure(&id("cost-databases"), &format!("… the databases', {at}"), median(&databases), "ms"),
            self.figure(&id("cost-driver"), &format!("… the driver's and the sandbox's, {at}"), median(&drivers), "ms"),
            self.figure(&id("p50"), &format!("prompt to final state less upstream, p50, {at}"), median(&p50), "ms"),
            self.figure(&id("p99"), &format!("prompt to final state less upstream, p99, {at}"), median(&p99), "ms"),
        ];
        let words = format!("how often a thread of ours makes way for another, a generation, {at}");
        self.figures.push(self.figure(&id("switches"), &words, median(&switches), "").compared(0.2));
        for (figure, bound) in figures.into_iter().zip([Some(4.0), None, None, Some(40.0), Some(150.0)]) {
            self.figures.push(match bound {
                Some(bound) => figure.at_most(bound),
                None => figure,
            });
        }
        Ok(())
    }

    async fn real_pictures(&mut self, house: &House, books: &Books, people: &[Person]) -> Result<()> {
        self.sandbox.gemini().latency(Duration::ZERO);
        self.sandbox.gemini().still(Some(real()?));
        let mut cost = Vec::new();
        for _ in 0..self.effort.repeats {
            let before = house.processor();
            let tally = at_rate(house.port, people, 5.0, self.effort.lasting).await;
            load::settled(books).await?;
            self.complain(&tally);
            cost.push(
                (house.processor() - before) * 1000.0 / f64::from(u32::try_from(tally.accepted.max(1)).unwrap_or(1)),
            );
        }
        let words = "our processor time a generation, JPEG of 1024 pixels";
        self.figures.push(self.figure("cost-jpeg", words, median(&cost), "ms").at_most(60.0));
        Ok(())
    }

    async fn sustained(&mut self, house: &House, books: &Books, people: &[Person]) -> Result<()> {
        self.sandbox.gemini().latency(Duration::ZERO);
        self.sandbox.gemini().still(Some(tiny()?));
        let (mut rates, mut cost) = (vec![], vec![]);
        for _ in 0..self.effort.repeats {
            let last = books.number("SELECT MAX(id) FROM runs").await?;
            let before = self.spent(house);
            let tally = at_rate(house.port, people, self.effort.rate, self.effort.lasting).await;
            load::settled(books).await?;
            let after = self.spent(house);
            self.complain(&tally);
            let done = format!("FROM runs WHERE id > {last} AND state = 'succeeded'");
            let lasted =
                books.spans(&format!("SELECT MIN(created_at), MAX(finished_at) {done} HAVING COUNT(*) > 0")).await?;
            let done = books.number(&format!("SELECT COUNT(*) {done}")).await?;
            let done = f64::from(u32::try_from(done)?);
            rates.push(done * 1000.0 / lasted.first().copied().unwrap_or(f64::INFINITY));
            cost.push((after.ours - before.ours) * 1000.0 / done.max(1.0));
            self.notes.push(format!(
                "{}: {:.0} offered a second; processor seconds: ours {:.1}, the databases' {:.1}, the driver's {:.1}",
                self.mode.name(),
                self.effort.rate,
                after.ours - before.ours,
                after.databases - before.databases,
                after.driver - before.driver
            ));
        }
        let (_, most) = house.resident();
        let figures = [
            self.figure("sustained", "generations a second, sustained", median(&rates), "/s").at_least(150.0),
            self.figure("cost-sustained", "our processor time a generation under that load", median(&cost), "ms"),
            self.figure("resident", "resident memory of a process, at most, under that load", most, "MB")
                .at_most(250.0),
        ];
        self.figures.extend(figures);
        Ok(())
    }

    async fn unchanged(&mut self, house: &House, books: &Books, people: &[Person]) -> Result<()> {
        let door = Door::of(house.port);
        let mut polled = Vec::new();
        for person in people.iter().take(POLLERS) {
            let run = door.ask(person).await?;
            polled.push((person.clone(), run));
        }
        load::settled(books).await?;
        let (mut rates, mut p99, mut cost) = (vec![], vec![], vec![]);
        for _ in 0..self.effort.repeats {
            let (began, before) = (Instant::now(), house.processor());
            let took = load::polls(house.port, &polled, POLLERS, self.effort.lasting / 2).await?;
            let count = f64::from(u32::try_from(took.len())?);
            rates.push(count / began.elapsed().as_secs_f64());
            p99.push(quantile(&took, 0.99));
            cost.push((house.processor() - before) * 1000.0 / count.max(1.0));
        }
        let figures = [
            self.figure("polls", "unchanged polls a second, 64 connections", median(&rates), "/s").at_least(8000.0),
            self.figure("polls-p99", "… p99", median(&p99), "ms").at_most(25.0),
            self.figure("cost-poll", "our processor time an unchanged poll", median(&cost), "ms"),
        ];
        self.figures.extend(figures);
        Ok(())
    }

    /// One run after another, once without and once with a broken key that is next in turn.
    async fn broken_key(&mut self, house: &House, books: &Books, people: &[Person]) -> Result<()> {
        let broken = books.number("SELECT MIN(id) FROM provider_keys").await?;
        let mut medians = Vec::new();
        for is_broken in [false, true] {
            if is_broken {
                self.sandbox.gemini().fault(&secret_of(broken), Fault::Status { code: 500 });
            }
            let last = books.number("SELECT MAX(id) FROM runs").await?;
            let door = Door::of(house.port);
            for person in people.iter().take(self.effort.samples) {
                books
                    .run(&format!(
                        "UPDATE provider_keys SET state = 'active', cooldown_until = NULL, consecutive_failures = 0, \
                         state_reason = NULL, struck_at = NULL, struck_class = NULL, ramp = NULL, \
                         turn = (SELECT MIN(turn) - 1 FROM provider_keys) WHERE id = {broken}"
                    ))
                    .await?;
                door.ask(person).await?;
                load::settled(books).await?;
            }
            let sql = format!("SELECT started_at, finished_at FROM runs WHERE id > {last} AND state = 'succeeded'");
            medians.push(median(&books.spans(&sql).await?));
            if is_broken {
                let failed = format!(
                    "FROM attempts WHERE run_id > {last} AND provider_key_id = {broken} AND outcome <> 'delivered'"
                );
                let failures = books.number(&format!("SELECT COUNT(*) {failed}")).await?;
                let own = median(&books.spans(&format!("SELECT created_at, finished_at {failed}")).await?);
                self.notes
                    .push(format!("{}: the broken key failed {failures} times, {own:.1} ms each", self.mode.name()));
                medians.push(own);
            }
        }
        self.sandbox.gemini().heal_all();
        let [alone, behind, failure] = medians[..] else { return Err("three medians".into()) };
        let words = "a broken key in front adds, beside its own failure time";
        self.figures.push(self.figure("broken-key", words, behind - alone - failure, "ms").at_most(5.0));
        Ok(())
    }

    /// Nothing may be stuck, and the books must be right.
    async fn audited(&mut self, books: &Books) -> Result<()> {
        let stuck = books
            .number(
                "SELECT (SELECT COUNT(*) FROM runs WHERE state IN ('queued', 'running')) + \
                 (SELECT COUNT(*) FROM holds WHERE state = 'open') + (SELECT COUNT(*) FROM key_leases) + \
                 (SELECT COUNT(*) FROM jobs WHERE state IN ('dead', 'running'))",
            )
            .await?;
        let failed = books.number("SELECT COUNT(*) FROM runs WHERE state <> 'succeeded'").await?;
        let (is_clean, said) = self.place.task(&["ledger_check"])?;
        if !is_clean {
            self.notes.push(said);
        }
        let figures = [
            self.figure("stuck", "runs, holds, keys and jobs left behind", f64::from(i32::try_from(stuck)?), "")
                .at_most(0.0),
            self.figure("failed", "runs that brought no picture", f64::from(i32::try_from(failed)?), "").at_most(0.0),
            self.figure("ledger", "findings of ledger_check: 0 is clean", f64::from(u8::from(!is_clean)), "")
                .at_most(0.0),
        ];
        self.figures.extend(figures);
        Ok(())
    }

    fn complain(&mut self, tally: &load::Tally) {
        if let Some(first) = tally.refused.first() {
            self.notes.push(format!(
                "{}: {} prompts came to nothing, the first: {first}",
                self.mode.name(),
                tally.refused.len()
            ));
        }
    }
}
