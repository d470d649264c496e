//! The names by which a webhook is known again: one event has several, and any of them is enough.

use sea_orm_migration::prelude::*;

use crate::columns::{append_only, big, drop_append_only, id, references, table, text, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("payment_event_keys")
                .col(id())
                .col(text("processor"))
                .col(text("dedupe_key"))
                .col(big("payment_event_id"))
                .foreign_key(&mut references("payment_event_id", "payment_events"))
                .take(),
        )
        .await?;
        unique(m, "payment_event_keys", &["processor", "dedupe_key"]).await?;
        append_only(m, "payment_event_keys").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_append_only(m, "payment_event_keys").await
    }
}
