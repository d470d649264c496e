//! Jobs that other clients push are adopted once: their keys are found after they ran.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        durable_jobs::schema::keys_up(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        durable_jobs::schema::keys_down(m).await
    }
}
