//! When an upload was last chosen: one that nothing was ever made from is taken away some days later.

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
        m.alter_table(Table::alter().table(Alias::new("assets")).add_column(at_null("chosen_at")).take()).await?;
        index(m, "assets", &["user_id", "sha256"]).await?;
        index(m, "assets", &["origin", "chosen_at"]).await?;
        partial(m, "CREATE INDEX idx_materials_of_asset ON materials (asset_id)").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for name in ["idx_materials_of_asset", "idx_assets_origin_chosen_at", "idx_assets_user_id_sha256"] {
            m.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        m.alter_table(Table::alter().table(Alias::new("assets")).drop_column(Alias::new("chosen_at")).take()).await
    }
}
