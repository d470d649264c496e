//! What an operator does about a single job, and what becomes of all that are over. How jobs run is the business of
//! `crates/durable-jobs`.

use std::time::Duration;

use loco_rs::{Result, app::AppContext};
use serde_json::json;

use super::{
    activities::{self, Actor},
    begin, clock, job_queue,
};
use crate::context::Nproxy;

/// How long a job that is over can still be looked at: two weeks.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A dead job gets all its attempts again; `false` when it is not dead, or the same work is under way in another job.
///
/// # Errors
/// The database does not answer.
pub async fn retry(ctx: &AppContext, id: i64, actor: &Actor) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    let Some(job) = durable_jobs::retry(&txn, id).await? else { return Ok(false) };
    activities::record(&txn, actor, "retry_job", ("job", id), json!({})).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(true)
}

/// A job that waits, or is dead, is wanted no more; `false` when it runs or is over.
///
/// # Errors
/// The database does not answer.
pub async fn discard(ctx: &AppContext, id: i64, reason: &str, actor: &Actor) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    if !durable_jobs::discard(&txn, id).await? {
        return Ok(false);
    }
    activities::record(&txn, actor, "discard_job", ("job", id), json!({ "reason": reason })).await?;
    txn.commit().await?;
    Ok(true)
}

/// Takes away jobs that were over before that; how many there were. One that was given up stays, unless a later one has
/// done its work: then it counts as discarded. Scheduled, and safe to run by hand at any time.
///
/// # Errors
/// The database does not answer.
pub async fn tidy(ctx: &AppContext) -> Result<u64> {
    let before = durable_jobs::clock::before(clock::now(&ctx.db).await?, KEPT);
    // As long as the later one is there to tell.
    let made_up_for = job_queue::made_up_for(&ctx.db).await?;
    for job in made_up_for.iter().filter(|job| job.finished_at < before) {
        let txn = begin(&ctx.db).await?;
        durable_jobs::discard(&txn, job.id).await?;
        txn.commit().await?;
    }
    Ok(durable_jobs::tidy(&ctx.db, KEPT).await?)
}
