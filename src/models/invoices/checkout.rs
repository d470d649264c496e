//! A person wants to pay: one open invoice, and one checkout for it.

use std::time::Duration;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait,
    PaginatorTrait, QueryFilter, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::{Column, Entity, Kind, Model, OPEN, State, by_id, links, polling, unfinished, words};
use crate::{
    adapters::payments::{Checkout, Failure, Order, Processor},
    context::Nproxy,
    models::{
        _entities::invoices::ActiveModel, allowances, begin, catalogue::Offer, clock, subscriptions::cycles, text,
        users,
    },
};

/// How long the amount is promised; the processor's own word counts where it gives one.
pub const LIFE: TimeDelta = TimeDelta::hours(1);

/// Whoever asks the processor for a checkout has so long; longer than the call can take.
const OPENING: TimeDelta = TimeDelta::seconds(60);

/// Invoices that one person may make in an hour: each is a checkout at the processor's, and is watched for a week.
const HOURLY: u64 = 10;

/// What became of the wish to pay.
#[derive(Debug)]
pub enum Opening {
    /// A new invoice, or the one that was open already. Without an address the processor did not answer: asking again
    /// tries again.
    Open(Model),
    /// A month waits behind the running one already; nothing was opened.
    AlreadyQueued,
    /// The person has made enough invoices for this hour; nothing was opened.
    TooMany,
    /// The processor is not on offer; nothing was opened.
    NoSuchProcessor,
    /// The account was blocked or deleted since the request came in; nothing was opened.
    Barred,
}

/// Opens an invoice for the plan at a processor, or finds the open one, and sees to its checkout. An untouched one at
/// another processor is given up for it.
///
/// # Errors
/// The database does not answer.
pub async fn open(ctx: &AppContext, user: &users::Model, processor: &str) -> Result<Opening> {
    let Some(processor) = ctx.parts().processor(processor) else { return Ok(Opening::NoSuchProcessor) };
    let txn = begin(&ctx.db).await?;
    allowances::one_at_a_time(&txn, user.id).await?;
    if !users::may_start(&txn, user).await? {
        return Ok(Opening::Barred);
    }
    let now = clock::now(&txn).await?;
    if !cycles(&txn, user.id, now).await?.is_renewable() {
        return Ok(Opening::AlreadyQueued);
    }
    let invoice = match reusable(&txn, user, &processor, now).await? {
        Some(open) => open,
        None if made_since(&txn, user, now - TimeDelta::hours(1)).await? >= HOURLY => return Ok(Opening::TooMany),
        None => draft(user, &processor, ctx.parts().catalogue().plan(), now).insert(&txn).await?,
    };
    // The order is known here before the processor hears of it.
    txn.commit().await?;
    Ok(Opening::Open(invoice.with_checkout(ctx, &processor).await?))
}

async fn reusable(
    txn: &DatabaseTransaction,
    user: &users::Model,
    processor: &Processor,
    now: DateTimeUtc,
) -> Result<Option<Model>> {
    let Some(open) = unfinished(txn, user.id).await? else { return Ok(None) };
    let left_for = match open.state_at(now) {
        State::New if open.processor != processor.name() => State::Canceled,
        State::Expired => State::Expired,
        State::Canceled | State::Paid | State::Refunded => return Ok(None),
        State::New | State::Pending | State::Confirming | State::Underpaid => return Ok(Some(open)),
    };
    // It is still watched: whoever pays it nevertheless gets the month.
    open.leave(txn, left_for).await?;
    Ok(None)
}

async fn made_since(txn: &DatabaseTransaction, user: &users::Model, since: DateTimeUtc) -> Result<u64> {
    let made = Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::CreatedAt.gt(since));
    Ok(made.count(txn).await?)
}

/// One that is to be paid from this moment on.
pub(super) fn draft(user: &users::Model, processor: &Processor, offer: &Offer, now: DateTimeUtc) -> ActiveModel {
    ActiveModel {
        pid: Set(Uuid::now_v7()),
        user_id: Set(user.id),
        kind: Set(text(Kind::Subscription)),
        offer_code: Set(offer.code.clone()),
        offer_snapshot: Set(json!(offer)),
        price_minor: Set(offer.price),
        currency: Set(offer.currency.clone()),
        processor: Set(processor.name().to_owned()),
        state: Set(text(State::New)),
        paid_minor: Set(0),
        late: Set(false),
        overpaid: Set(false),
        marked: Set(false),
        payments: Set(json!([])),
        version: Set(0),
        created_at: Set(now),
        expires_at: Set(now + LIFE),
        next_poll_at: Set(Some(now + polling::FIRST)),
        ..Default::default()
    }
}

impl Model {
    /// To a state in which nobody is expected to pay any more; nothing happens when it has moved on meanwhile.
    pub(super) async fn leave(&self, db: &impl ConnectionTrait, to: State) -> Result<bool> {
        let left = Entity::update_many()
            .col_expr(Column::State, Expr::value(text(to)))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.eq(self.state.clone()))
            .exec(db)
            .await?;
        Ok(left.rows_affected == 1)
    }

    /// The invoice with an address to pay at, if the processor gives one. One request at a time asks for it; where it is
    /// not known whether an earlier one was heard, the processor is searched before it is asked again.
    async fn with_checkout(self, ctx: &AppContext, processor: &Processor) -> Result<Self> {
        if self.checkout_url.is_some() || !self.claim_opening(&ctx.db).await? {
            return self.again(&ctx.db).await;
        }
        // Whoever pays comes back to this invoice, on whatever device and signed in or not.
        let back = links::link(ctx, &self)?.parse().map_err(Error::wrap)?;
        match self.ask_for_checkout(ctx, processor, &back).await {
            Ok(checkout) => self.adopt(ctx, &checkout).await?,
            Err(failure) => self.give_opening_back(ctx, &failure).await?,
        }
        self.again(&ctx.db).await
    }

    async fn ask_for_checkout(&self, ctx: &AppContext, processor: &Processor, back: &Url) -> Result<Checkout, Failure> {
        let parts = ctx.parts();
        if self.opening_until.is_some()
            && let Some(found) = processor.find(parts.till(), &self.order_id()).await?
        {
            return Ok(found);
        }
        let mut webhook_url = parts.settings().app_url.clone();
        webhook_url.set_path(&format!("/webhooks/{}", processor.name()));
        let price = self.price();
        let order = Order {
            order_id: &self.order_id(),
            price: &price,
            description: "nproxy, one month",
            buyer_email: None,
            return_url: back,
            webhook_url: &webhook_url,
            expires_in: Duration::from_secs(LIFE.num_seconds().unsigned_abs()),
        };
        processor.create(parts.till(), &order).await
    }

    async fn claim_opening(&self, db: &impl ConnectionTrait) -> Result<bool> {
        let now = clock::now(db).await?;
        let won = Entity::update_many()
            .col_expr(Column::OpeningUntil, Expr::value(now + OPENING))
            // From now on somebody may pay.
            .col_expr(Column::NextPollAt, Expr::value(now + polling::FIRST))
            .filter(Column::Id.eq(self.id))
            .filter(Column::State.is_in(words(OPEN)))
            .filter(Column::ProcessorRef.is_null())
            .filter(Column::OpeningUntil.is_null().or(Column::OpeningUntil.lte(now)))
            .exec(db)
            .await?;
        Ok(won.rows_affected == 1)
    }

    /// The next request may ask at once; that somebody asked stays known.
    async fn give_opening_back(&self, ctx: &AppContext, failure: &Failure) -> Result<()> {
        if failure.needs_operator() {
            tracing::error!(invoice.id = self.id, processor = self.processor, %failure, "no checkout could be opened");
        } else {
            tracing::warn!(invoice.id = self.id, processor = self.processor, %failure, "no checkout could be opened");
        }
        let txn = begin(&ctx.db).await?;
        Entity::update_many()
            .col_expr(Column::OpeningUntil, Expr::value(clock::now(&txn).await?))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::ProcessorRef.is_null())
            .exec(&txn)
            .await?;
        if failure.needs_operator() {
            self.follow_checkouts(&txn, Some(failure)).await?;
        }
        txn.commit().await?;
        Ok(())
    }

    /// The checkout that the processor has for this order; the first one stays. The time to pay begins with it.
    pub(super) async fn adopt(&self, ctx: &AppContext, checkout: &Checkout) -> Result<()> {
        let txn = begin(&ctx.db).await?;
        let expires_at = match checkout.expires_at {
            Some(told) => told,
            None => clock::now(&txn).await? + LIFE,
        };
        Entity::update_many()
            .col_expr(Column::ProcessorRef, Expr::value(checkout.reference.clone()))
            .col_expr(Column::CheckoutUrl, Expr::value(checkout.checkout_url.clone()))
            .col_expr(Column::ExpiresAt, Expr::value(expires_at))
            .col_expr(Column::Methods, Expr::value(json!(checkout.methods)))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.eq(self.id))
            .filter(Column::ProcessorRef.is_null())
            .exec(&txn)
            .await?;
        self.follow_checkouts(&txn, None).await?;
        txn.commit().await?;
        Ok(())
    }

    pub(super) async fn again(&self, db: &impl ConnectionTrait) -> Result<Self> {
        by_id(db, self.id).await?.ok_or(Error::NotFound)
    }
}
