//! Models that a key may not use for a while.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, drop_table, id, references, table, text, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("key_exclusions")
                .col(id())
                .col(big("provider_key_id"))
                .col(text("wire_model"))
                .col(at("until"))
                .col(at("created_at"))
                .foreign_key(&mut references("provider_key_id", "provider_keys"))
                .take(),
        )
        .await?;
        unique(m, "key_exclusions", &["provider_key_id", "wire_model"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "key_exclusions").await
    }
}
