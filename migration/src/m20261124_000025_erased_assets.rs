//! A deleted picture may come back for some seconds; `erased_at` says that it may not any more, and its bytes go.

use sea_orm_migration::prelude::*;

use crate::columns::{at_null, index, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let table = Alias::new("assets");
        m.alter_table(Table::alter().table(table).add_column(at_null("erased_at")).take()).await?;
        index(m, "materials", &["asset_id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "DROP INDEX idx_materials_asset_id").await?;
        let table = Alias::new("assets");
        m.alter_table(Table::alter().table(table).drop_column(Alias::new("erased_at")).take()).await
    }
}
