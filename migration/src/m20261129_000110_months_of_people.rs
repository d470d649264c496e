//! Whose plan runs, and whose is over, is asked person by person: the months of one, by their end, without those of
//! everybody else.

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
        index(m, "allowances", &["user_id", "kind", "expires_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "DROP INDEX idx_allowances_user_id_kind_expires_at").await
    }
}
