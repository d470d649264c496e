//! Server-side sessions; valid only while `epoch` equals the person's `session_epoch`.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, drop_table, id, index, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("sessions")
                .col(id())
                .col(big("user_id"))
                .col(text("token_hash").unique_key())
                .col(big("epoch"))
                .col(text("ip"))
                .col(text("user_agent"))
                .col(at("created_at"))
                .col(at("last_seen_at"))
                .col(at("expires_at"))
                .col(at_null("revoked_at"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "sessions", &["user_id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "sessions").await
    }
}
