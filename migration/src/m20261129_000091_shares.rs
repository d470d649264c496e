//! Links by which anybody sees one picture, until they end.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, col, drop_table, id, index, pid, references, table};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("shares")
                .col(id())
                .col(pid())
                .col(big("user_id"))
                .col(big("asset_id"))
                .col(col("shows_prompt").boolean().not_null())
                .col(at("created_at"))
                .col(at("expires_at"))
                .col(at_null("revoked_at"))
                .foreign_key(&mut references("user_id", "users"))
                .foreign_key(&mut references("asset_id", "assets"))
                .take(),
        )
        .await?;
        index(m, "shares", &["asset_id", "id"]).await?;
        index(m, "shares", &["user_id", "id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "shares").await
    }
}
