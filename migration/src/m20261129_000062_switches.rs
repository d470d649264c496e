//! What an operator has switched while the site runs: a row for each switch that is thrown, none for one that is not.

use sea_orm_migration::prelude::*;

use crate::columns::{at, drop_table, id, one_of, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("switches")
                .col(id())
                .col(text("name").unique_key())
                // The sentence that people read.
                .col(text("says"))
                .col(text("reason"))
                .col(text("actor"))
                .col(at("thrown_at"))
                .check(one_of("name", &["banner", "sign_ups_closed", "generation_paused"]))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "switches").await
    }
}
