//! What an admin was asked to confirm: a button that works once, for this admin, for some minutes.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, col, drop_table, id, index, json, table};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("telegram_confirmations")
                .col(id())
                .col(big("telegram_id"))
                .col(col("token_hash").text().not_null().unique_key().take())
                .col(json("deed"))
                .col(at("created_at"))
                .col(at("expires_at"))
                .col(at_null("used_at"))
                .take(),
        )
        .await?;
        index(m, "telegram_confirmations", &["expires_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "telegram_confirmations").await
    }
}
