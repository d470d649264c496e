//! Mailed links. Only the SHA-256 of the token is stored, so a copy of the database opens nothing.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, drop_table, id, index, one_of, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("links")
                .col(id())
                .col(big("user_id"))
                .col(text("purpose"))
                .col(text("token_hash").unique_key())
                .col(at("expires_at"))
                .col(at_null("used_at"))
                .col(at_null("superseded_at"))
                .col(at("created_at"))
                .check(one_of("purpose", &["activation", "reset", "email_change"]))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "links", &["user_id", "purpose"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "links").await
    }
}
