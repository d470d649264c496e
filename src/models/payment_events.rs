//! The inbox of webhooks: written once, answered, and looked at afterwards. What a webhook says decides nothing; it makes
//! us ask, and where the processor could not tell, an admin. Rows are never changed.

use bytes::Bytes;
use loco_rs::{Result, app::AppContext};
use reqwest::header::HeaderMap;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    _entities::{
        payment_event_keys,
        payment_events::{ActiveModel, Column, Entity},
    },
    begin, clock, insert_new, invoices,
};
use crate::{
    adapters::payments::{Event, Forged},
    context::Nproxy,
    workers::{
        Durable,
        apply_payment::{ApplyPayment, Due},
    },
};

pub use super::_entities::payment_events::Model;

/// What became of a webhook. All but the last two are answered alike.
#[derive(Debug, PartialEq, Eq)]
pub enum Reception {
    /// Written down; the invoice is looked at.
    Received,
    /// Written down before; nothing happens.
    Known,
    /// Written down; it is about no invoice of ours.
    NotOurs,
    /// Not believed; nothing was written.
    Forged(Forged),
    /// The processor is switched off.
    NoProcessor,
}

/// Takes a webhook in: the event, its names and the job that asks the processor, in one transaction.
///
/// # Errors
/// The database does not answer.
pub async fn receive(ctx: &AppContext, processor: &str, headers: &HeaderMap, body: &Bytes) -> Result<Reception> {
    let Some(processor) = ctx.parts().processor(processor) else { return Ok(Reception::NoProcessor) };
    let name = processor.name();
    let event = match processor.verify(headers, body) {
        Ok(event) => event,
        Err(forged) => {
            tracing::warn!(processor = name, why = %forged, "a webhook is not believed");
            return Ok(Reception::Forged(forged));
        }
    };
    let txn = begin(&ctx.db).await?;
    let (reference, order) = (event.reference.as_deref(), event.order_id.as_deref());
    let invoice = match (invoices::named(&txn, name, reference, order).await?, &event.parent) {
        (None, Some(parent)) => of_payment(&txn, name, parent).await?,
        (named, _) => named,
    };
    if !write(&txn, name, &event, invoice.as_ref().map(|invoice| invoice.id), body).await? {
        txn.rollback().await?;
        return Ok(Reception::Known);
    }
    let Some(invoice) = invoice else {
        txn.commit().await?;
        tracing::info!(processor = name, kind = event.kind, "a webhook is about no invoice of ours");
        return Ok(Reception::NotOurs);
    };
    let job = ApplyPayment::enqueue(&txn, &Due { invoice: invoice.id }).await?;
    if event.is_refund {
        invoice.report_refund(&txn).await?;
    }
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(Reception::Received)
}

/// `false` when it is there already, under any of its names.
async fn write(
    txn: &impl ConnectionTrait,
    processor: &str,
    event: &Event,
    invoice_id: Option<i64>,
    body: &Bytes,
) -> Result<bool> {
    let row = ActiveModel {
        processor: Set(processor.to_owned()),
        kind: Set(event.kind.clone()),
        reference: Set(event.reference.clone()),
        payment: Set(event.payment.clone()),
        invoice_id: Set(invoice_id),
        body: Set(String::from_utf8_lossy(body).into_owned()),
        created_at: Set(clock::now(txn).await?),
        ..Default::default()
    }
    .insert(txn)
    .await?;
    let mut keys = event.dedupe_keys.clone();
    // Two copies at once take them in the same order, so that neither waits for the other in a circle.
    keys.sort();
    for key in keys {
        let name = payment_event_keys::ActiveModel {
            processor: Set(processor.to_owned()),
            dedupe_key: Set(key),
            payment_event_id: Set(row.id),
            ..Default::default()
        };
        if !insert_new(txn, name).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The invoice of a payment that was told of before.
async fn of_payment(db: &impl ConnectionTrait, processor: &str, payment: &str) -> Result<Option<invoices::Model>> {
    let told = Entity::find()
        .filter(Column::Processor.eq(processor))
        .filter(Column::Payment.eq(payment))
        .filter(Column::InvoiceId.is_not_null())
        .one(db)
        .await?;
    match told.and_then(|event| event.invoice_id) {
        Some(id) => invoices::by_id(db, id).await,
        None => Ok(None),
    }
}

/// The ids of single payments that webhooks have told of.
pub(super) async fn payments_of(db: &impl ConnectionTrait, invoice_id: i64) -> Result<Vec<String>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Payment)
        .distinct()
        .filter(Column::InvoiceId.eq(invoice_id))
        .filter(Column::Payment.is_not_null())
        .into_tuple()
        .all(db)
        .await?)
}

/// The newest that tell of an invoice.
///
/// # Errors
/// The database does not answer.
pub async fn of_invoice(db: &impl ConnectionTrait, invoice_id: i64, count: u64) -> Result<Vec<Model>> {
    let told = Entity::find().filter(Column::InvoiceId.eq(invoice_id)).order_by_desc(Column::Id);
    Ok(told.limit(count).all(db).await?)
}
