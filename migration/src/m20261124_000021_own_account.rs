//! What people do to their own account: a new address that waits for its proof, sessions that can be named, an end.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::columns::{at_null, col, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add(m, "users", text_null("unconfirmed_email")).await?;
        add(m, "users", at_null("deleted_at")).await?;
        add(m, "links", text_null("email")).await?;
        add(m, "sessions", col("pid").uuid().null().take()).await?;
        let random = match m.get_database_backend() {
            DatabaseBackend::Postgres => "gen_random_uuid()",
            _ => "randomblob(16)",
        };
        m.get_connection().execute_unprepared(&format!("UPDATE sessions SET pid = {random}")).await?;
        let unique = Index::create().name("uq_sessions_pid").table("sessions").col("pid").unique().take();
        m.create_index(unique).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_index(Index::drop().name("uq_sessions_pid").table("sessions").to_owned()).await?;
        for (table, column) in
            [("sessions", "pid"), ("links", "email"), ("users", "deleted_at"), ("users", "unconfirmed_email")]
        {
            m.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}

/// `SQLite` takes one column at a time.
async fn add(m: &SchemaManager<'_>, table: &'static str, column: ColumnDef) -> Result<(), DbErr> {
    m.alter_table(Table::alter().table(table).add_column(column).take()).await
}
