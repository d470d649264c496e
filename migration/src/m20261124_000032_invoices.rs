//! What somebody is to pay, through a processor's checkout. `pid` is the order id that the processor hears; the price is
//! that of the offer when it was asked for. `version` moves with every change that a page shows.

use sea_orm_migration::prelude::*;

use crate::columns::{
    at, at_null, big, check, col, drop_table, id, index, json, one_of, partial, pid, references, table, text,
    text_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let flag = |name: &str| col(name).boolean().not_null().take();
        m.create_table(
            table("invoices")
                .col(id())
                .col(pid())
                .col(big("user_id"))
                .col(text("kind"))
                .col(text("offer_code"))
                .col(json("offer_snapshot"))
                .col(big("price_minor"))
                .col(text("currency"))
                .col(text("processor"))
                .col(text_null("processor_ref"))
                .col(text_null("checkout_url"))
                .col(text("state"))
                .col(big("paid_minor"))
                .col(flag("late"))
                .col(flag("overpaid"))
                .col(flag("marked"))
                .col(json("payments"))
                .col(big("version"))
                .col(at("created_at"))
                .col(at("expires_at"))
                .col(at_null("opening_until"))
                .col(at_null("next_poll_at"))
                .col(at_null("paid_at"))
                .check(one_of("kind", &["subscription", "tokens", "relays"]))
                .check(one_of(
                    "state",
                    &["new", "pending", "confirming", "underpaid", "expired", "canceled", "paid", "refunded"],
                ))
                .check(check("price_minor > 0"))
                .check(check("paid_minor >= 0"))
                .check(check("(paid_at IS NOT NULL) = (state IN ('paid', 'refunded'))"))
                .check(check("(checkout_url IS NULL) = (processor_ref IS NULL)"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        unique(m, "invoices", &["processor", "processor_ref"]).await?;
        index(m, "invoices", &["user_id", "id"]).await?;
        partial(
            m,
            "CREATE UNIQUE INDEX uq_invoices_one_open ON invoices (user_id, kind) \
             WHERE state IN ('new', 'pending', 'confirming', 'underpaid')",
        )
        .await?;
        partial(m, "CREATE INDEX idx_invoices_due ON invoices (next_poll_at) WHERE next_poll_at IS NOT NULL").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "invoices").await
    }
}
