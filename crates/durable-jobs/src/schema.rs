//! The tables, for the application's own migrations. Works on `SQLite` and on `PostgreSQL`.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

/// Indexes are partial, in the dialect that both databases share: what is done and kept for a while costs nothing.
const INDEXES: [&str; 5] = [
    // The order of claiming.
    "CREATE INDEX idx_jobs_claim ON jobs (priority DESC, run_at, id) WHERE state = 'queued'",
    // The next moment to wake up for, and the hint sweep.
    "CREATE INDEX idx_jobs_due ON jobs (run_at) WHERE state = 'queued'",
    // The reaper.
    "CREATE INDEX idx_jobs_lease ON jobs (lease_expires_at) WHERE state = 'running'",
    // One live job per key.
    "CREATE UNIQUE INDEX uq_jobs_dedupe_key ON jobs (dedupe_key) WHERE state IN ('queued', 'running')",
    // Listing, tidying and retrying what is over.
    "CREATE INDEX idx_jobs_state_created_at ON jobs (state, created_at)",
];

/// Creates `jobs` and `job_ticks`.
///
/// # Errors
/// When the database refuses.
pub async fn up(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    m.create_table(jobs()).await?;
    m.create_table(job_ticks()).await?;
    for index in INDEXES {
        m.get_connection().execute_unprepared(index).await?;
    }
    Ok(())
}

/// Makes keys of jobs that are over quick to find, for [`crate::DurableQueue::redis`]: what another client pushed is
/// adopted once, also when it comes again after it ran. A migration of its own, after [`up`].
///
/// # Errors
/// When the database refuses.
pub async fn keys_up(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let index = "CREATE INDEX idx_jobs_dedupe_key ON jobs (dedupe_key) WHERE dedupe_key IS NOT NULL";
    m.get_connection().execute_unprepared(index).await.map(drop)
}

/// Takes that back.
///
/// # Errors
/// When the database refuses.
pub async fn keys_down(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    m.get_connection().execute_unprepared("DROP INDEX idx_jobs_dedupe_key").await.map(drop)
}

/// Drops both tables.
///
/// # Errors
/// When the database refuses.
pub async fn down(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    m.drop_table(Table::drop().table(Alias::new("job_ticks")).take()).await?;
    m.drop_table(Table::drop().table(Alias::new("jobs")).take()).await
}

fn jobs() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("jobs"))
        .col(col("id").big_integer().not_null().auto_increment().primary_key())
        .col(col("class").text().not_null())
        .col(col("args").text().not_null())
        .col(col("queue").text().not_null())
        .col(col("priority").integer().not_null())
        .col(col("state").text().not_null())
        .col(col("run_at").timestamp_with_time_zone().not_null())
        .col(col("attempts").integer().not_null())
        .col(col("max_attempts").integer().not_null())
        .col(col("lease_token").big_integer())
        .col(col("lease_owner").text())
        .col(col("lease_expires_at").timestamp_with_time_zone())
        .col(col("dedupe_key").text())
        .col(col("last_error").text())
        .col(col("hinted_at").timestamp_with_time_zone())
        .col(col("created_at").timestamp_with_time_zone().not_null())
        .col(col("finished_at").timestamp_with_time_zone())
        .check(Expr::cust("state IN ('queued', 'running', 'done', 'dead')"))
        .check(Expr::cust("(state = 'running') = (lease_token IS NOT NULL)"))
        .check(Expr::cust("(state = 'running') = (lease_expires_at IS NOT NULL)"))
        .check(Expr::cust("(state IN ('done', 'dead')) = (finished_at IS NOT NULL)"))
        .check(Expr::cust("attempts >= 0"))
        .check(Expr::cust("max_attempts >= 1"))
        .take()
}

fn job_ticks() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("job_ticks"))
        .col(col("name").text().not_null().primary_key())
        .col(col("last_tick").timestamp_with_time_zone().not_null())
        .take()
}

fn col(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name))
}
