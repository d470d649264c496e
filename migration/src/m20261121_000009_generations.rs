//! What the person asked for. `client_token` makes a repeated submit the same generation.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big, big_null, drop_table, id, index, json, one_of, pid, references, table, text, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("generations")
                .col(id())
                .col(pid())
                .col(big("user_id"))
                .col(big_null("conversation_id"))
                .col(text("kind"))
                .col(text("mode"))
                .col(text("model"))
                .col(text("prompt"))
                .col(json("params"))
                .col(text("client_token"))
                .col(text("request_hash"))
                .col(text("state"))
                .col(at("created_at"))
                .check(one_of("kind", &["image", "video"]))
                .check(one_of("mode", &["text_to_image", "image_to_image", "clip"]))
                .check(one_of("state", &["draft", "ready", "archived"]))
                .foreign_key(&mut references("user_id", "users"))
                .foreign_key(&mut references("conversation_id", "conversations"))
                .take(),
        )
        .await?;
        unique(m, "generations", &["user_id", "client_token"]).await?;
        index(m, "generations", &["conversation_id", "id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "generations").await
    }
}
