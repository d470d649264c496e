//! When the end of a run was noticed: seen by the person, or on its way to their devices, whichever came first.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, at_null, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "runs", at_null("noticed_at")).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "runs", "noticed_at").await
    }
}
