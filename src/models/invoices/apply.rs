//! What the processor tells becomes the state of an invoice. Webhook, poller, reconciliation and "check again" all come
//! here: the truth is fetched, held against what was asked for, and moves the invoice forward or not at all.

use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::{Column, Entity, Model, State, by_id};
use crate::{
    adapters::payments::{Failure, Mismatch, Processor, Truth},
    context::Nproxy,
    models::{
        activities::Actor,
        alerts,
        allowances::{self, Gift, Grant, Kind},
        begin, clock,
        notifications::{self, Kind as Notice},
        payment_events, subscriptions, text, users,
    },
};

/// Less than the price by no more than this, thousandths, is the price: wallets round and fees nibble.
const TOLERANCE: i64 = 10;

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
pub enum Applied {
    /// As it stands now; `true` when this call made it `paid`.
    Stands(State, bool),
    /// The processor knows of no checkout for it: none was opened, or nobody was told of it.
    NoCheckout,
    /// The processor is switched off.
    NoProcessor,
    /// What the processor told is not about our order; nothing changed. An operator looks.
    Mismatched(Mismatch),
    /// The processor did not tell; nothing changed. Later.
    Unanswered(Failure),
    Unknown,
}

/// Brings an invoice up to what the processor says. Safe at any time, twice and at once: the month is given once.
///
/// # Errors
/// The database does not answer.
pub async fn apply(ctx: &AppContext, id: i64) -> Result<Applied> {
    let Some(invoice) = by_id(&ctx.db, id).await? else { return Ok(Applied::Unknown) };
    let Some(processor) = ctx.parts().processor(&invoice.processor) else { return Ok(Applied::NoProcessor) };
    match fetch(ctx, &processor, &invoice).await {
        Ok(Some(truth)) => {
            let applied = believe(ctx, &invoice, &truth).await?;
            invoice.follow_methods(ctx, &processor).await?;
            Ok(applied)
        }
        Ok(None) => {
            let txn = begin(&ctx.db).await?;
            invoice.is_answered(&txn).await?;
            txn.commit().await?;
            invoice.expire_by_clock(ctx).await?;
            Ok(Applied::NoCheckout)
        }
        Err(Trouble::Processor(failure)) => {
            if failure.needs_operator() {
                tracing::error!(invoice.id = id, processor = invoice.processor, %failure, "a payment cannot be checked");
                invoice.report_unanswered(ctx, &failure).await?;
            } else {
                tracing::warn!(invoice.id = id, processor = invoice.processor, %failure, "a payment cannot be checked");
            }
            Ok(Applied::Unanswered(failure))
        }
        Err(Trouble::Ours(error)) => Err(error),
    }
}

enum Trouble {
    Processor(Failure),
    Ours(Error),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Processor(failure)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// `None` while there is no checkout to ask for.
async fn fetch(ctx: &AppContext, processor: &Processor, invoice: &Model) -> Result<Option<Truth>, Trouble> {
    let parts = ctx.parts();
    let reference = match &invoice.processor_ref {
        Some(reference) => reference.clone(),
        None if invoice.is_unopened() => return Ok(None),
        None => {
            // A checkout may exist that we have not heard of.
            let Some(found) = processor.find(parts.till(), &invoice.order_id()).await? else { return Ok(None) };
            invoice.adopt(ctx, &found).await?;
            found.reference
        }
    };
    let mut payments = payment_events::payments_of(&ctx.db, invoice.id).await?;
    payments.extend(invoice.known_payments());
    Ok(Some(processor.truth(parts.till(), &reference, &payments).await?))
}

/// Holds a truth against what was asked for, and takes it over.
pub(super) async fn believe(ctx: &AppContext, invoice: &Model, truth: &Truth) -> Result<Applied> {
    if let Err(mismatch) = truth.check(&invoice.order_id(), &invoice.price()) {
        tracing::error!(invoice.id = invoice.id, processor = invoice.processor, %mismatch, "a payment is not for our order");
        let says = format!(
            "What {} tells of invoice {} is not what was asked for: {mismatch}.",
            invoice.processor, invoice.id
        );
        let txn = begin(&ctx.db).await?;
        alerts::raise(&txn, &alerts::Trouble::Payment { subject: format!("invoice:{}:mismatch", invoice.id), says })
            .await?;
        invoice.is_answered(&txn).await?;
        txn.commit().await?;
        return Ok(Applied::Mismatched(mismatch));
    }
    let txn = begin(&ctx.db).await?;
    // The person first, as everybody who moves their money; so all news of one person come one after another.
    allowances::one_at_a_time(&txn, invoice.user_id).await?;
    let invoice = invoice.again(&txn).await?;
    let (from, to) = (invoice.state(), invoice.after(truth));
    if from == to && !invoice.is_news(truth) {
        invoice.report(&txn, truth, to).await?;
        txn.commit().await?;
        return Ok(Applied::Stands(from, false));
    }
    let just_paid = to == State::Paid && from != to;
    if just_paid && truth.marked {
        let reason = format!("called paid at {}", invoice.processor);
        invoice.record_marking(&txn, &Actor::System, &reason).await?;
    }
    invoice.take_over(&txn, truth, to).await?;
    let told = if just_paid {
        invoice.give(&txn, &Actor::System, "a paid month").await?;
        invoice.tell(&txn, Notice::Receipt).await?
    } else if matches!(to, State::Underpaid | State::Expired) && truth.paid_minor > 0 {
        invoice.tell(&txn, Notice::Underpaid).await?
    } else {
        None
    };
    invoice.report(&txn, truth, to).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(told.as_slice()).await;
    if from != to {
        tracing::info!(invoice.id = invoice.id, from = text(from), to = text(to), "invoice moved on");
    }
    Ok(Applied::Stands(to, just_paid))
}

impl Model {
    /// Where this truth leads. Paid is what the processor calls so and what was really measured, but for what a person of
    /// the shop has marked by hand; within the tolerance a little less is the price.
    #[must_use]
    pub fn after(&self, truth: &Truth) -> State {
        let enough = truth.paid_minor >= self.price_minor - self.price_minor * TOLERANCE / 1000;
        let told = match State::of(truth.status) {
            State::Paid if !enough && !truth.marked => State::Underpaid,
            State::Underpaid if enough => State::Paid,
            told => told,
        };
        self.state().then(told)
    }

    fn known_payments(&self) -> Vec<String> {
        serde_json::from_value(self.payments.clone()).unwrap_or_default()
    }

    fn payments_with(&self, truth: &Truth) -> Vec<String> {
        let mut all = self.known_payments();
        all.extend(truth.payments.iter().map(|payment| payment.id.clone()));
        all.sort();
        all.dedup();
        all
    }

    /// Does it say anything that is not written down yet?
    fn is_news(&self, truth: &Truth) -> bool {
        truth.paid_minor > self.paid_minor
            || (truth.late && !self.late)
            || (truth.overpaid && !self.overpaid)
            || self.payments_with(truth) != self.known_payments()
    }

    /// The one place where the state moves: forward, from what was seen under the person's lock.
    async fn take_over(&self, txn: &DatabaseTransaction, truth: &Truth, to: State) -> Result<()> {
        let now = clock::now(txn).await?;
        let from = self.state();
        let just_paid = to == State::Paid && from != to;
        let late = self.late || truth.late || (from == State::Expired && to == State::Paid);
        // By a person who calls it paid. Who calls it anything else marks nothing: what is marked is compared with nobody.
        let marked = self.marked || (truth.marked && just_paid);
        let mut update = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(to)))
            .col_expr(Column::PaidMinor, Expr::value(Ord::max(self.paid_minor, truth.paid_minor)))
            .col_expr(Column::Late, Expr::value(late))
            .col_expr(Column::Overpaid, Expr::value(self.overpaid || truth.overpaid))
            .col_expr(Column::Marked, Expr::value(marked))
            .col_expr(Column::Payments, Expr::value(json!(self.payments_with(truth))))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1));
        if just_paid {
            update = update
                .col_expr(Column::PaidAt, Expr::value(now))
                .col_expr(Column::NextPollAt, Expr::value(None::<chrono::DateTime<chrono::Utc>>));
        }
        let moved = update.filter(Column::Id.eq(self.id)).filter(Column::State.eq(text(from))).exec(txn).await?;
        if moved.rows_affected != 1 {
            return Err(Error::Message(format!("invoice {} moved under its lock", self.id)));
        }
        for (is_news, what) in [(late && !self.late, "late"), (truth.overpaid && !self.overpaid, "more than it costs")]
        {
            if is_news {
                let says = format!(
                    "Invoice {} was paid {what}. It counts; look whether something is to be given back.",
                    self.id
                );
                alerts::raise(txn, &alerts::Trouble::Payment { subject: format!("invoice:{}:{what}", self.id), says })
                    .await?;
            }
        }
        Ok(())
    }

    /// A mail about it, once for each thing there is to say.
    pub(super) async fn tell(&self, txn: &DatabaseTransaction, what: Notice) -> Result<Option<Enqueued>> {
        let key = format!("{}:{}", text(what), self.id);
        notifications::mail(txn, what, key, self.user_id, json!({ "invoice": self.id })).await
    }

    /// The month that was paid for, in the transaction that makes the invoice paid.
    pub(super) async fn give(
        &self,
        txn: &DatabaseTransaction,
        actor: &Actor,
        reason: &str,
    ) -> Result<allowances::Model> {
        let user = users::by_id(txn, self.user_id).await?.ok_or(Error::NotFound)?;
        let now = clock::now(txn).await?;
        let offer = self.offer()?;
        let amount = offer.requests.ok_or_else(|| Error::Message(format!("invoice {} is for no plan", self.id)))?;
        let cycles = subscriptions::cycles(txn, user.id, now).await?;
        let (starts_at, expires_at) = cycles.next(now);
        subscriptions::activate(txn, user.id, &offer.code, &cycles, starts_at).await?;
        let gift =
            Gift { kind: Kind::Quota, amount, starts_at, expires_at: Some(expires_at), source: self.source(), reason };
        match allowances::grant(txn, &user, gift, actor).await? {
            Grant::Granted(month) => Ok(month),
            Grant::AlreadyGranted => Err(Error::Message(format!("invoice {} was granted before it was paid", self.id))),
        }
    }

    /// Not every processor ends an invoice, and none ends one that is paid in part. The person first, as for all news.
    pub(super) async fn expire_by_clock(&self, ctx: &AppContext) -> Result<()> {
        let is_due =
            |invoice: &Self, now| matches!(invoice.state(), State::New | State::Underpaid) && invoice.expires_at <= now;
        if !is_due(self, clock::now(&ctx.db).await?) {
            return Ok(());
        }
        let txn = begin(&ctx.db).await?;
        allowances::one_at_a_time(&txn, self.user_id).await?;
        let invoice = self.again(&txn).await?;
        if is_due(&invoice, clock::now(&txn).await?) {
            invoice.leave(&txn, State::Expired).await?;
        }
        txn.commit().await?;
        Ok(())
    }
}
