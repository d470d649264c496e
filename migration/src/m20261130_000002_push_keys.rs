//! What we sign with, so that a push service knows who speaks (VAPID): one pair, made when it is first needed.

use sea_orm_migration::prelude::*;

use crate::columns::{at, check, drop_table, id, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("push_keys")
                .col(id())
                .col(text("public_key"))
                .col(text("private_enc"))
                .col(at("created_at"))
                // There is one: browsers tie their consent to it.
                .check(check("id = 1"))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "push_keys").await
    }
}
