//! Archives that people take away: of some pictures, or of everything.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, drop_table, id, index, json, one_of, partial, pid, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("exports")
                .col(id())
                .col(pid())
                .col(big("user_id"))
                .col(text("kind"))
                .col(text("state"))
                .col(json("pictures"))
                .col(json("parts"))
                .col(at("created_at"))
                .col(at_null("ready_at"))
                .col(at_null("expires_at"))
                .foreign_key(&mut references("user_id", "users"))
                .check(one_of("kind", &["pictures", "everything"]))
                .check(one_of("state", &["preparing", "ready", "gone"]))
                .take(),
        )
        .await?;
        index(m, "exports", &["user_id", "id"]).await?;
        partial(m, "CREATE INDEX idx_exports_ready ON exports (expires_at) WHERE state = 'ready'").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "exports").await
    }
}
