//! Jobs that came from outside become rows.

use std::time::Duration;

use redis::Pipeline;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter,
    sea_query::Expr,
};

use super::{key, wire::Foreign};
use crate::{
    admin, clock,
    entity::job::{Column, Entity, State},
    jobs::{NewJob, enqueue},
    tx,
};

/// So many hints that are no jobs are kept.
const KEPT: isize = 999;

/// Makes a row of it, due after `wait`, unless there is or was one: a process may have died after it wrote the row and
/// before it took the hint off, and by now the job may be done.
pub(super) async fn adopt(db: &DatabaseConnection, job: Foreign, wait: Duration) -> Result<(), DbErr> {
    let adopted = tx::write(db, async |txn| {
        if Entity::find().filter(Column::DedupeKey.eq(&job.key)).count(txn).await? > 0 {
            return Ok::<_, DbErr>(None);
        }
        let mut new = NewJob::new(job.class, job.args).on(job.queue).attempts(job.max_attempts).unique(job.key);
        new.run_in = (wait > Duration::ZERO).then_some(wait);
        enqueue(txn, new).await.map(Some)
    })
    .await?;
    if let Some(row) = adopted {
        tracing::info!(job.id = row.id, job.class = row.class, "jobs: adopted what another client pushed");
    }
    Ok(())
}

/// An operator wants this job now. Only if it stands as it was shown.
pub(super) async fn expedite(db: &impl ConnectionTrait, row: i64, as_of: i32) -> Result<(), DbErr> {
    let now = clock::now(db).await?;
    let sooner = Entity::update_many()
        .col_expr(Column::RunAt, Expr::value(now))
        .filter(Column::Id.eq(row))
        .filter(Column::State.eq(State::Queued))
        .filter(Column::Attempts.eq(as_of))
        .filter(Column::RunAt.gt(now))
        .exec(db)
        .await?;
    if sooner.rows_affected > 0 {
        tracing::info!(job.id = row, "jobs: an operator wants it now");
        return Ok(());
    }
    let dead = Column::Id.eq(row).and(Column::State.eq(State::Dead)).and(Column::Attempts.eq(as_of));
    if Entity::find().filter(dead).count(db).await? > 0 && !admin::revive(db, Some(&row.to_string())).await?.is_empty()
    {
        tracing::info!(job.id = row, "jobs: an operator brought it back");
    }
    Ok(())
}

/// What can never become a row lies where an operator finds it, and keeps nobody from theirs.
pub(super) fn put_aside(pipe: &mut Pipeline, hint: &[u8], error: &str) {
    tracing::error!(error, list = key::MALFORMED, "jobs: what another client pushed is no job; put aside");
    pipe.lpush(key::MALFORMED, hint).ignore().ltrim(key::MALFORMED, 0, KEPT).ignore();
}
