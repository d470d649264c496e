//! Backups that were taken, so that every process knows how old the last one is, whichever host has its file.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, drop_table, id, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("backups")
                .col(id())
                .col(text("name").unique_key())
                .col(big("bytes"))
                .col(big("objects"))
                .col(at("taken_at"))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "backups").await
    }
}
