//! What was told to whom, once: a mail to a person, a message to an operator. The key is claimed in the transaction of
//! what there is to tell. Kinds have no CHECK, because every part of the product brings its own.

use sea_orm_migration::prelude::*;

use crate::columns::{
    at, at_null, big_null, check, col, drop_table, id, index, json, one_of, references, table, text, text_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("notifications")
                .col(id())
                .col(text("kind"))
                .col(col("dedupe_key").text().not_null().unique_key().take())
                .col(text("channel"))
                .col(big_null("user_id"))
                .col(text_null("recipient"))
                .col(json("detail"))
                .col(at_null("sent_at"))
                .col(text_null("error"))
                .col(at("created_at"))
                .check(one_of("channel", &["mail", "telegram"]))
                .check(check("user_id IS NOT NULL OR recipient IS NOT NULL"))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "notifications", &["user_id", "id"]).await?;
        index(m, "notifications", &["kind", "created_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "notifications").await
    }
}
