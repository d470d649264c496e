//! What a generation works on: the picture (later video, audio) that the person gave.

use sea_orm_migration::prelude::*;

use crate::columns::{big, drop_table, id, one_of, references, table, text, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("materials")
                .col(id())
                .col(big("generation_id"))
                .col(big("asset_id"))
                .col(text("role"))
                .col(big("position"))
                .check(one_of("role", &["source", "video", "audio"]))
                .foreign_key(&mut references("generation_id", "generations"))
                .foreign_key(&mut references("asset_id", "assets"))
                .take(),
        )
        .await?;
        unique(m, "materials", &["generation_id", "role", "position"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "materials").await
    }
}
