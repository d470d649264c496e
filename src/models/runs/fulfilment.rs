//! How a run gets its pictures: every place looks for a key in turn until one delivers, the person's request is refused,
//! or all keys were tried. Safe to start again at any point: what is delivered stays, what waits goes on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use loco_rs::{Error, Result, app::AppContext};
use tokio::time::timeout;

use super::{
    Model, Reason, Snapshot, Start,
    calling::{Next, Tries, call, free},
    start,
};
use crate::{
    adapters::images::{Failure, InputImage, Provider, Request},
    context::Nproxy,
    models::{
        assets, attempts, begin, clock, generations, measures,
        outputs::{self, Place},
        provider_keys::{self, Lease, Leased, STOOD_STILL, Wish, health, rules::AMBIGUOUS_BUDGET},
        proxies,
    },
};

/// How long a place waits before it asks again for a key that is busy.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// How long a provider that was unwell may take for a sign of life.
const KNOCK: Duration = Duration::from_secs(3);

/// Works on a run until it is final. Called again after a crash, it goes on where the last worker stopped.
///
/// # Errors
/// Something of ours is broken; the job is tried again.
pub async fn fulfil(ctx: &AppContext, run_id: i64) -> Result<()> {
    let began = Instant::now();
    let Some((run, start)) = start(&ctx.db, run_id).await? else { return Ok(()) };
    let Some(brief) = Brief::of(ctx, &run).await? else {
        run.settle(ctx, Reason::Source).await?;
        return Ok(());
    };
    let waiting = match start {
        Start::Fresh => Place::all(run.id, run.outputs_requested),
        Start::Again => outputs::waiting(&ctx.db, run.id).await?,
    };
    // All of them to their end, even if one finds something of ours broken: what is under way may be billed.
    let mut is_over = false;
    for filled in
        join_all(waiting.into_iter().map(|place| Box::pin(fill(ctx, &run, &brief, place, start, began)))).await
    {
        is_over |= filled?;
    }
    if !is_over {
        run.settle(ctx, Reason::Unavailable).await?;
    }
    Ok(())
}

/// What a run asks of a provider, in memory for as long as the run is worked on.
pub(super) struct Brief {
    snapshot: Snapshot,
    pub provider: Provider,
    pub user_id: i64,
    source: Option<(String, Bytes)>,
}

impl Brief {
    /// `None` when the picture to start from cannot be read: deleted meanwhile, or the store does not give it.
    async fn of(ctx: &AppContext, run: &Model) -> Result<Option<Self>> {
        let snapshot: Snapshot = serde_json::from_value(run.inputs_snapshot.clone()).map_err(Error::wrap)?;
        let provider = ctx
            .parts()
            .provider(&snapshot.provider)
            .ok_or_else(|| Error::Message(format!("run {}: no provider {:?}", run.id, snapshot.provider)))?;
        let source = match snapshot.source_asset_id {
            Some(id) => {
                let asset = assets::by_id(&ctx.db, id).await?;
                match asset.read(ctx).await {
                    Ok(bytes) => Some((asset.mime.clone(), bytes)),
                    Err(error) => {
                        tracing::error!(run.id, asset.id, %error, "the picture to start from could not be read");
                        return Ok(None);
                    }
                }
            }
            None => None,
        };
        let user_id = match snapshot.user_id {
            Some(id) => id,
            None => generations::by_id(&ctx.db, run.generation_id).await?.user_id,
        };
        Ok(Some(Self { snapshot, provider, user_id, source }))
    }

    fn wish(&self, place: Place, has_waited: bool, alone: Option<Instant>) -> Wish<'_> {
        let Snapshot { provider, wire_model, .. } = &self.snapshot;
        Wish { provider, wire_model, run_id: place.run_id, position: place.position, has_waited, alone }
    }

    pub(super) fn request(&self) -> Request<'_> {
        Request {
            wire_model: &self.snapshot.wire_model,
            prompt: &self.snapshot.prompt,
            aspect_ratio: Some(&self.snapshot.aspect_ratio),
            resolution: Some(&self.snapshot.resolution),
            input: self.source.as_ref().map(|(mime, bytes)| InputImage {
                mime,
                bytes,
                strength: self.snapshot.strength.unwrap_or(1.0),
            }),
        }
    }
}

/// One place: key after key until it is filled or given up. `true` when the run has ended with it.
async fn fill(
    ctx: &AppContext,
    run: &Model,
    brief: &Brief,
    place: Place,
    start: Start,
    mut seen: Instant,
) -> Result<bool> {
    let mut tries = Tries::default();
    // Of a run that began just now nothing is asked that only others could have changed, until they may be there.
    let mut is_alone = start == Start::Fresh;
    let mut is_first = is_alone;
    let mut has_waited = false;
    loop {
        let Some(time_left) = run.time_left(ctx).await? else {
            return give_up(ctx, run, place, Reason::Deadline).await;
        };
        is_alone &= seen.elapsed() < STOOD_STILL;
        seen = Instant::now();
        let is_wanted = (std::mem::take(&mut is_first) && is_alone)
            || (run.is_live(&ctx.db).await? && (is_alone || place.is_waiting(&ctx.db).await?));
        if !is_wanted {
            return Ok(false);
        }
        if is_alone && tries.ambiguous > AMBIGUOUS_BUDGET {
            return give_up(ctx, run, place, Reason::Unavailable).await;
        }
        let asked = Instant::now();
        let mut leased =
            match provider_keys::lease(ctx, brief.wish(place, has_waited, is_alone.then_some(seen))).await? {
                Lease::Granted(leased) => {
                    measures::picked(asked.elapsed());
                    leased
                }
                Lease::Wait { until } => {
                    let pause = match until {
                        Some(until) => (until - clock::now(&ctx.db).await?).to_std().unwrap_or_default().max(ASK_AGAIN),
                        None => ASK_AGAIN,
                    };
                    if pause >= time_left {
                        return give_up(ctx, run, place, Reason::Unavailable).await;
                    }
                    // In short steps: a key may be freed elsewhere, or added, meanwhile.
                    let _woken = timeout(pause.min(Duration::from_secs(1)), ctx.parts().key_freed().notified()).await;
                    has_waited = true;
                    continue;
                }
                Lease::Exhausted => {
                    measures::exhausted();
                    return give_up(ctx, run, place, Reason::Unavailable).await;
                }
            };
        if leased.knock_first && !knocked(ctx, &mut leased).await? {
            continue;
        }
        has_waited = false;
        if !is_alone && attempts::ambiguous(&ctx.db, run.id, place.position).await? > AMBIGUOUS_BUDGET {
            free(ctx, &leased).await?;
            return give_up(ctx, run, place, Reason::Unavailable).await;
        }
        match call(ctx, run, brief, place, &leased, time_left, &mut tries).await? {
            Next::Done { is_over } => return Ok(is_over),
            Next::AnotherKey => {}
            Next::Lost => is_alone = false,
            Next::GiveUp(reason) => return give_up(ctx, run, place, reason).await,
        }
    }
}

/// Asks for a sign of life before the request itself goes out: while the provider is unwell, no place spends its one call
/// on a key. `false` = nobody there, or the key is no good; it is given back.
async fn knocked(ctx: &AppContext, leased: &mut Leased) -> Result<bool> {
    let checked = provider_keys::check::ask(ctx, &leased.key, leased.proxy.as_ref(), KNOCK).await?;
    // The knock may have been the proxy's last fault before its rest.
    leased.proxy = proxies::way_out(&ctx.db, &leased.key, clock::now(&ctx.db).await?).await?;
    let Err(failure) = checked.answer else { return Ok(true) };
    let is_key = matches!(failure, Failure::Credential { .. } | Failure::OutOfFunds { .. });
    if !failure.is_strike() && !is_key {
        return Ok(true);
    }
    let txn = begin(&ctx.db).await?;
    if leased.release(&txn).await? {
        health::failed(ctx, &txn, leased, &failure).await?;
    }
    txn.commit().await?;
    Ok(false)
}

/// Always `false`: who settles the run ends it.
async fn give_up(ctx: &AppContext, run: &Model, place: Place, reason: Reason) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    if outputs::give_up(&txn, run.id, Some(place.position), reason).await? > 0 {
        run.progressed(&txn, 0).await?;
    }
    txn.commit().await?;
    Ok(false)
}

impl Model {
    /// `None` when the time of the run is up.
    async fn time_left(&self, ctx: &AppContext) -> Result<Option<Duration>> {
        let left = self.deadline_at - clock::now(&ctx.db).await?;
        Ok(left.to_std().ok().filter(|left| !left.is_zero()))
    }
}
