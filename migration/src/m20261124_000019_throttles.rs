//! How busy somebody was: one row per limit and the account or address it counts. A moment is in microseconds here,
//! because the database itself adds to it.

use sea_orm_migration::prelude::*;

use crate::columns::{big, drop_table, index, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(table("throttles").col(text("key").primary_key()).col(big("busy_until")).take()).await?;
        index(m, "throttles", &["busy_until"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "throttles").await
    }
}
