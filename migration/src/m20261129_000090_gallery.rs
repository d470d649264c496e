//! The gallery: a person's own pictures, the newest first, all of them or the favourites.

use sea_orm_migration::prelude::*;

use crate::columns::partial;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let kept = "origin = 'output' AND deleted_at IS NULL";
        partial(m, &format!("CREATE INDEX idx_assets_gallery ON assets (user_id, id) WHERE {kept}")).await?;
        partial(m, &format!("CREATE INDEX idx_assets_favorites ON assets (user_id, id) WHERE {kept} AND favorite"))
            .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "DROP INDEX idx_assets_favorites").await?;
        partial(m, "DROP INDEX idx_assets_gallery").await
    }
}
