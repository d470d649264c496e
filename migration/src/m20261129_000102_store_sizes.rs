//! What lies in the store, counted by the sweep: one row, so that no page has to count.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, check, drop_table, id, table};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("store_sizes")
                .col(id())
                .col(big("objects"))
                .col(big("bytes"))
                .col(at("counted_at"))
                .check(check("id = 1"))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "store_sizes").await
    }
}
