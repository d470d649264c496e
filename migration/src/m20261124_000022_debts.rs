//! What a person has used of something that was taken back. Who, why and how much never change; `outstanding` falls as
//! later pictures or tokens pay for it, and what an operator lets go is `forgiven`.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::columns::{
    at, at_null, big, big_null, check, drop_table, id, index, one_of, partial, references, table, text,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What may change in a row of `debts`; everything else was written once.
const FIXED: &str = "id, user_id, allowance_id, unit, amount, source, reason, created_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("debts")
                .col(id())
                .col(big("user_id"))
                .col(big("allowance_id"))
                .col(text("unit"))
                .col(big("amount"))
                .col(big("outstanding"))
                .col(big("forgiven"))
                .col(text("source").unique_key())
                .col(text("reason"))
                .col(at("created_at"))
                .col(at_null("cleared_at"))
                .check(one_of("unit", &["pictures", "tokens"]))
                .check(check("amount > 0"))
                .check(check("outstanding >= 0"))
                .check(check("forgiven >= 0"))
                .check(check("outstanding + forgiven <= amount"))
                .check(check("(outstanding = 0) = (cleared_at IS NOT NULL)"))
                .foreign_key(&mut references("user_id", "users"))
                .foreign_key(&mut references("allowance_id", "allowances"))
                .take(),
        )
        .await?;
        index(m, "debts", &["user_id", "id"]).await?;
        index(m, "debts", &["allowance_id"]).await?;
        protect(m).await?;
        let which = Table::alter().table(Alias::new("ledger_entries")).add_column(big_null("debt_id")).take();
        m.alter_table(which).await?;
        partial(m, "CREATE INDEX idx_ledger_entries_debt ON ledger_entries (debt_id) WHERE debt_id IS NOT NULL").await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        partial(m, "DROP INDEX idx_ledger_entries_debt").await?;
        let which = Table::alter().table(Alias::new("ledger_entries")).drop_column(Alias::new("debt_id")).take();
        m.alter_table(which).await?;
        drop_table(m, "debts").await?;
        if m.get_database_backend() == DatabaseBackend::Postgres {
            partial(m, "DROP FUNCTION debts_stay()").await?;
        }
        Ok(())
    }
}

/// The database itself refuses to remove a debt or to write another one in its place.
async fn protect(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    match m.get_database_backend() {
        DatabaseBackend::Postgres => {
            partial(
                m,
                &format!(
                    "CREATE FUNCTION debts_stay() RETURNS trigger LANGUAGE plpgsql AS $$ \
                     BEGIN RAISE EXCEPTION 'debts are append-only'; END $$; \
                     CREATE TRIGGER debts_stay BEFORE DELETE OR UPDATE OF {FIXED} ON debts \
                     FOR EACH ROW EXECUTE FUNCTION debts_stay(); \
                     CREATE TRIGGER debts_no_truncate BEFORE TRUNCATE ON debts \
                     FOR EACH STATEMENT EXECUTE FUNCTION debts_stay();"
                ),
            )
            .await
        }
        _ => {
            for (name, event) in [("no_update", format!("UPDATE OF {FIXED}")), ("no_delete", "DELETE".to_owned())] {
                let refuse = "BEGIN SELECT RAISE(ABORT, 'debts are append-only'); END";
                partial(m, &format!("CREATE TRIGGER debts_{name} BEFORE {event} ON debts {refuse}")).await?;
            }
            Ok(())
        }
    }
}
