//! What the people of the house show beside their password. A session remembers when it was shown last.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, at, at_null, big, drop_column, drop_table, id, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("second_factors")
                .col(id())
                .col(big("user_id").unique_key())
                .col(text("secret_enc"))
                // The last step of the clock whose code was taken: no code is taken twice.
                .col(big("last_step"))
                // Hashes of the recovery codes that are left, one a line.
                .col(text("recovery_hashes"))
                .col(at("created_at"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        add_column(m, "sessions", at_null("proved_at")).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "sessions", "proved_at").await?;
        drop_table(m, "second_factors").await
    }
}
