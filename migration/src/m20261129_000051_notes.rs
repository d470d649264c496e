//! What operators write down for each other. Append-only.

use sea_orm_migration::prelude::*;

use crate::columns::{append_only, at, big, drop_append_only, id, index, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("notes")
                .col(id())
                .col(text("resource_type"))
                .col(big("resource_id"))
                .col(text("text"))
                .col(text("actor"))
                .col(at("created_at"))
                .take(),
        )
        .await?;
        index(m, "notes", &["resource_type", "resource_id", "id"]).await?;
        append_only(m, "notes").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_append_only(m, "notes").await
    }
}
