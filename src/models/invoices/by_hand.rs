//! What an operator does with an invoice: calls it paid, gives the payment back, has the processor asked again. Each is
//! written down with who and why, and happens once.

use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr,
};
use serde_json::json;

use super::{Applied, Column, Entity, Model, State, apply};
use crate::{
    context::Nproxy,
    models::{
        activities::{self, Actor},
        allowances::{self, Revocation, Standing},
        begin, clock,
        notifications::Kind as Notice,
        text,
    },
};

/// What became of calling an invoice paid.
#[derive(Debug, PartialEq, Eq)]
pub enum Marking {
    /// It is paid now, and this is the month that was given for it.
    Marked(allowances::Model),
    /// It was paid before; nothing was given.
    AlreadyPaid,
    /// It was paid and given back; a new invoice is another matter.
    Refunded,
    /// Nobody calls something paid without saying why.
    NoReason,
}

/// What became of giving a payment back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refunding {
    /// How its month stood: what was free is gone, what was used is owed.
    Refunded(Standing),
    AlreadyRefunded,
    /// Nothing was paid that could be given back.
    NotPaid(State),
    NoReason,
}

/// The operator's word instead of the processor's: the invoice is paid, flagged as marked, and its month is given, once.
///
/// # Errors
/// The database does not answer.
pub async fn mark_paid(ctx: &AppContext, invoice: &Model, actor: &Actor, reason: &str) -> Result<Marking> {
    let txn = begin(&ctx.db).await?;
    let (marking, receipt) = mark_paid_in(&txn, invoice, actor, reason).await?;
    if matches!(marking, Marking::Marked(_)) {
        txn.commit().await?;
        ctx.parts().jobs().hint(receipt.as_slice()).await;
    }
    Ok(marking)
}

/// As [`mark_paid`], in the caller's transaction, which stays usable whatever the answer; with the receipt's job.
pub(in crate::models) async fn mark_paid_in(
    txn: &DatabaseTransaction,
    invoice: &Model,
    actor: &Actor,
    reason: &str,
) -> Result<(Marking, Option<Enqueued>)> {
    if reason.trim().is_empty() {
        return Ok((Marking::NoReason, None));
    }
    allowances::one_at_a_time(txn, invoice.user_id).await?;
    let invoice = invoice.again(txn).await?;
    match invoice.state() {
        State::Paid => return Ok((Marking::AlreadyPaid, None)),
        State::Refunded => return Ok((Marking::Refunded, None)),
        State::New | State::Pending | State::Confirming | State::Underpaid | State::Expired | State::Canceled => {}
    }
    invoice.record_marking(txn, actor, reason).await?;
    invoice.mark(txn).await?;
    let month = invoice.give(txn, actor, reason).await?;
    let receipt = invoice.tell(txn, Notice::Receipt).await?;
    invoice.is_settled(txn).await?;
    Ok((Marking::Marked(month), receipt))
}

/// What [`refund`] would do to the month that was paid for; `None` when there is nothing to give back.
///
/// # Errors
/// The database does not answer.
pub async fn would_refund(db: &impl ConnectionTrait, invoice: &Model) -> Result<Option<Standing>> {
    if invoice.state() != State::Paid {
        return Ok(None);
    }
    Ok(Some(match invoice.bought(db).await? {
        Some(month) if month.revoked_at.is_none() => month.standing(db).await?,
        // Taken back by itself before.
        Some(_) | None => NOTHING,
    }))
}

const NOTHING: Standing = Standing { free: 0, held: 0, used: 0 };

/// Writes down that the payment goes back, and takes its month away: what is unused is gone at once, what was used is owed.
/// The money itself is sent at the processor's, which no interface does for us.
///
/// # Errors
/// The database does not answer.
pub async fn refund(ctx: &AppContext, invoice: &Model, actor: &Actor, reason: &str) -> Result<Refunding> {
    if reason.trim().is_empty() {
        return Ok(Refunding::NoReason);
    }
    let txn = begin(&ctx.db).await?;
    allowances::one_at_a_time(&txn, invoice.user_id).await?;
    let invoice = invoice.again(&txn).await?;
    match invoice.state() {
        State::Paid => {}
        State::Refunded => return Ok(Refunding::AlreadyRefunded),
        state @ (State::New
        | State::Pending
        | State::Confirming
        | State::Underpaid
        | State::Expired
        | State::Canceled) => {
            return Ok(Refunding::NotPaid(state));
        }
    }
    let detail = json!({
        "user": invoice.user_id, "reason": reason, "price_minor": invoice.price_minor, "paid_minor": invoice.paid_minor,
        "currency": invoice.currency,
    });
    activities::record(&txn, actor, "refund_invoice", ("invoice", invoice.id), detail).await?;
    if !invoice.leave(&txn, State::Refunded).await? {
        return Err(Error::Message(format!("invoice {} moved under its lock", invoice.id)));
    }
    let standing = invoice.take_back(&txn, actor, reason).await?;
    let told = invoice.tell(&txn, Notice::Refunded).await?;
    invoice.is_given_back(&txn).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(told.as_slice()).await;
    Ok(Refunding::Refunded(standing))
}

/// The processor is asked again, now, whatever the invoice's plan of looks says.
///
/// # Errors
/// The database does not answer.
pub async fn check(ctx: &AppContext, invoice: &Model, actor: &Actor, reason: &str) -> Result<Applied> {
    let applied = apply(ctx, invoice.id).await?;
    let txn = begin(&ctx.db).await?;
    let detail = json!({ "user": invoice.user_id, "reason": reason, "came_of_it": applied.in_words() });
    activities::record(&txn, actor, "check_invoice", ("invoice", invoice.id), detail).await?;
    txn.commit().await?;
    Ok(applied)
}

impl Applied {
    /// For operators.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Stands(state, true) => format!("it is {} now", text(*state)),
            Self::Stands(state, false) => format!("it stays {}", text(*state)),
            Self::NoCheckout => "the processor knows of no checkout for it".into(),
            Self::NoProcessor => "its processor is switched off".into(),
            Self::Mismatched(mismatch) => format!("not believed: {mismatch}"),
            Self::Unanswered(failure) => format!("the processor did not tell: {failure}"),
            Self::Unknown => "there is no such invoice".into(),
        }
    }
}

impl Model {
    /// Whoever calls it paid on their own word stands in the audit log, also if that was at the processor. The person is
    /// locked, and it is as it was before.
    pub(super) async fn record_marking(&self, txn: &DatabaseTransaction, actor: &Actor, reason: &str) -> Result<()> {
        let detail = json!({
            "user": self.user_id, "reason": reason, "was": self.state, "price_minor": self.price_minor,
            "paid_minor": self.paid_minor, "currency": self.currency,
        });
        activities::record(txn, actor, "mark_invoice_paid", ("invoice", self.id), detail).await?;
        Ok(())
    }

    /// Paid by an operator's word. The person is locked.
    async fn mark(&self, txn: &DatabaseTransaction) -> Result<()> {
        let moved = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Paid)))
            .col_expr(Column::Marked, Expr::value(true))
            .col_expr(Column::PaidAt, Expr::value(clock::now(txn).await?))
            .col_expr(Column::NextPollAt, Expr::value(None::<chrono::DateTime<chrono::Utc>>))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.eq(self.state.clone()))
            .exec(txn)
            .await?;
        if moved.rows_affected == 1 {
            Ok(())
        } else {
            Err(Error::Message(format!("invoice {} moved under its lock", self.id)))
        }
    }

    /// The month that was paid for goes back, unless it was taken back by itself before.
    async fn take_back(&self, txn: &DatabaseTransaction, actor: &Actor, reason: &str) -> Result<Standing> {
        let Some(month) = self.bought(txn).await? else { return Ok(NOTHING) };
        match allowances::revoke(txn, month.id, reason, actor).await? {
            Revocation::Revoked(standing) => Ok(standing),
            Revocation::AlreadyRevoked | Revocation::Unknown => Ok(NOTHING),
        }
    }
}
