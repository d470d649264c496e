//! What a person may spend, in units of one picture (quota, trial) or tokens.
//! `posted` is what is owned, `available` what no open hold has claimed.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, check, drop_table, id, index, one_of, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("allowances")
                .col(id())
                .col(big("user_id"))
                .col(text("kind"))
                .col(big("granted"))
                .col(big("available"))
                .col(big("posted"))
                .col(at("starts_at"))
                .col(at_null("expires_at"))
                .col(text("source").unique_key())
                .col(at("created_at"))
                .check(one_of("kind", &["quota", "trial", "tokens"]))
                .check(check("granted > 0"))
                .check(check("available >= 0"))
                .check(check("posted >= available"))
                .check(check("(kind = 'quota') = (expires_at IS NOT NULL)"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "allowances", &["user_id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "allowances").await
    }
}
