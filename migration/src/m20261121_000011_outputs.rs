//! The places of a run: one picture each.

use sea_orm_migration::prelude::*;

use crate::columns::{
    at_null, big, big_null, check, drop_table, id, index, one_of, references, table, text, text_null, unique,
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
            table("outputs")
                .col(id())
                .col(big("run_id"))
                .col(big("position"))
                .col(text("state"))
                .col(big_null("asset_id"))
                .col(text_null("failure"))
                .col(at_null("finished_at"))
                .check(one_of("state", &["waiting", "done", "failed"]))
                .check(check("(state = 'done') = (asset_id IS NOT NULL)"))
                .foreign_key(&mut references("run_id", "runs"))
                .foreign_key(&mut references("asset_id", "assets"))
                .take(),
        )
        .await?;
        unique(m, "outputs", &["run_id", "position"]).await?;
        index(m, "outputs", &["asset_id"]).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "outputs").await
    }
}
