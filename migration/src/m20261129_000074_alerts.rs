//! Trouble that admins hear of: opened once, closed when it is over, told to each of them by a notification. Kinds have no
//! CHECK, as those of notifications.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, drop_table, id, index, json, partial, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("alerts")
                .col(id())
                .col(text("kind"))
                .col(text("subject"))
                .col(json("detail"))
                .col(at("opened_at"))
                .col(at_null("closed_at"))
                .take(),
        )
        .await?;
        index(m, "alerts", &["kind", "opened_at"]).await?;
        partial(m, "CREATE UNIQUE INDEX uq_alerts_open ON alerts (kind, subject) WHERE closed_at IS NULL").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "alerts").await
    }
}
