//! The database, built and taken down.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;

use crate::support::{TestDatabase, is_postgres};

/// F65: up, down and up again on an empty database — nothing is left behind, and the second time builds what the first did.
#[tokio::test]
async fn up_down_up() {
    for postgres in [false, true] {
        if postgres && !is_postgres() {
            continue;
        }
        let folder = TempDir::new().unwrap();
        let empty = TestDatabase::empty(folder.path(), postgres).await;
        let db = Database::connect(&empty.url).await.unwrap();

        Migrator::up(&db, None).await.unwrap();
        let built = schema(&db, postgres).await;
        assert!(built.len() > 100, "{built:?}");
        Migrator::down(&db, None).await.unwrap();
        let left = schema(&db, postgres).await;
        assert!(left.iter().all(|thing| thing.contains("seaql_migrations") || thing.contains("sqlite_")), "{left:?}");
        Migrator::up(&db, None).await.unwrap();
        assert_eq!(schema(&db, postgres).await, built);

        db.close().await.unwrap();
        empty.drop().await;
    }
}

/// Everything that migrations make: columns, indexes, constraints, triggers, functions.
async fn schema(db: &DatabaseConnection, postgres: bool) -> Vec<String> {
    let questions: &[&str] = if postgres {
        &[
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
            "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
            "SELECT typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'",
            "SELECT sequencename::text FROM pg_sequences WHERE schemaname = 'public'",
        ]
    } else {
        &[
            "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
            "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master",
        ]
    };
    let mut things = Vec::new();
    for question in questions {
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), *question)).await.unwrap();
        things.extend(rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()));
    }
    things.sort();
    things
}
