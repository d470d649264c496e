//! How large an object is, known before its bytes are on their way. Of thumbnails and archives from before it is not known.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, big_null, drop_column};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "storage_objects", big_null("bytes")).await?;
        let known = "UPDATE storage_objects SET bytes = \
                     (SELECT a.bytes FROM assets a WHERE a.storage_key = storage_objects.storage_key)";
        m.get_connection().execute_unprepared(known).await.map(|_| ())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "storage_objects", "bytes").await
    }
}
