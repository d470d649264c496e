//! How a run gets its pictures: every place looks for a key in turn until one delivers, the person's request is refused,
//! or all keys were tried. Safe to start again at any point: what is delivered stays, what waits goes on.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use loco_rs::{Error, Result, app::AppContext};
use secrecy::SecretString;
use tokio::time::{interval, timeout};

use super::{
    Model, Reason, Snapshot, by_id,
    delivery::{Delivery, Made},
};
use crate::{
    adapters::images::{Access, Evidence, Failure, InputImage, Output, Provider, ProxyUrl, Refusal, Request},
    context::Nproxy,
    models::{
        assets::{self, picture},
        attempts::{self, Via},
        begin, clock, generations, outputs,
        provider_keys::{self, Lease, Leased, Wish, health, incidents},
        proxies,
    },
};

/// How often the heartbeat of a lease is written.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often a call asks whether its picture is still wanted.
const STILL_WANTED: Duration = Duration::from_secs(1);

/// How long a place waits before it asks again for a key that is busy.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// How long a provider that was unwell may take for a sign of life.
const KNOCK: Duration = Duration::from_secs(3);

/// Calls of one output that may end without anybody knowing whether they were billed.
const AMBIGUOUS_BUDGET: u64 = 1;

/// Further keys after an answer without a picture.
const EMPTY_BUDGET: u32 = 1;

/// Works on a run until it is final. Called again after a crash, it goes on where the last worker stopped.
///
/// # Errors
/// Something of ours is broken; the job is tried again.
pub async fn fulfil(ctx: &AppContext, run_id: i64) -> Result<()> {
    let Some(run) = by_id(&ctx.db, run_id).await? else { return Ok(()) };
    if !run.start(&ctx.db).await? {
        return Ok(());
    }
    let Some(brief) = Brief::of(ctx, &run).await? else {
        run.settle(ctx, Reason::Source).await?;
        return Ok(());
    };
    let places = outputs::of_runs(&ctx.db, vec![run.id]).await?;
    let waiting = places.into_iter().filter(|place| place.state() == outputs::State::Waiting);
    // All of them to their end, even if one finds something of ours broken: what is under way may be billed.
    for filled in join_all(waiting.map(|place| Box::pin(fill(ctx, &run, &brief, place)))).await {
        filled?;
    }
    run.settle(ctx, Reason::Unavailable).await?;
    Ok(())
}

/// What a run asks of a provider, in memory for as long as the run is worked on.
struct Brief {
    snapshot: Snapshot,
    provider: Provider,
    user_id: i64,
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
        let generation = generations::by_id(&ctx.db, run.generation_id).await?;
        Ok(Some(Self { snapshot, provider, user_id: generation.user_id, source }))
    }

    fn wish(&self, run: &Model, place: &outputs::Model) -> Wish<'_> {
        let Snapshot { provider, wire_model, .. } = &self.snapshot;
        Wish { provider, wire_model, run_id: run.id, position: place.position }
    }

    fn request(&self) -> Request<'_> {
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

/// What to do after a call.
enum Next {
    /// The place is filled.
    Done,
    AnotherKey,
    /// Stop, and say why.
    GiveUp(Reason),
}

/// One place: key after key until it is filled or given up.
async fn fill(ctx: &AppContext, run: &Model, brief: &Brief, place: outputs::Model) -> Result<()> {
    let mut empties = 0;
    loop {
        let Some(time_left) = run.time_left(ctx).await? else {
            return give_up(ctx, run, &place, Reason::Deadline).await;
        };
        if !run.is_live(&ctx.db).await? || !place.is_waiting(&ctx.db).await? {
            return Ok(());
        }
        let mut leased = match provider_keys::lease(ctx, brief.wish(run, &place)).await? {
            Lease::Granted(leased) => leased,
            Lease::Wait { until } => {
                let pause = match until {
                    Some(until) => (until - clock::now(&ctx.db).await?).to_std().unwrap_or_default().max(ASK_AGAIN),
                    None => ASK_AGAIN,
                };
                if pause >= time_left {
                    return give_up(ctx, run, &place, Reason::Unavailable).await;
                }
                // In short steps: a key may be freed elsewhere, or added, meanwhile.
                let _woken = timeout(pause.min(Duration::from_secs(1)), ctx.parts().key_freed().notified()).await;
                continue;
            }
            Lease::Exhausted => return give_up(ctx, run, &place, Reason::Unavailable).await,
        };
        if leased.knock_first && !knocked(ctx, &mut leased).await? {
            continue;
        }
        attempts::close_abandoned(&ctx.db, run.id, Some(place.position)).await?;
        if attempts::ambiguous(&ctx.db, run.id, place.position).await? > AMBIGUOUS_BUDGET {
            free(ctx, &leased).await?;
            return give_up(ctx, run, &place, Reason::Unavailable).await;
        }
        match call(ctx, run, brief, &place, &leased, time_left, &mut empties).await? {
            Next::Done => return Ok(()),
            Next::AnotherKey => {}
            Next::GiveUp(reason) => return give_up(ctx, run, &place, reason).await,
        }
    }
}

/// One key: through its proxy first, and if the proxy is at fault once more without it.
async fn call(
    ctx: &AppContext,
    run: &Model,
    brief: &Brief,
    place: &outputs::Model,
    leased: &Leased,
    time_left: Duration,
    empties: &mut u32,
) -> Result<Next> {
    let ways: &[Via] = if leased.proxy.is_some() { &[Via::Proxy, Via::Direct] } else { &[Via::Direct] };
    for (at, via) in ways.iter().enumerate() {
        let Some(attempt) = announce(ctx, leased, *via).await? else { return Ok(Next::AnotherKey) };
        let answer = ask(ctx, run, brief, leased, *via, time_left).await?;
        let failure = match answer {
            Answer::Picture(picture) => {
                let proxy = leased.proxy.as_ref().filter(|_| *via == Via::Proxy);
                let made = Made { run, user_id: brief.user_id, place, leased, proxy, attempt: &attempt };
                return Ok(match made.deliver(ctx, picture).await? {
                    Delivery::Kept => Next::Done,
                    // Whoever has the place may still be at it: the run is not over because we are.
                    Delivery::TooLate => Next::AnotherKey,
                    Delivery::NotStored => Next::GiveUp(Reason::Storage),
                });
            }
            Answer::LeaseLost => return Ok(Next::AnotherKey),
            Answer::NotWanted => {
                attempts::close_abandoned(&ctx.db, run.id, Some(place.position)).await?;
                free(ctx, leased).await?;
                return Ok(Next::Done);
            }
            Answer::Failure(failure) => failure,
        };
        tracing::info!(
            run.id = run.id, place = place.position, key.id = leased.key.id, via = ?via,
            class = failure.class(), "no picture from this key"
        );
        let directly_next = failure.may_go_direct() && at + 1 < ways.len();
        let txn = begin(&ctx.db).await?;
        let is_ours = !directly_next && leased.release(&txn).await?;
        attempt.close(&txn, Err(&failure), None).await?;
        if let (Some(proxy), Via::Proxy) = (&leased.proxy, via) {
            proxy.note(ctx, &txn, Some(&failure)).await?;
        }
        if directly_next {
            txn.commit().await?;
            continue;
        }
        if is_ours {
            health::failed(ctx, &txn, leased, &failure).await?;
        }
        txn.commit().await?;
        if failure.is_strike() {
            incidents::judge(ctx, &leased.key.provider).await?;
        }
        ctx.parts().key_freed().notify_one();
        return Ok(after(&failure, empties));
    }
    Ok(Next::AnotherKey)
}

/// The row of a call that is about to begin; `None` when the lease was lost meanwhile, by a process that stood still: then
/// somebody else may be calling for this very place.
async fn announce(ctx: &AppContext, leased: &Leased, via: Via) -> Result<Option<attempts::Model>> {
    let txn = begin(&ctx.db).await?;
    if !provider_keys::renew(&txn, leased).await? {
        return Ok(None);
    }
    let attempt = attempts::open(&txn, leased, via).await?;
    txn.commit().await?;
    Ok(Some(attempt))
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

/// What a failure means for the place; what it means for the key is `health`'s business.
fn after(failure: &Failure, empties: &mut u32) -> Next {
    match failure {
        Failure::Refused { reason, .. } => Next::GiveUp(match reason {
            Refusal::Prompt => Reason::RefusedPrompt,
            Refusal::Output => Reason::RefusedOutput,
            Refusal::Recitation => Reason::Recitation,
            Refusal::BadInput => Reason::BadInput,
        }),
        Failure::Empty { .. } if *empties >= EMPTY_BUDGET => Next::GiveUp(Reason::Empty),
        Failure::Empty { .. } => {
            *empties += 1;
            Next::AnotherKey
        }
        Failure::RateLimited { .. }
        | Failure::OutOfFunds { .. }
        | Failure::Credential { .. }
        | Failure::ModelAccess { .. }
        | Failure::Transient { .. }
        | Failure::NotSent { .. }
        | Failure::Ambiguous { .. }
        | Failure::ProxyFault { .. }
        | Failure::OurFault { .. } => Next::AnotherKey,
    }
}

enum Answer {
    Picture(picture::Picture),
    Failure(Failure),
    /// The heartbeat found the lease gone: whatever comes of the call is somebody else's business now.
    LeaseLost,
    /// The run is over, most likely because the person canceled it; the call was cut off.
    NotWanted,
}

/// The call itself, with the lease kept alive beside it. What comes back is decoded before it counts as a picture.
async fn ask(
    ctx: &AppContext,
    run: &Model,
    brief: &Brief,
    leased: &Leased,
    via: Via,
    time_left: Duration,
) -> Result<Answer> {
    let parts = ctx.parts();
    let (secret, proxy) = match unsealed(ctx, leased, via) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(key.id = leased.key.id, %error, "a key that does not open is passed over");
            return Ok(Answer::Failure(Failure::ours(error)));
        }
    };
    let deadline = time_left.min(parts.settings().pool.call());
    let request = brief.request();
    let access = Access { secret: &secret, proxy: proxy.as_ref() };
    let call = brief.provider.generate(parts.http(), access, &request, deadline);
    tokio::pin!(call);
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.tick().await;
    let mut still_wanted = interval(STILL_WANTED);
    still_wanted.tick().await;
    let answer = loop {
        tokio::select! {
            // An answer that is here counts, whatever the time: who delivers it asks for the lease again.
            biased;
            answer = &mut call => break answer,
            _ = still_wanted.tick() => {
                if matches!(run.is_live(&ctx.db).await, Ok(false)) {
                    return Ok(Answer::NotWanted);
                }
            }
            _ = heartbeat.tick() => {
                match provider_keys::renew(&ctx.db, leased).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(Answer::LeaseLost),
                    // The database may be back before the lease has run out; whoever delivers asks it again.
                    Err(error) => tracing::warn!(run.id = leased.run_id, %error, "a lease could not be renewed"),
                }
            }
        }
    };
    match answer {
        Err(failure) => Ok(Answer::Failure(failure)),
        Ok(Output { bytes, .. }) => Ok(match picture::examine(bytes.into()).await? {
            Ok(picture) => Answer::Picture(picture),
            Err(fault) => {
                let said = format!("the vendor sent what cannot be shown: {fault:?}");
                Answer::Failure(Failure::Ambiguous { evidence: Evidence::new(None, &said, &[]) })
            }
        }),
    }
}

/// What the call needs of the vault. It fails under another `NPROXY_SECRET_KEY`; no other key is the worse for it.
fn unsealed(ctx: &AppContext, leased: &Leased, via: Via) -> Result<(SecretString, Option<ProxyUrl>)> {
    let proxy = match (&leased.proxy, via) {
        (Some(proxy), Via::Proxy) => Some(proxy.url(ctx)?),
        (_, Via::Direct) | (None, Via::Proxy) => None,
    };
    Ok((leased.key.secret(ctx)?, proxy))
}

async fn give_up(ctx: &AppContext, run: &Model, place: &outputs::Model, reason: Reason) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    if outputs::give_up(&txn, run.id, Some(place.position), reason).await? > 0 {
        run.progressed(&txn, 0).await?;
    }
    txn.commit().await?;
    Ok(())
}

async fn free(ctx: &AppContext, leased: &Leased) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    leased.release(&txn).await?;
    txn.commit().await?;
    ctx.parts().key_freed().notify_one();
    Ok(())
}

impl Model {
    /// `None` when the time of the run is up.
    async fn time_left(&self, ctx: &AppContext) -> Result<Option<Duration>> {
        let left = self.deadline_at - clock::now(&ctx.db).await?;
        Ok(left.to_std().ok().filter(|left| !left.is_zero()))
    }
}
