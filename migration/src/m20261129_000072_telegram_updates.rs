//! What the bot has heard and done, so that an update that comes twice is done once. The row is written in the transaction
//! of what the update does.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, drop_table, index, table};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("telegram_updates")
                .col(big("bot_id"))
                .col(big("update_id"))
                .col(at("received_at"))
                .primary_key(Index::create().col(Alias::new("bot_id")).col(Alias::new("update_id")))
                .take(),
        )
        .await?;
        index(m, "telegram_updates", &["bot_id", "received_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "telegram_updates").await
    }
}
