//! One key and one place: the call, through the key's proxy first, and what comes of it for the key and for the place.

use std::time::{Duration, Instant};

use loco_rs::{Result, app::AppContext};
use secrecy::SecretString;
use tokio::time::interval;

use super::{
    Model, Reason,
    delivery::{Delivery, Made},
    fulfilment::Brief,
};
use crate::{
    adapters::images::{Access, Evidence, Failure, Output, ProxyUrl, Refusal},
    context::Nproxy,
    models::{
        assets::picture,
        attempts::{self, Via},
        begin, measures,
        outputs::Place,
        provider_keys::{self, Leased, health, incidents},
    },
};

/// How often the heartbeat of a lease is written.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often a call asks whether its picture is still wanted.
const STILL_WANTED: Duration = Duration::from_secs(1);

/// Further keys after an answer without a picture.
const EMPTY_BUDGET: u32 = 1;

/// What to do after a call.
pub(super) enum Next {
    /// The place is filled, or nobody wants it filled any more.
    Done {
        /// The run has ended with it.
        is_over: bool,
    },
    AnotherKey,
    /// The lease is gone: somebody else may be at the place by now, and it may be filled.
    Lost,
    /// Stop, and say why.
    GiveUp(Reason),
}

/// What came of the calls for a place so far, apart from pictures.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// Answers without a picture.
    empty: u32,
    /// Ends of which nobody knows whether they were billed.
    pub ambiguous: u64,
}

/// One key: through its proxy first, and if the proxy is at fault once more without it.
pub(super) async fn call(
    ctx: &AppContext,
    run: &Model,
    brief: &Brief,
    place: Place,
    leased: &Leased,
    time_left: Duration,
    tries: &mut Tries,
) -> Result<Next> {
    let ways = leased.ways();
    for (at, via) in ways.iter().enumerate() {
        let announced = match &leased.announced {
            Some(attempt) if at == 0 => Some(attempt.clone()),
            _ => announce(ctx, leased, *via).await?,
        };
        let Some(attempt) = announced else { return Ok(Next::Lost) };
        let started = Instant::now();
        let answer = ask(ctx, run, brief, leased, *via, time_left).await?;
        let failure = match answer {
            Answer::Picture(picture) => {
                let proxy = leased.proxy.as_ref().filter(|_| *via == Via::Proxy);
                let made = Made { run, user_id: brief.user_id, place, leased, proxy, attempt: &attempt };
                return Ok(match made.deliver(ctx, picture).await? {
                    Delivery::Kept { is_over } => {
                        measures::called(&leased.key.provider, Output::CLASS, started.elapsed());
                        Next::Done { is_over }
                    }
                    // Whoever has the place may still be at it: the run is not over because we are.
                    Delivery::TooLate => Next::Lost,
                    Delivery::NotStored => Next::GiveUp(Reason::Storage),
                });
            }
            Answer::LeaseLost => return Ok(Next::Lost),
            Answer::NotWanted => {
                attempts::close_abandoned(&ctx.db, run.id, Some(place.position)).await?;
                free(ctx, leased).await?;
                return Ok(Next::Done { is_over: false });
            }
            Answer::Failure(failure) => failure,
        };
        tracing::info!(
            run.id = run.id, place = place.position, key.id = leased.key.id, via = ?via,
            class = failure.class(), "no picture from this key"
        );
        measures::called(&leased.key.provider, failure.class(), started.elapsed());
        tries.ambiguous += u64::from(failure.may_have_run());
        let directly_next = failure.may_go_direct() && at + 1 < ways.len();
        let txn = begin(&ctx.db).await?;
        let is_ours = !directly_next && leased.release(&txn).await?;
        attempt.close(&txn, Err(&failure), None).await?;
        if let (Some(proxy), Via::Proxy) = (&leased.proxy, via) {
            proxy.note(ctx, &txn, Some(&failure)).await?;
        }
        if directly_next {
            txn.commit().await?;
            measures::went_direct();
            continue;
        }
        // Cut off because the run's own time was up, a call says nothing about its key.
        let had_its_time = !failure.is_strike() || started.elapsed() < time_left;
        if is_ours && had_its_time {
            health::failed(ctx, &txn, leased, &failure).await?;
        }
        txn.commit().await?;
        if failure.is_strike() && had_its_time {
            incidents::judge(ctx, &leased.key.provider).await?;
        }
        ctx.parts().key_freed().notify_one();
        let next = after(&failure, &mut tries.empty);
        if matches!(next, Next::AnotherKey) {
            measures::failed_over();
        }
        return Ok(next);
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

/// What a failure means for the place; what it means for the key is `health`'s business.
fn after(failure: &Failure, empty: &mut u32) -> Next {
    match failure {
        Failure::Refused { reason, .. } => Next::GiveUp(match reason {
            Refusal::Prompt => Reason::RefusedPrompt,
            Refusal::Output => Reason::RefusedOutput,
            Refusal::Recitation => Reason::Recitation,
            Refusal::BadInput => Reason::BadInput,
        }),
        Failure::Empty { .. } if *empty >= EMPTY_BUDGET => Next::GiveUp(Reason::Empty),
        Failure::Empty { .. } => {
            *empty += 1;
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

/// Gives a key back that did not call.
pub(super) async fn free(ctx: &AppContext, leased: &Leased) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    leased.release(&txn).await?;
    txn.commit().await?;
    ctx.parts().key_freed().notify_one();
    Ok(())
}
