//! When what was left of an allowance was written off, and when it was taken back. Either way nothing on it is free again.

use sea_orm_migration::prelude::*;

use crate::columns::{at_null, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

const COLUMNS: [&str; 2] = ["expired_at", "revoked_at"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for name in COLUMNS {
            let nothing_is_free = Expr::cust(format!("{name} IS NULL OR available = 0"));
            let column = at_null(name).check(nothing_is_free).take();
            m.alter_table(Table::alter().table(Alias::new("allowances")).add_column(column).take()).await?;
        }
        partial(
            m,
            "CREATE INDEX idx_allowances_to_expire ON allowances (expires_at) \
             WHERE expired_at IS NULL AND revoked_at IS NULL AND expires_at IS NOT NULL",
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "DROP INDEX idx_allowances_to_expire").await?;
        for name in COLUMNS {
            m.alter_table(Table::alter().table(Alias::new("allowances")).drop_column(Alias::new(name)).take()).await?;
        }
        Ok(())
    }
}
