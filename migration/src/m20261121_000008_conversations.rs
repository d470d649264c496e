//! A thread of prompts and pictures.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, drop_table, id, index, pid, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("conversations")
                .col(id())
                .col(pid())
                .col(big("user_id"))
                .col(text("title"))
                .col(at_null("archived_at"))
                .col(at("created_at"))
                .col(at("updated_at"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "conversations", &["user_id", "updated_at"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "conversations").await
    }
}
