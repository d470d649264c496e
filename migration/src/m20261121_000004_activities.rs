//! Who changed what, through which door. Append-only, each row chained to the one before by its hash.

use sea_orm_migration::prelude::*;

use crate::columns::{append_only, at, col, drop_append_only, id, index, json, one_of, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("activities")
                .col(id())
                .col(col("uuid").uuid().not_null().unique_key())
                .col(text("actor_type"))
                .col(text("actor_id"))
                .col(text("activity_type"))
                .col(text("resource_type"))
                .col(text("resource_id"))
                .col(json("detail"))
                .col(text("previous_hash").unique_key())
                .col(text("hash").unique_key())
                .col(at("created_at"))
                .check(one_of("actor_type", &["user", "admin", "cli", "bot", "api", "system", "tenant"]))
                .take(),
        )
        .await?;
        index(m, "activities", &["resource_type", "resource_id"]).await?;
        append_only(m, "activities").await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_append_only(m, "activities").await
    }
}
