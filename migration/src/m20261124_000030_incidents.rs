//! A provider that is unwell as a whole; at most one open at a time.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, check, drop_table, id, partial, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("incidents")
                .col(id())
                .col(text("provider"))
                .col(text("class"))
                .col(big("failed_probes"))
                .col(at("probed_at"))
                .col(at("opened_at"))
                .col(at_null("closed_at"))
                .check(check("failed_probes >= 0"))
                .take(),
        )
        .await?;
        partial(m, "CREATE UNIQUE INDEX uq_incidents_open ON incidents (provider) WHERE closed_at IS NULL").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "incidents").await
    }
}
