//! How long runs took lately, who stands in line, and what a person asked for last: for who waits.

use sea_orm_migration::prelude::*;

use crate::columns::{index, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "CREATE INDEX idx_runs_succeeded ON runs (id) WHERE state = 'succeeded'").await?;
        partial(m, "CREATE INDEX idx_runs_queued ON runs (id) WHERE state = 'queued'").await?;
        index(m, "generations", &["user_id", "id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "DROP INDEX idx_generations_user_id_id").await?;
        partial(m, "DROP INDEX idx_runs_queued").await?;
        partial(m, "DROP INDEX idx_runs_succeeded").await
    }
}
