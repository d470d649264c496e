//! Browsers that asked to be told: where their push service takes messages, and what they are encrypted with. With the
//! session goes what it asked for.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, drop_table, id, index, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("devices")
                .col(id())
                .col(big("user_id"))
                .col(big("session_id").unique_key())
                .col(text("endpoint").unique_key())
                .col(text("p256dh"))
                .col(text("auth"))
                .col(at("created_at"))
                .foreign_key(&mut references("user_id", "users"))
                .foreign_key(references("session_id", "sessions").on_delete(ForeignKeyAction::Cascade))
                .take(),
        )
        .await?;
        index(m, "devices", &["user_id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "devices").await
    }
}
