//! Column shapes that every table shares, and the two things `SeaQuery` has no word for: triggers and partial indexes.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

pub fn col(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name))
}

pub fn id() -> ColumnDef {
    col("id").big_integer().not_null().auto_increment().primary_key().take()
}

/// The id that leaves the house: `UUIDv7`, unique.
pub fn pid() -> ColumnDef {
    col("pid").uuid().not_null().unique_key().take()
}

/// A moment, UTC, microseconds. Never a column default: every value comes from the application's clock.
pub fn at(name: &str) -> ColumnDef {
    col(name).timestamp_with_time_zone().not_null().take()
}

pub fn at_null(name: &str) -> ColumnDef {
    col(name).timestamp_with_time_zone().null().take()
}

pub fn text(name: &str) -> ColumnDef {
    col(name).text().not_null().take()
}

pub fn text_null(name: &str) -> ColumnDef {
    col(name).text().null().take()
}

pub fn big(name: &str) -> ColumnDef {
    col(name).big_integer().not_null().take()
}

pub fn big_null(name: &str) -> ColumnDef {
    col(name).big_integer().null().take()
}

pub fn json(name: &str) -> ColumnDef {
    col(name).json().not_null().take()
}

/// `column IN ('a', 'b')`: every state column has one.
pub fn one_of(column: &str, values: &[&str]) -> SimpleExpr {
    let list = values.iter().map(|v| format!("'{v}'")).collect::<Vec<_>>().join(", ");
    Expr::cust(format!("{column} IN ({list})"))
}

pub fn check(expression: &'static str) -> SimpleExpr {
    Expr::cust(expression)
}

pub fn table(name: &str) -> TableCreateStatement {
    Table::create().table(Alias::new(name)).take()
}

/// A foreign key from `column` to `target.id`; rows that others point at are never deleted.
pub fn references(column: &str, target: &str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(Alias::new(column))
        .to(Alias::new(target), Alias::new("id"))
        .on_delete(ForeignKeyAction::Restrict)
        .take()
}

pub async fn index(m: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(format!("idx_{table}_{}", columns.join("_"))).table(Alias::new(table)).take();
    for column in columns {
        index.col(Alias::new(*column));
    }
    m.create_index(index).await
}

pub async fn unique(m: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    let mut index =
        Index::create().name(format!("uq_{table}_{}", columns.join("_"))).table(Alias::new(table)).unique().take();
    for column in columns {
        index.col(Alias::new(*column));
    }
    m.create_index(index).await
}

/// `CREATE … INDEX name ON table (columns) WHERE condition`, in the dialect that both databases share.
pub async fn partial(m: &SchemaManager<'_>, definition: &str) -> Result<(), DbErr> {
    m.get_connection().execute_unprepared(definition).await.map(|_| ())
}

/// One column at a time: `SQLite` takes no more. It needs a default, or to be nullable.
pub async fn add_column(m: &SchemaManager<'_>, table: &str, column: ColumnDef) -> Result<(), DbErr> {
    m.alter_table(Table::alter().table(Alias::new(table)).add_column(column).take()).await
}

pub async fn drop_column(m: &SchemaManager<'_>, table: &str, column: &str) -> Result<(), DbErr> {
    m.alter_table(Table::alter().table(Alias::new(table)).drop_column(Alias::new(column)).take()).await
}

pub async fn rename_column(m: &SchemaManager<'_>, table: &str, from: &str, to: &str) -> Result<(), DbErr> {
    let rename = Table::alter().table(Alias::new(table)).rename_column(Alias::new(from), Alias::new(to)).take();
    m.alter_table(rename).await
}

pub async fn drop_table(m: &SchemaManager<'_>, name: &str) -> Result<(), DbErr> {
    m.drop_table(Table::drop().table(Alias::new(name)).take()).await
}

/// Makes the database itself refuse UPDATE and DELETE (and TRUNCATE): history is not edited, by nobody.
pub async fn append_only(m: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let db = m.get_connection();
    match m.get_database_backend() {
        DatabaseBackend::Postgres => {
            db.execute_unprepared(&format!(
                "CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN RAISE EXCEPTION '{table} is append-only'; END $$; \
                 CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION {table}_append_only(); \
                 CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only();"
            ))
            .await?;
        }
        _ => {
            for event in ["UPDATE", "DELETE"] {
                db.execute_unprepared(&format!(
                    "CREATE TRIGGER {table}_no_{} BEFORE {event} ON {table} \
                     BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
                    event.to_lowercase()
                ))
                .await?;
            }
        }
    }
    Ok(())
}

/// The function behind [`append_only`] outlives its table on `PostgreSQL`.
pub async fn drop_append_only(m: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    drop_table(m, table).await?;
    if m.get_database_backend() == DatabaseBackend::Postgres {
        m.get_connection().execute_unprepared(&format!("DROP FUNCTION {table}_append_only()")).await?;
    }
    Ok(())
}
