//! Whom the bot obeys. Rows stay when somebody is let go, so that it is known who could do what, and when.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, check, drop_table, id, partial, table, text, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("telegram_admins")
                .col(id())
                .col(big("telegram_id"))
                .col(text("name"))
                .col(text_null("username"))
                .col(at("paired_at"))
                .col(at_null("revoked_at"))
                .check(check("telegram_id > 0"))
                .take(),
        )
        .await?;
        partial(
            m,
            "CREATE UNIQUE INDEX uq_telegram_admins_paired ON telegram_admins (telegram_id) WHERE revoked_at IS NULL",
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "telegram_admins").await
    }
}
