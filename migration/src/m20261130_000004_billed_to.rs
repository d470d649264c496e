//! What a person's receipts say beside their address: a name, a company, a tax number.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, drop_column, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "users", text_null("billed_to")).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "users", "billed_to").await
    }
}
