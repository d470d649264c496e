//! Webhooks of payment processors, as they came: verified, then kept for ever.

use sea_orm_migration::prelude::*;

use crate::columns::{
    append_only, at, big_null, drop_append_only, id, index, one_of, references, table, text, text_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("payment_events")
                .col(id())
                .col(text("processor"))
                .col(text("kind"))
                .col(text_null("reference"))
                .col(text_null("payment"))
                .col(big_null("invoice_id"))
                .col(text("body"))
                .col(at("created_at"))
                .check(one_of("processor", &["btcpay", "nowpayments"]))
                .foreign_key(&mut references("invoice_id", "invoices"))
                .take(),
        )
        .await?;
        index(m, "payment_events", &["invoice_id", "id"]).await?;
        append_only(m, "payment_events").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_append_only(m, "payment_events").await
    }
}
