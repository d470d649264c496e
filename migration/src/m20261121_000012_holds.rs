//! What a run may cost, set aside before it starts; settled exactly once.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, check, drop_table, id, one_of, partial, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("holds")
                .col(id())
                .col(big("allowance_id"))
                .col(big("run_id").unique_key())
                .col(big("amount"))
                .col(big("captured_amount"))
                .col(text("state"))
                .col(at("created_at"))
                .col(at_null("settled_at"))
                .check(one_of("state", &["open", "captured", "released"]))
                .check(check("amount > 0"))
                .check(check("captured_amount BETWEEN 0 AND amount"))
                .check(check("(state = 'open') = (settled_at IS NULL)"))
                .check(check("(state = 'captured') = (captured_amount > 0)"))
                .foreign_key(&mut references("allowance_id", "allowances"))
                .foreign_key(&mut references("run_id", "runs"))
                .take(),
        )
        .await?;
        partial(m, "CREATE INDEX idx_holds_open ON holds (allowance_id) WHERE state = 'open'").await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "holds").await
    }
}
