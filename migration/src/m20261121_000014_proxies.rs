//! Ways out. `url_enc` holds user and password, sealed.

use sea_orm_migration::prelude::*;

use crate::columns::{at, drop_table, id, one_of, table, text, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("proxies")
                .col(id())
                .col(text("label").unique_key())
                .col(text("url_enc"))
                .col(text("state"))
                .col(text_null("last_error"))
                .col(at("created_at"))
                .col(at("updated_at"))
                .check(one_of("state", &["active", "disabled"]))
                .take(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "proxies").await
    }
}
