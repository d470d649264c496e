//! How somebody who is away hears that a run has ended. Whoever ends it only puts a look on its way: a person who waits
//! beside it sees the end within moments, and then there is nothing to tell. Whether it was seen or is told is one claim,
//! so it is told once. What is said holds no prompt: it lies at somebody else's until the browser fetches it.

use std::{slice, time::Duration};

use chrono::TimeDelta;
use durable_jobs::Enqueued;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};
use serde_json::json;

use super::{Column, Entity, Model, listening};
use crate::{
    adapters::push::{Failure, Message},
    context::Nproxy,
    models::{
        _entities::{
            generations::{Column as Asked, Entity as Asks},
            runs::{Column as Run, Entity as Runs},
        },
        begin, clock, generations, push_keys, runs,
    },
    workers::{
        Durable,
        tell_device::{TellDevice, Telling},
        tell_devices::{Ended, TellDevices},
    },
};

/// A page that is looked at asks every second.
const LOOKED_FOR: Duration = Duration::from_secs(6);

/// After that it is no news.
const NEWS: TimeDelta = TimeDelta::hours(6);

/// Of a row of `runs`: does its person want to hear of it, anywhere?
pub(in crate::models) fn somebody_listens() -> SimpleExpr {
    let theirs = Query::select()
        .expr(Expr::val(1))
        .from(Entity)
        .inner_join(Asks, Expr::col((Asks, Asked::UserId)).equals((Entity, Column::UserId)))
        .and_where(Expr::col((Asks, Asked::Id)).equals((Runs, Run::GenerationId)))
        .take();
    Expr::exists(theirs)
}

/// In the transaction that ends a run: whoever wants to hear of it will, unless they have seen it by then.
pub(in crate::models) async fn soon(txn: &impl ConnectionTrait, run: &runs::Model) -> Result<Enqueued> {
    TellDevices::enqueue_in(txn, &Ended { run: run.id }, LOOKED_FOR).await
}

/// A message for each browser of the person, unless they have seen how the run ended.
///
/// # Errors
/// The database does not answer.
pub async fn tell(ctx: &AppContext, run_id: i64) -> Result<()> {
    let Some(run) = runs::by_id(&ctx.db, run_id).await? else { return Ok(()) };
    let generation = generations::by_id(&ctx.db, run.generation_id).await?;
    let txn = begin(&ctx.db).await?;
    if !runs::notice(&txn, slice::from_ref(&run)).await? {
        return Ok(());
    }
    let mut jobs = Vec::new();
    for device in listening(&txn, generation.user_id).await? {
        jobs.push(TellDevice::enqueue(&txn, &Telling { device: device.id, run: run.id }).await?);
    }
    txn.commit().await?;
    ctx.parts().jobs().hint(&jobs).await;
    Ok(())
}

/// Tells one browser. One that is gone is forgotten.
///
/// # Errors
/// The push service does not take it now, or the database does not answer: the job is tried again.
pub async fn deliver(ctx: &AppContext, device_id: i64, run_id: i64) -> Result<()> {
    let db = &ctx.db;
    let Some(device) = Entity::find_by_id(device_id).one(db).await? else { return Ok(()) };
    let is_listening = listening(db, device.user_id).await?.iter().any(|it| it.id == device.id);
    let Some(run) = runs::by_id(db, run_id).await?.filter(|_| is_listening) else { return Ok(()) };
    let generation = generations::by_id(db, run.generation_id).await?;
    let Some(conversation) = generation.conversation(db).await? else { return Ok(()) };
    let now = clock::now(db).await?;
    if run.finished_at.is_none_or(|at| now - at > NEWS) {
        return Ok(());
    }
    let Some(target) = device.target(ctx) else { return device.forget(db).await };
    let (title, body) = words(&run);
    let topic = run.pid.simple().to_string();
    let path = format!("/app/conversations/{}#turn-{}", conversation.pid, generation.pid);
    let said = json!({ "title": title, "body": body, "path": path, "tag": topic });
    let parts = ctx.parts();
    let message =
        Message { body: said.to_string().into_bytes(), topic: &topic, contact: parts.settings().contact(), now };
    match parts.push().send(&push_keys::pair(ctx).await?, &target, message).await {
        Ok(()) => Ok(()),
        Err(Failure::Gone) => device.forget(db).await,
        Err(failure @ Failure::Refused(_)) => {
            tracing::warn!(device.id, %failure, "a browser could not be told");
            Ok(())
        }
        Err(failure @ Failure::Silent(_)) => Err(Error::Message(failure.to_string())),
    }
}

fn words(run: &runs::Model) -> (String, String) {
    let (came, asked) = (run.outputs_delivered, run.outputs_requested);
    match (came, asked) {
        (0, _) => ("It did not work out".to_owned(), "You were not charged. The studio says why.".to_owned()),
        (1, 1) => ("Your picture is ready".to_owned(), "Open it in the studio.".to_owned()),
        (came, asked) if came == asked => {
            (format!("Your {came} pictures are ready"), "Open them in the studio.".to_owned())
        }
        (came, asked) => (format!("{came} of {asked} pictures are ready"), "You pay only for what came.".to_owned()),
    }
}

impl Model {
    /// Its browser takes no messages any more. A consent that was given anew meanwhile stays.
    async fn forget(&self, db: &impl ConnectionTrait) -> Result<()> {
        Entity::delete_many()
            .filter(Column::Id.eq(self.id))
            .filter(Column::Endpoint.eq(&self.endpoint))
            .exec(db)
            .await?;
        Ok(())
    }
}
