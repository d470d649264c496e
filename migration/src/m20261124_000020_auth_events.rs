//! Who came in, when and from where, and who was turned away. Without a person: nobody has the address that was typed.

use sea_orm_migration::prelude::*;

use crate::columns::{at, big_null, drop_table, id, index, one_of, references, table, text, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("auth_events")
                .col(id())
                .col(big_null("user_id"))
                .col(text("action"))
                .col(text_null("failure"))
                .col(text("ip"))
                .col(text("user_agent"))
                .col(at("created_at"))
                .check(one_of("action", &["signup", "login"]))
                .check(one_of("failure", &["wrong_password", "unverified", "blocked", "taken"]))
                .foreign_key(&mut references("user_id", "users"))
                .take(),
        )
        .await?;
        index(m, "auth_events", &["user_id", "ip", "failure"]).await?;
        index(m, "auth_events", &["user_id", "failure", "created_at"]).await?;
        index(m, "auth_events", &["created_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "auth_events").await
    }
}
