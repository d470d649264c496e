//! Questions to a vendor that cost nothing: is this key good, is anybody there, what is on the account. Asked the way the
//! key goes: through its proxy first, and directly if the proxy is at fault.

use std::time::Duration;

use loco_rs::{Error, Result, app::AppContext};
use secrecy::SecretString;
use serde_json::json;

use super::Model;
use crate::{
    adapters::images::{Access, Balance, CHECK_DEADLINE, Failure, Provider, ProxyUrl},
    context::Nproxy,
    models::{
        activities::{self, Actor},
        attempts::Via,
        begin, proxies, text,
    },
};

/// What a question brought.
#[derive(Debug)]
pub struct Checked {
    /// The way by which the answer came, or the last that was tried.
    pub via: Via,
    pub answer: std::result::Result<(), Failure>,
    /// Why the proxy was gone round.
    pub proxy_fault: Option<Failure>,
}

impl Checked {
    /// What the vendor said, in one line for an operator.
    #[must_use]
    pub fn in_words(&self) -> String {
        let way = match &self.proxy_fault {
            Some(fault) => format!("directly, because the proxy is at fault ({fault})"),
            None => self.via.word().to_owned(),
        };
        match &self.answer {
            Ok(()) => format!("the vendor takes it ({way})"),
            Err(failure) => format!("the vendor does not take it ({way}): {failure}"),
        }
    }
}

/// Asks the vendor whether it takes this key.
///
/// # Errors
/// There is no such key, its secret does not open, or the database does not answer.
pub async fn check(ctx: &AppContext, id: i64) -> Result<Checked> {
    let key = super::by_id(&ctx.db, id).await?.ok_or(Error::NotFound)?;
    let proxy = proxies::of(&ctx.db, &key).await?.filter(proxies::Model::is_active);
    ask(ctx, &key, proxy.as_ref(), CHECK_DEADLINE).await
}

/// The same for an operator, with the activity that says so.
///
/// # Errors
/// There is no such key, its secret does not open, or the database does not answer.
pub async fn check_by_hand(ctx: &AppContext, id: i64, actor: &Actor) -> Result<Checked> {
    let checked = check(ctx, id).await?;
    let detail = json!({
        "via": text(checked.via),
        "outcome": checked.answer.as_ref().err().map_or("ok", Failure::class),
        "proxy_fault": checked.proxy_fault.as_ref().map(Failure::class),
    });
    let txn = begin(&ctx.db).await?;
    activities::record(&txn, actor, "test_provider_key", ("provider_key", id), detail).await?;
    txn.commit().await?;
    Ok(checked)
}

/// The question itself, within `deadline` for each way. What the proxy did is noted on the proxy.
pub(crate) async fn ask(
    ctx: &AppContext,
    key: &Model,
    proxy: Option<&proxies::Model>,
    deadline: Duration,
) -> Result<Checked> {
    let vendor = vendor(ctx, key)?;
    let (parts, secret) = (ctx.parts(), key.secret(ctx)?);
    let mut proxy_fault = None;
    if let Some(proxy) = proxy {
        let url = proxy.url(ctx)?;
        let access = Access { secret: &secret, proxy: Some(&url) };
        let answer = vendor.check(parts.http(), access, deadline).await;
        let txn = begin(&ctx.db).await?;
        proxy.note(ctx, &txn, answer.as_ref().err()).await?;
        txn.commit().await?;
        match answer {
            Err(fault) if fault.may_go_direct() => proxy_fault = Some(fault),
            answer => return Ok(Checked { via: Via::Proxy, answer, proxy_fault }),
        }
    }
    let answer = vendor.check(parts.http(), Access { secret: &secret, proxy: None }, deadline).await;
    Ok(Checked { via: Via::Direct, answer, proxy_fault })
}

/// What the vendor tells of the account; `None` where it tells nobody.
pub(super) async fn balance(ctx: &AppContext, key: &Model) -> std::result::Result<Option<Balance>, Failure> {
    let (vendor, secret, proxy) = opened(ctx, key).await.map_err(Failure::ours)?;
    let parts = ctx.parts();
    let asked = vendor.balance(parts.http(), Access { secret: &secret, proxy: proxy.as_ref() }).await;
    match asked {
        Err(fault) if fault.may_go_direct() => {
            vendor.balance(parts.http(), Access { secret: &secret, proxy: None }).await
        }
        asked => asked,
    }
}

/// The vendor's ids of the models that this key may use; `None` where nobody keeps a list.
pub(in crate::models) async fn models(
    ctx: &AppContext,
    key: &Model,
) -> std::result::Result<Option<Vec<String>>, Failure> {
    let (vendor, secret, proxy) = opened(ctx, key).await.map_err(Failure::ours)?;
    let parts = ctx.parts();
    let asked = vendor.list_models(parts.http(), Access { secret: &secret, proxy: proxy.as_ref() }).await;
    match asked {
        Err(fault) if fault.may_go_direct() => {
            vendor.list_models(parts.http(), Access { secret: &secret, proxy: None }).await
        }
        asked => asked,
    }
}

/// Whom to ask, with what, and by which way.
async fn opened(ctx: &AppContext, key: &Model) -> Result<(Provider, SecretString, Option<ProxyUrl>)> {
    let vendor = vendor(ctx, key)?;
    let secret = key.secret(ctx)?;
    let proxy = proxies::of(&ctx.db, key).await?.filter(proxies::Model::is_active);
    Ok((vendor, secret, proxy.map(|proxy| proxy.url(ctx)).transpose()?))
}

fn vendor(ctx: &AppContext, key: &Model) -> Result<Provider> {
    let known = ctx.parts().provider(&key.provider);
    known.ok_or_else(|| Error::Message(format!("key {}: no provider {:?}", key.id, key.provider)))
}
