//! The ledger as arithmetic knows it: what every step must come to, told without a database.

use chrono::{DateTime, Utc};
use nproxy::models::allowances::{Closed, Kind, Standing};

use super::history::TOKENS_EACH;

#[derive(Debug, Clone)]
pub struct Purse {
    pub who: usize,
    pub kind: Kind,
    pub starts: DateTime<Utc>,
    pub ends: Option<DateTime<Utc>>,
    pub available: i64,
    pub posted: i64,
    /// Pictures that arrived and debts paid.
    pub used: i64,
    pub expired: bool,
    pub revoked: bool,
}

#[derive(Debug, Clone)]
pub struct Pledge {
    pub run: i64,
    pub purse: usize,
    pub amount: i64,
    pub outputs: i64,
    pub open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    pub who: usize,
    pub tokens: bool,
    pub amount: i64,
    pub outstanding: i64,
    pub forgiven: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Held {
    From { purse: usize, amount: i64 },
    Short,
    InDebt,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Adjusted {
    Done,
    BelowZero(i64),
    Closed(Closed),
}

#[derive(Debug, Clone, Default)]
pub struct Books {
    pub purses: Vec<Purse>,
    pub pledges: Vec<Pledge>,
    pub debts: Vec<Owed>,
}

type Moment = DateTime<Utc>;

impl Books {
    pub fn grant(&mut self, purse: Purse, now: Moment) {
        let who = purse.who;
        self.purses.push(purse);
        self.collect(who, now);
    }

    pub fn hold(&mut self, who: usize, run: i64, outputs: i64, now: Moment) -> Held {
        let before = self.clone();
        self.collect(who, now);
        if self.owes(who) {
            *self = before;
            return Held::InDebt;
        }
        for purse in self.as_spent(who, now) {
            let it = &mut self.purses[purse];
            let amount = if it.kind == Kind::Tokens { outputs * TOKENS_EACH } else { outputs };
            if it.starts <= now && it.available >= amount {
                it.available -= amount;
                self.pledges.push(Pledge { run, purse, amount, outputs, open: true });
                return Held::From { purse, amount };
            }
        }
        *self = before;
        Held::Short
    }

    pub fn settle(&mut self, pledge: usize, delivered: i64, now: Moment) {
        let it = &mut self.pledges[pledge];
        let captured = it.amount / it.outputs * delivered;
        let back = it.amount - captured;
        it.open = false;
        let purse = &mut self.purses[it.purse];
        purse.posted -= captured;
        purse.used += captured;
        match purse.closed(now) {
            None => purse.available += back,
            Some(Closed::Ended) => purse.posted -= back,
            Some(Closed::Revoked) => {
                purse.posted -= back;
                let (who, tokens) = (purse.who, purse.kind == Kind::Tokens);
                self.owe(who, tokens, captured, now);
            }
        }
    }

    pub fn expire(&mut self, purse: usize, now: Moment) -> bool {
        let it = &mut self.purses[purse];
        let over = it.ends.is_some_and(|end| end <= now) && !it.expired && !it.revoked;
        if over {
            it.posted -= it.available;
            it.available = 0;
            it.expired = true;
        }
        over
    }

    pub fn adjust(&mut self, purse: usize, by: i64, now: Moment) -> Adjusted {
        let it = &mut self.purses[purse];
        if let Some(closed) = it.closed(now) {
            return Adjusted::Closed(closed);
        }
        if it.available + by < 0 {
            return Adjusted::BelowZero(it.available);
        }
        it.available += by;
        it.posted += by;
        let who = it.who;
        if by > 0 {
            self.collect(who, now);
        }
        Adjusted::Done
    }

    pub fn revoke(&mut self, purse: usize, now: Moment) -> Option<Standing> {
        let it = &mut self.purses[purse];
        if it.revoked {
            return None;
        }
        let standing = Standing { free: it.available, held: it.posted - it.available, used: it.used };
        it.posted -= it.available;
        it.available = 0;
        it.revoked = true;
        let (who, tokens) = (it.who, it.kind == Kind::Tokens);
        self.owe(who, tokens, standing.used, now);
        Some(standing)
    }

    pub fn forgive(&mut self, debt: usize) -> Option<i64> {
        let it = &mut self.debts[debt];
        let left = std::mem::take(&mut it.outstanding);
        it.forgiven += left;
        (left > 0).then_some(left)
    }

    pub fn owes(&self, who: usize) -> bool {
        self.debts.iter().any(|debt| debt.who == who && debt.outstanding > 0)
    }

    fn owe(&mut self, who: usize, tokens: bool, amount: i64, now: Moment) {
        if amount > 0 {
            self.debts.push(Owed { who, tokens, amount, outstanding: amount, forgiven: 0 });
            self.collect(who, now);
        }
    }

    fn collect(&mut self, who: usize, now: Moment) {
        let order = self.as_spent(who, now);
        for debt in self.debts.iter_mut().filter(|debt| debt.who == who) {
            for purse in &order {
                let purse = &mut self.purses[*purse];
                if (purse.kind == Kind::Tokens) == debt.tokens {
                    let pays = purse.available.min(debt.outstanding);
                    purse.available -= pays;
                    purse.posted -= pays;
                    purse.used += pays;
                    debt.outstanding -= pays;
                }
            }
        }
    }

    /// The purses of a person that are neither over nor taken back, the soonest-ending first.
    fn as_spent(&self, who: usize, now: Moment) -> Vec<usize> {
        let mine = |at: &usize| self.purses[*at].who == who && self.purses[*at].closed(now).is_none();
        let mut order: Vec<usize> = (0..self.purses.len()).filter(mine).collect();
        order.sort_by_key(|at| (self.purses[*at].ends.unwrap_or(Moment::MAX_UTC), self.purses[*at].kind as u8, *at));
        order
    }
}

impl Purse {
    pub fn closed(&self, now: Moment) -> Option<Closed> {
        if self.revoked {
            return Some(Closed::Revoked);
        }
        (self.expired || self.ends.is_some_and(|end| end <= now)).then_some(Closed::Ended)
    }
}
