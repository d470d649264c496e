//! What an operator does about a single job. How jobs run is the business of `crates/durable-jobs`.

use loco_rs::{Result, app::AppContext};
use serde_json::json;

use super::{
    activities::{self, Actor},
    begin,
};
use crate::context::Nproxy;

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
