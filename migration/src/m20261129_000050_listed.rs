//! An index for each order, scope and filter of the lists that operators read, so that no list grows slow with its table.
//! The id comes last: it is the order of most of them.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::columns::{index, partial};

#[derive(DeriveMigrationName)]
pub struct Migration;

const LISTED: [(&str, &[&str]); 21] = [
    ("users", &["status", "id"]),
    ("users", &["role", "id"]),
    ("provider_keys", &["state", "id"]),
    ("provider_keys", &["proxy_id", "id"]),
    ("provider_keys", &["label", "id"]),
    ("proxies", &["state", "id"]),
    ("proxies", &["label", "id"]),
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

/// Scopes of several states at once: found in the order of the list, without sorting. The list asks in the same words, which
/// no other index understands: `SQLite` would gather the states one by one and sort them all.
const SCOPES: [(&str, &str, &str); 5] = [
    ("idx_invoices_odd", "invoices", "late OR overpaid OR marked"),
    ("idx_invoices_waiting", "invoices", "CASE WHEN state IN ('new', 'pending', 'confirming') THEN 1 ELSE 0 END = 1"),
    ("idx_runs_live", "runs", "CASE WHEN state IN ('queued', 'running') THEN 1 ELSE 0 END = 1"),
    (
        "idx_provider_keys_waiting",
        "provider_keys",
        "CASE WHEN state IN ('manual_review', 'out_of_funds') THEN 1 ELSE 0 END = 1",
    ),
    ("idx_users_staff", "users", "CASE WHEN role IN ('support', 'admin', 'owner') THEN 1 ELSE 0 END = 1"),
];

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
        for (name, table, rows) in SCOPES {
            partial(m, &format!("CREATE INDEX {name} ON {table} (id) WHERE {rows}")).await?;
        }
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
        for (name, ..) in SCOPES {
            partial(m, &format!("DROP INDEX {name}")).await?;
        }
        for (table, columns) in LISTED {
            partial(m, &format!("DROP INDEX idx_{table}_{}", columns.join("_"))).await?;
        }
        Ok(())
    }
}
