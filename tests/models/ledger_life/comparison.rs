//! What the database holds against what arithmetic says.

use nproxy::models::{allowances, debts, holds, ledger_entries};
use sea_orm::DatabaseTransaction;

use super::{
    arithmetic::Owed,
    world::{Told, World},
};
use crate::support::bulk;

impl World<'_> {
    /// One allowance, after a step that touched it.
    pub(super) async fn seen(&self, txn: &DatabaseTransaction, at: usize) -> Told<()> {
        let row = allowances::by_id(txn, self.ids[at]).await.unwrap().ok_or("the allowance is gone")?;
        let purse = &self.books.purses[at];
        let stored = (row.available, row.posted, row.expired_at.is_some(), row.revoked_at.is_some());
        same("allowance", &stored, &(purse.available, purse.posted, purse.expired, purse.revoked))
    }

    /// Everything: balances, the sums of the entries, what is held, who owes.
    pub(super) async fn compare(&self, txn: &DatabaseTransaction) -> Told<()> {
        let mut rows = Vec::new();
        for person in &self.people {
            rows.extend(allowances::all_of(txn, person.user.id).await.unwrap());
        }
        rows.sort_by_key(|row| self.ids.iter().position(|id| *id == row.id));
        let stored: Vec<_> = rows.iter().map(|row| (row.available, row.posted)).collect();
        let expected: Vec<_> = self.books.purses.iter().map(|purse| (purse.available, purse.posted)).collect();
        same("balances", &stored, &expected)?;
        let people = self.people.iter().map(|person| person.user.id.to_string()).collect::<Vec<_>>().join(", ");
        let broken = bulk::ids(
            txn,
            &format!(
                "SELECT a.id FROM allowances a LEFT JOIN ledger_entries e ON e.allowance_id = a.id \
                 WHERE a.user_id IN ({people}) GROUP BY a.id, a.available, a.posted \
                 HAVING a.available <> SUM(e.available_delta) OR a.posted <> SUM(e.posted_delta)"
            ),
        )
        .await;
        same("allowances that are not the sums of their entries", &broken, &Vec::new())?;
        let held = bulk::ids(
            txn,
            &format!(
                "SELECT CAST(COALESCE(SUM(h.amount), 0) AS BIGINT) FROM holds h JOIN allowances a ON a.id = h.allowance_id \
                 WHERE h.state = 'open' AND a.user_id IN ({people})"
            ),
        )
        .await;
        let open: i64 = self.books.pledges.iter().filter(|pledge| pledge.open).map(|pledge| pledge.amount).sum();
        same("held", &held[0], &open)?;
        let debts: Vec<_> = self.debts(txn).await.into_iter().map(|(_, owed)| owed).collect();
        same("debts", &debts, &self.books.debts)
    }

    /// Every row of money in this life, with what differs between databases (ids, and keys made of them) left out.
    pub async fn rows(&self) -> Vec<String> {
        let first = |text: &str| text.split([' ', ':']).next().unwrap_or_default().to_owned();
        let mut lines = Vec::new();
        for (at, id) in self.ids.iter().enumerate() {
            let row = allowances::by_id(self.db, *id).await.unwrap().unwrap();
            let ends = (row.expires_at, row.expired_at, row.revoked_at);
            let (kind, granted, available, posted) = (row.kind, row.granted, row.available, row.posted);
            lines.push(format!("allowance {at} {kind} {granted} {available} {posted} {} {ends:?}", row.starts_at));
            for e in ledger_entries::of_allowance(self.db, *id).await.unwrap() {
                let (deltas, after) = ((e.available_delta, e.posted_delta), (e.available_after, e.posted_after));
                let (key, reason, of) = (first(&e.idempotency_key), first(&e.reason), (e.hold_id, e.debt_id));
                let of = (of.0.is_some(), of.1.is_some());
                lines.push(format!(
                    "  {} {deltas:?} {after:?} {key} {} {reason} {of:?} {}",
                    e.kind, e.actor, e.created_at
                ));
            }
        }
        for pledge in &self.books.pledges {
            let row = holds::of_run(self.db, pledge.run).await.unwrap().unwrap();
            let moments = (row.created_at, row.settled_at);
            lines.push(format!(
                "hold {} {} {} {} {moments:?}",
                pledge.purse, row.state, row.amount, row.captured_amount
            ));
        }
        for person in &self.people {
            for row in debts::all_of(self.db, person.user.id).await.unwrap() {
                let (amounts, unit) = ((row.amount, row.outstanding, row.forgiven), row.unit);
                lines.push(format!("debt {unit} {amounts:?} {} {:?}", row.created_at, row.cleared_at));
            }
        }
        lines
    }

    pub(super) async fn debts(&self, txn: &DatabaseTransaction) -> Vec<(i64, Owed)> {
        let mut all = Vec::new();
        for (who, person) in self.people.iter().enumerate() {
            for row in debts::all_of(txn, person.user.id).await.unwrap() {
                let tokens = row.unit() == allowances::Unit::Tokens;
                let (amount, outstanding, forgiven) = (row.amount, row.outstanding, row.forgiven);
                all.push((row.id, Owed { who, tokens, amount, outstanding, forgiven }));
            }
        }
        all.sort_by_key(|(id, _)| *id);
        all
    }
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, stored: &T, expected: &T) -> Told<()> {
    if stored == expected { Ok(()) } else { Err(format!("{what}: {stored:?}, and arithmetic says {expected:?}")) }
}
