//! A proxy that fails again and again rests, and its keys go directly meanwhile.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, at_null, big, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "proxies", big("consecutive_failures").default(0).take()).await?;
        add_column(m, "proxies", at_null("rest_until")).await?;
        add_column(m, "proxies", at_null("failed_at")).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for column in ["failed_at", "rest_until", "consecutive_failures"] {
            drop_column(m, "proxies", column).await?;
        }
        Ok(())
    }
}
