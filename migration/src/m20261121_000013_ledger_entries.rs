//! Every movement of an allowance, appended and never changed. Balances are the sums of the deltas.

use sea_orm_migration::prelude::*;

use crate::columns::{
    append_only, at, big, big_null, check, drop_append_only, id, index, one_of, references, table, text,
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
            table("ledger_entries")
                .col(id())
                .col(big("allowance_id"))
                .col(text("kind"))
                .col(big("available_delta"))
                .col(big("posted_delta"))
                .col(big("available_after"))
                .col(big("posted_after"))
                .col(big_null("hold_id"))
                .col(big_null("invoice_id"))
                .col(text("actor"))
                .col(text("reason"))
                .col(text("idempotency_key").unique_key())
                .col(at("created_at"))
                .check(one_of("kind", &["grant", "hold", "capture", "release", "adjust", "expire"]))
                .check(check("available_after >= 0"))
                .check(check("posted_after >= available_after"))
                .check(check("available_delta <> 0 OR posted_delta <> 0"))
                .foreign_key(&mut references("allowance_id", "allowances"))
                .foreign_key(&mut references("hold_id", "holds"))
                .take(),
        )
        .await?;
        index(m, "ledger_entries", &["allowance_id", "id"]).await?;
        append_only(m, "ledger_entries").await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_append_only(m, "ledger_entries").await
    }
}
