//! A key in use by one output of one run, until `expires_at` unless renewed.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, drop_table, id, index, references, table, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("key_leases")
                .col(id())
                .col(big("run_id"))
                .col(big("position"))
                .col(big("provider_key_id"))
                .col(big("epoch"))
                .col(at("expires_at"))
                .col(at("created_at"))
                .foreign_key(&mut references("run_id", "runs"))
                .foreign_key(&mut references("provider_key_id", "provider_keys"))
                .take(),
        )
        .await?;
        unique(m, "key_leases", &["run_id", "position"]).await?;
        index(m, "key_leases", &["provider_key_id", "expires_at"]).await?;
        index(m, "key_leases", &["expires_at"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "key_leases").await
    }
}
