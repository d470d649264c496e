//! The dashboard looks at the last days of tables that grow for years: each gets an index by the moment it is asked for.

use sea_orm_migration::prelude::*;

use crate::columns::{index, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        index(m, "runs", &["created_at"]).await?;
        index(m, "attempts", &["created_at"]).await?;
        index(m, "allowances", &["kind", "expires_at"]).await?;
        partial(m, "CREATE INDEX idx_invoices_paid_at ON invoices (paid_at) WHERE paid_at IS NOT NULL").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for name in
            ["idx_invoices_paid_at", "idx_allowances_kind_expires_at", "idx_attempts_created_at", "idx_runs_created_at"]
        {
            partial(m, &format!("DROP INDEX {name}")).await?;
        }
        Ok(())
    }
}
