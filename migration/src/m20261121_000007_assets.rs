//! Files: uploads and outputs. The bytes lie in the object store under `storage_key`, which is never reused.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, big_null, col, drop_table, id, index, one_of, pid, references, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("assets")
                .col(id())
                .col(pid())
                .col(big("user_id"))
                .col(text("storage_key").unique_key())
                .col(text("thumb_key"))
                .col(text("mime"))
                .col(big("bytes"))
                .col(text("sha256"))
                .col(big("width"))
                .col(big("height"))
                .col(big_null("duration_ms"))
                .col(text("origin"))
                .col(col("favorite").boolean().not_null())
                .col(at_null("deleted_at"))
                .col(at("created_at"))
                .check(one_of("mime", &["image/png", "image/jpeg", "image/webp"]))
                .check(one_of("origin", &["upload", "output"]))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "assets", &["user_id", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "assets").await
    }
}
