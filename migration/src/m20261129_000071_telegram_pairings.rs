//! Who wants to be obeyed: one open code per chat, replaced by each message, good for one use at the console.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, check, col, drop_table, id, index, one_of, partial, table, text, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("telegram_pairings")
                .col(id())
                .col(big("telegram_id"))
                .col(text("name"))
                .col(text_null("username"))
                .col(col("code_hash").text().not_null().unique_key().take())
                .col(text("state"))
                .col(at("created_at"))
                .col(at("expires_at"))
                .col(at_null("completed_at"))
                .check(one_of("state", &["pending", "completed", "expired", "revoked"]))
                .check(check("(completed_at IS NULL) = (state <> 'completed')"))
                .take(),
        )
        .await?;
        partial(
            m,
            "CREATE UNIQUE INDEX uq_telegram_pairings_pending ON telegram_pairings (telegram_id) WHERE state = 'pending'",
        )
        .await?;
        index(m, "telegram_pairings", &["expires_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "telegram_pairings").await
    }
}
