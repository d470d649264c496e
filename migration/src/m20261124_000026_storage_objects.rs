//! What lies in the object store, or may: the row is there before the bytes are, so that nothing is ever forgotten there.

use sea_orm_migration::prelude::*;

use crate::columns::{at, drop_table, id, index, one_of, table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("storage_objects")
                .col(id())
                .col(text("storage_key").unique_key())
                .col(text("state"))
                .col(at("created_at"))
                .col(at("changed_at"))
                .check(one_of("state", &["pending", "live", "doomed", "gone"]))
                .take(),
        )
        .await?;
        index(m, "storage_objects", &["state", "changed_at"]).await?;
        let db = m.get_connection();
        for key in ["storage_key", "thumb_key"] {
            db.execute_unprepared(&format!(
                "INSERT INTO storage_objects (storage_key, state, created_at, changed_at) SELECT {key}, \
                 CASE WHEN deleted_at IS NULL THEN 'live' ELSE 'doomed' END, created_at, created_at FROM assets"
            ))
            .await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "storage_objects").await
    }
}
