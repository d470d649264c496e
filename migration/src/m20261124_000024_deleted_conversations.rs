//! Conversations can be deleted; the list of those that are shown, and of those that are archived, is read by its key.

use sea_orm_migration::prelude::*;

use crate::columns::{at_null, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let table = Alias::new("conversations");
        m.alter_table(Table::alter().table(table).add_column(at_null("deleted_at")).take()).await?;
        for (name, archived) in [("shown", "IS NULL"), ("archived", "IS NOT NULL")] {
            partial(
                m,
                &format!(
                    "CREATE INDEX idx_conversations_{name} ON conversations (user_id, updated_at, pid) \
                     WHERE deleted_at IS NULL AND archived_at {archived}"
                ),
            )
            .await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for name in ["shown", "archived"] {
            partial(m, &format!("DROP INDEX idx_conversations_{name}")).await?;
        }
        let table = Alias::new("conversations");
        m.alter_table(Table::alter().table(table).drop_column(Alias::new("deleted_at")).take()).await
    }
}
