//! An index for each order, scope and filter of the lists that operators read, so that no list grows slow with its table.
//! The id comes last: it is the order of most of them.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::columns::{index, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

const LISTED: [(&str, &[&str]); 20] = [
    ("users", &["status", "id"]),
    ("users", &["role", "id"]),
    ("provider_keys", &["state", "id"]),
    ("provider_keys", &["proxy_id", "id"]),
    ("provider_keys", &["label", "id"]),
    ("proxies", &["state", "id"]),
    ("runs", &["state", "id"]),
    ("runs", &["failure", "id"]),
    ("invoices", &["state", "id"]),
    ("invoices", &["processor", "id"]),
    ("payment_events", &["processor", "id"]),
    ("activities", &["activity_type", "id"]),
    ("activities", &["actor_type", "id"]),
    ("activities", &["actor_id", "id"]),
    ("activities", &["resource_type", "id"]),
    ("jobs", &["state", "id"]),
    ("jobs", &["class", "id"]),
    ("notifications", &["sent_at", "id"]),
    ("notifications", &["channel", "id"]),
    ("notifications", &["kind", "id"]),
];

/// What is odd about a payment. The list asks in the same words: then the index answers.
const ODD: &str = "CREATE INDEX idx_invoices_odd ON invoices (id) WHERE late OR overpaid OR marked";

/// `PostgreSQL` finds what begins with a word only in the order of bytes.
const BEGINNINGS: [(&str, &str); 3] = [("users", "email"), ("provider_keys", "label"), ("proxies", "label")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (table, columns) in LISTED {
            index(m, table, columns).await?;
        }
        partial(m, ODD).await?;
        if m.get_database_backend() == DatabaseBackend::Postgres {
            for (table, column) in BEGINNINGS {
                let name = format!("idx_{table}_{column}_bytes");
                partial(m, &format!("CREATE INDEX {name} ON {table} ({column} COLLATE \"C\")")).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if m.get_database_backend() == DatabaseBackend::Postgres {
            for (table, column) in BEGINNINGS {
                partial(m, &format!("DROP INDEX idx_{table}_{column}_bytes")).await?;
            }
        }
        partial(m, "DROP INDEX idx_invoices_odd").await?;
        for (table, columns) in LISTED {
            partial(m, &format!("DROP INDEX idx_{table}_{}", columns.join("_"))).await?;
        }
        Ok(())
    }
}
