//! A session may look through somebody's eyes for a while.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, at_null, big_null, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "sessions", big_null("viewed_id")).await?;
        add_column(m, "sessions", at_null("viewed_until")).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "sessions", "viewed_until").await?;
        drop_column(m, "sessions", "viewed_id").await
    }
}
