//! The person. `email` is stored lower-cased and may be absent for accounts that sign in without one.

use sea_orm_migration::prelude::*;

use crate::columns::{at, at_null, big, check, drop_table, id, one_of, pid, table, text, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("users")
                .col(id())
                .col(pid())
                .col(text_null("email").unique_key())
                .col(text_null("password_hash"))
                .col(text("status"))
                .col(text("role"))
                .col(at_null("activated_at"))
                .col(big("session_epoch"))
                .col(at("created_at"))
                .col(at("updated_at"))
                .check(one_of("status", &["new", "activated", "blocked"]))
                .check(one_of("role", &["user", "support", "admin"]))
                .check(check("email = lower(email)"))
                .take(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "users").await
    }
}
