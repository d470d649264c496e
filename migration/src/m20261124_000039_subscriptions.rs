//! Who is, or was, on the plan, and since when without a break. When months begin and end stands in `allowances` alone.

use sea_orm_migration::prelude::*;

use crate::columns::{at, col, drop_table, id, pid, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("subscriptions")
                .col(id())
                .col(pid())
                .col(col("user_id").big_integer().not_null().unique_key().take())
                .col(text("plan_code"))
                .col(at("activated_at"))
                .col(at("created_at"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "subscriptions").await
    }
}
