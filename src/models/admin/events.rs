//! What processors sent, as it came. Nobody changes it.

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::ColumnTrait;

use super::{
    description::{About, Cell, Column, Section},
    resource::Describe,
};
use crate::models::{
    _entities::payment_events::{self, Model},
    listing::{By, Spec},
};

pub struct Events;

#[async_trait]
impl Describe for Events {
    type Entity = payment_events::Entity;
    type Row = Model;

    fn about(&self) -> About {
        About {
            path: "events",
            title: "Webhooks",
            one: "event",
            text: "Webhooks that were believed, word for word. They decide nothing: each makes us ask the processor.",
            icon: "mail",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use payment_events::Column as C;
        Spec::new()
            .search("invoice", By::Number(C::InvoiceId))
            .scope("strangers", "About no invoice of ours", |_| C::InvoiceId.is_null().into())
            .filter("processor", "Processor", ["btcpay", "nowpayments"].map(str::to_owned), |word| {
                Some(C::Processor.eq(word).into())
            })
            .filter("invoice", "Invoice", [], |word| Some(C::InvoiceId.eq(word.parse::<i64>().ok()?).into()))
    }

    async fn dress(&self, _ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Model>> {
        Ok(rows)
    }

    fn id(&self, row: &Model) -> i64 {
        row.id
    }

    fn name(&self, row: &Model) -> String {
        format!("Event {}", row.id)
    }

    fn columns(&self) -> Vec<Column<Model>> {
        vec![
            Column::new("event", "Event", |row: &Model| {
                Cell::link(format!("{} {}", row.kind, row.id), format!("/admin/events/{}", row.id))
            }),
            Column::new("processor", "Processor", |row| Cell::text(&row.processor)),
            Column::new("invoice", "Invoice", invoice),
            Column::new("reference", "Reference", |row| Cell::maybe(row.reference.as_ref())),
            Column::new("created_at", "When", |row| Cell::Moment(row.created_at)),
        ]
    }

    async fn sections(&self, _ctx: &AppContext, row: &Model) -> Result<Vec<Section>> {
        let facts = vec![
            ("Processor", Cell::text(&row.processor)),
            ("Kind", Cell::text(&row.kind)),
            ("Invoice", invoice(row)),
            ("Reference", Cell::maybe(row.reference.as_ref())),
            ("Payment", Cell::maybe(row.payment.as_ref())),
            ("When", Cell::Moment(row.created_at)),
        ];
        Ok(vec![
            Section::facts("facts", "What came", facts),
            Section::verbatim("body", "Word for word", row.body.clone()),
        ])
    }
}

fn invoice(row: &Model) -> Cell {
    match row.invoice_id {
        Some(id) => Cell::link(format!("Invoice {id}"), format!("/admin/payments/{id}")),
        None => Cell::text("none of ours"),
    }
}

/// An event on the page of its invoice.
pub(super) fn line(row: &Model) -> Vec<Cell> {
    vec![
        Cell::link(format!("{} {}", row.kind, row.id), format!("/admin/events/{}", row.id)),
        Cell::maybe(row.payment.as_ref()),
        Cell::Moment(row.created_at),
    ]
}
