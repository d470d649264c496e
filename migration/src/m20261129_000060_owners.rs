//! The role of those whom the installation belongs to. Both databases hold the list of roles in a CHECK that has to become
//! longer: `PostgreSQL` gets another one; `SQLite` reads the same table under a wider rule, the way its manual gives for
//! rules that only loosen (`lang_altertable.html`, section 7), because a table that others point at cannot be rebuilt
//! within a transaction.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const BEFORE: &str = "role IN ('user', 'support', 'admin')";
const AFTER: &str = "role IN ('user', 'support', 'admin', 'owner')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        rule(m, BEFORE, AFTER).await
    }

    /// The release before knows no owners; they stay admins.
    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared("UPDATE users SET role = 'admin' WHERE role = 'owner'").await?;
        rule(m, AFTER, BEFORE).await
    }
}

async fn rule(m: &SchemaManager<'_>, from: &str, to: &str) -> Result<(), DbErr> {
    let db = m.get_connection();
    if m.get_database_backend() == DatabaseBackend::Postgres {
        let change =
            format!("ALTER TABLE users DROP CONSTRAINT users_role_check, ADD CONSTRAINT users_role_check CHECK ({to})");
        return db.execute_unprepared(&change).await.map(|_| ());
    }
    let version = db.query_one_raw(statement("PRAGMA schema_version")).await?;
    let version: i64 = version.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    db.execute_unprepared("PRAGMA writable_schema = ON").await?;
    let rewrite = format!(
        "UPDATE sqlite_master SET sql = replace(sql, '{}', '{}') WHERE type = 'table' AND name = 'users'",
        from.replace('\'', "''"),
        to.replace('\'', "''")
    );
    db.execute_unprepared(&rewrite).await?;
    // Every connection reads the schema anew.
    db.execute_unprepared(&format!("PRAGMA schema_version = {}", version + 1)).await?;
    db.execute_unprepared("PRAGMA writable_schema = OFF").await?;
    let holds =
        format!("SELECT 1 FROM sqlite_master WHERE name = 'users' AND instr(sql, '{}')", to.replace('\'', "''"));
    match db.query_one_raw(statement(&holds)).await? {
        Some(_) => Ok(()),
        None => Err(DbErr::Migration("the rule of users.role is not what the first migration wrote".into())),
    }
}

fn statement(sql: &str) -> sea_orm_migration::sea_orm::Statement {
    sea_orm_migration::sea_orm::Statement::from_string(DatabaseBackend::Sqlite, sql.to_owned())
}
