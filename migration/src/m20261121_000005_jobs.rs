//! The tables of the job system, as the crate `durable-jobs` wants them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        durable_jobs::schema::up(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        durable_jobs::schema::down(m).await
    }
}
