//! How an open invoice can be paid, as its processor told when it was last asked: what a page of ours shows.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, col, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "invoices", col("methods").json().null().take()).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "invoices", "methods").await
    }
}
