//! The same steps through the verbs, and the comparison after each.

use chrono::{DateTime, TimeDelta, Utc};
use nproxy::models::{
    activities::Actor,
    allowances::{self, Adjustment, Gift, Grant, Kind, Revocation, expiry},
    clock,
    debts::{self, Forgiveness},
    holds::{self, Cost, Hold},
    users,
};
use sea_orm::{DatabaseConnection, DatabaseTransaction, TransactionTrait};

use super::{
    arithmetic::{Adjusted, Books, Held, Purse},
    comparison::same,
    history::{Deed, PEOPLE, Step, TOKENS_EACH},
};
use crate::support::bulk;

/// Steps in one transaction of the database; each that may write and then refuse has a savepoint of its own.
const AT_ONCE: usize = 40;

pub(super) type Told<T> = Result<T, String>;

/// Which step came out otherwise than arithmetic says, and how.
#[derive(Debug)]
pub struct Trouble {
    pub at: usize,
    pub says: String,
}

/// How often the interesting things happened, to know that they did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub held: u32,
    pub short: u32,
    pub in_debt: u32,
    pub late_releases: u32,
    pub late_captures: u32,
    pub revoked_in_use: u32,
    /// Debts that what a run gave back has paid when the next one began.
    pub paid_on_the_way: u32,
}

pub(super) struct Person {
    pub user: users::Model,
    runs: Vec<i64>,
    asset: i64,
}

pub struct World<'a> {
    pub(super) db: &'a DatabaseConnection,
    name: String,
    pub(super) people: Vec<Person>,
    /// Rows of `allowances`, in the order of `books.purses`.
    pub(super) ids: Vec<i64>,
    pub(super) books: Books,
    now: DateTime<Utc>,
    adjustments: u32,
    pub tally: Tally,
}

impl<'a> World<'a> {
    /// New people, so that any number of lives fit into one database.
    pub async fn new(db: &'a DatabaseConnection, name: &str, history: &[Deed]) -> Self {
        let mut people = Vec::new();
        for at in 0..PEOPLE {
            let user = bulk::person(db, &format!("{name}-{at}")).await;
            let runs = history.iter().filter(|d| matches!(d.step, Step::Hold { who, .. } if who == at)).count();
            let runs = if runs > 0 { bulk::runs(db, user.id, runs, 4).await } else { Vec::new() };
            people.push(Person { asset: bulk::asset(db, user.id).await, user, runs });
        }
        Self {
            db,
            name: name.into(),
            people,
            ids: Vec::new(),
            books: Books::default(),
            now: "2031-03-01T00:00:00Z".parse().unwrap(),
            adjustments: 0,
            tally: Tally::default(),
        }
    }

    pub async fn live(&mut self, history: &[Deed]) -> Result<(), Trouble> {
        for (page, deeds) in history.chunks(AT_ONCE).enumerate() {
            let txn = durable_jobs::tx::begin(self.db).await.unwrap();
            for (at, deed) in deeds.iter().enumerate() {
                let at = page * AT_ONCE + at;
                self.now += TimeDelta::seconds(1);
                self.happen(&txn, *deed).await.map_err(|says| Trouble { at, says })?;
            }
            let at = page * AT_ONCE + deeds.len() - 1;
            self.compare(&txn).await.map_err(|says| Trouble { at, says })?;
            txn.commit().await.unwrap();
        }
        Ok(())
    }

    async fn happen(&mut self, txn: &DatabaseTransaction, deed: Deed) -> Told<()> {
        if !deed.undone {
            return clock::at(self.now, Box::pin(self.step(txn, deed.step))).await;
        }
        let (books, ids, tally, now) = (self.books.clone(), self.ids.clone(), self.tally, self.now);
        let runs: Vec<_> = self.people.iter().map(|person| person.runs.clone()).collect();
        let never = txn.begin().await.unwrap();
        clock::at(self.now, Box::pin(self.step(&never, deed.step))).await?;
        never.rollback().await.unwrap();
        (self.books, self.ids, self.tally, self.now) = (books, ids, tally, now);
        for (person, runs) in self.people.iter_mut().zip(runs) {
            person.runs = runs;
        }
        Ok(())
    }

    async fn step(&mut self, txn: &DatabaseTransaction, step: Step) -> Told<()> {
        let picked = |pick: usize, among: usize| (among > 0).then(|| pick % among);
        match step {
            Step::Grant { who, kind, amount, begins_in_hours, lasts_hours } => {
                let starts = self.now + TimeDelta::hours(begins_in_hours);
                let ends = (kind == Kind::Quota).then(|| starts + TimeDelta::hours(lasts_hours));
                let source = format!("life:{}:{}", self.name, self.ids.len());
                let gift = Gift { kind, amount, starts_at: starts, expires_at: ends, source, reason: "a step" };
                let granted = allowances::grant(txn, &self.people[who].user, gift, &Actor::System).await;
                let Grant::Granted(row) = granted.unwrap() else { return Err("granted before".into()) };
                let (expired, revoked) = (false, false);
                let purse =
                    Purse { who, kind, starts, ends, available: amount, posted: amount, used: 0, expired, revoked };
                self.ids.push(row.id);
                self.books.grant(purse, self.now);
                self.seen(txn, self.ids.len() - 1).await
            }
            Step::GrantAgain { pick } => {
                let Some(at) = picked(pick, self.ids.len()) else { return Ok(()) };
                let purse = &self.books.purses[at];
                let (kind, starts_at, expires_at) = (purse.kind, self.now, purse.ends);
                let source = format!("life:{}:{at}", self.name);
                let gift = Gift { kind, amount: 7, starts_at, expires_at, source, reason: "again" };
                let user = &self.people[purse.who].user;
                let again = allowances::grant(txn, user, gift, &Actor::System).await.unwrap();
                same("grant again", &again, &Grant::AlreadyGranted)?;
                self.seen(txn, at).await
            }
            Step::Hold { who, outputs } => self.hold(txn, who, outputs).await,
            Step::Settle { pick, delivered } => {
                let open: Vec<_> = (0..self.books.pledges.len()).filter(|at| self.books.pledges[*at].open).collect();
                let Some(at) = picked(pick, open.len()) else { return Ok(()) };
                self.settle(txn, open[at], delivered).await
            }
            Step::SettleAgain { pick, delivered } => {
                let over: Vec<_> = self.books.pledges.iter().filter(|pledge| !pledge.open).collect();
                let Some(at) = picked(pick, over.len()) else { return Ok(()) };
                let (run, outputs, purse) = (over[at].run, over[at].outputs, over[at].purse);
                let moved = holds::settle(txn, run, delivered.min(outputs), outputs).await.unwrap();
                same("settle again", &moved, &false)?;
                self.seen(txn, purse).await
            }
            Step::Expire { pick } => {
                let Some(at) = picked(pick, self.ids.len()) else { return Ok(()) };
                let expired = expiry::expire(txn, self.ids[at]).await.unwrap();
                same("expire", &expired, &self.books.expire(at, self.now))?;
                self.seen(txn, at).await
            }
            Step::Adjust { pick, by } => {
                let Some(at) = picked(pick, self.ids.len()) else { return Ok(()) };
                self.adjustments += 1;
                let key = format!("life:{}:adjust:{}", self.name, self.adjustments);
                let adjusted = allowances::adjust(txn, self.ids[at], by, key, "a step", &Actor::System).await.unwrap();
                let adjusted = match adjusted {
                    Adjustment::Adjusted(_) => Adjusted::Done,
                    Adjustment::BelowZero { free } => Adjusted::BelowZero(free),
                    Adjustment::Closed(closed) => Adjusted::Closed(closed),
                    Adjustment::Unknown => return Err("the allowance is gone".into()),
                };
                same("adjust", &adjusted, &self.books.adjust(at, by, self.now))?;
                self.seen(txn, at).await
            }
            Step::AdjustAgain { pick } => {
                let Some(at) = picked(pick, self.ids.len()) else { return Ok(()) };
                let key = format!("grant:life:{}:{at}", self.name);
                let apart = txn.begin().await.unwrap();
                let again = allowances::adjust(&apart, self.ids[at], 1, key, "again", &Actor::System).await;
                apart.rollback().await.unwrap();
                let open = self.books.purses[at].closed(self.now).is_none();
                same("adjust under a used key fails", &again.is_err(), &open)?;
                self.seen(txn, at).await
            }
            Step::Revoke { pick } => {
                let Some(at) = picked(pick, self.ids.len()) else { return Ok(()) };
                let revoked = allowances::revoke(txn, self.ids[at], "refunded", &Actor::System).await.unwrap();
                let expected = self.books.revoke(at, self.now);
                self.tally.revoked_in_use += u32::from(expected.is_some_and(|it| it.used > 0 || it.held > 0));
                same("revoke", &revoked, &expected.map_or(Revocation::AlreadyRevoked, Revocation::Revoked))?;
                self.seen(txn, at).await
            }
            Step::Forgive { pick } => {
                let Some(at) = picked(pick, self.books.debts.len()) else { return Ok(()) };
                let rows = self.debts(txn).await;
                let forgiven = debts::forgive(txn, rows[at].0, "a step", &Actor::System).await.unwrap();
                let expected = self.books.forgive(at).map_or(Forgiveness::AlreadyCleared, Forgiveness::Forgiven);
                same("forgive", &forgiven, &expected)
            }
            Step::Forward { hours } => {
                self.now += TimeDelta::hours(hours);
                Ok(())
            }
        }
    }

    async fn hold(&mut self, txn: &DatabaseTransaction, who: usize, outputs: i64) -> Told<()> {
        let Some(run) = self.people[who].runs.pop() else { return Ok(()) };
        let apart = txn.begin().await.unwrap();
        bulk::begin(&apart, run, outputs).await;
        let cost = Cost { outputs, tokens_each: TOKENS_EACH };
        let held = holds::hold(&apart, self.people[who].user.id, run, cost).await.unwrap();
        let held = match held {
            Hold::Held(hold) => {
                apart.commit().await.unwrap();
                let purse = self.ids.iter().position(|id| *id == hold.allowance_id);
                Held::From { purse: purse.ok_or("a stranger paid")?, amount: hold.amount }
            }
            refused => {
                apart.rollback().await.unwrap();
                self.people[who].runs.push(run);
                if matches!(refused, Hold::Short) { Held::Short } else { Held::InDebt }
            }
        };
        let owed = self.books.owes(who);
        let expected = self.books.hold(who, run, outputs, self.now);
        self.tally.paid_on_the_way += u32::from(owed && !self.books.owes(who));
        same("hold", &held, &expected)?;
        match held {
            Held::From { purse, .. } => {
                self.tally.held += 1;
                self.seen(txn, purse).await
            }
            Held::Short => {
                self.tally.short += 1;
                Ok(())
            }
            Held::InDebt => {
                self.tally.in_debt += 1;
                Ok(())
            }
        }
    }

    async fn settle(&mut self, txn: &DatabaseTransaction, at: usize, delivered: i64) -> Told<()> {
        let (run, outputs, purse) =
            (self.books.pledges[at].run, self.books.pledges[at].outputs, self.books.pledges[at].purse);
        let delivered = delivered.min(outputs);
        bulk::end(txn, run, delivered, self.people[self.books.purses[purse].who].asset).await;
        let moved = holds::settle(txn, run, delivered, outputs).await.unwrap();
        same("settle", &moved, &true)?;
        let closed = self.books.purses[purse].closed(self.now).is_some();
        self.tally.late_releases += u32::from(closed && delivered < outputs);
        self.tally.late_captures += u32::from(closed && delivered > 0);
        self.books.settle(at, delivered, self.now);
        self.seen(txn, purse).await
    }
}
