//! What is done to a key, and how keys are handed in.

use std::collections::HashMap;

use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};

use super::{Row, in_words};
use crate::{
    context::Nproxy,
    models::{
        admin::description::{Doing, Field, Input, Kind, Outcome},
        provider_keys::{
            self, Addition, MAX_CONCURRENCY, NewKey, NewProxy,
            activation::{self, Activation},
            balance, check,
            editing::{self, Edit, Edited},
        },
        proxies,
    },
};

/// A key carries so many calls at most.
const CONCURRENCY_MAX: i64 = 1_000;

/// Keys handed in at once.
const IMPORT_MAX: usize = 200;

pub(super) async fn test(doing: Doing<'_, Row>) -> Result<Outcome> {
    let checked = check::check_by_hand(doing.ctx, doing.row.key.id, doing.actor).await?;
    Ok(Outcome::Told(in_words(&checked)))
}

pub(super) async fn activate(doing: Doing<'_, Row>) -> Result<Outcome> {
    let reason = doing.input.reason();
    Ok(match activation::activate(doing.ctx, doing.row.key.id, false, reason, doing.actor).await? {
        Activation::Activated(_) => Outcome::Done,
        Activation::NotTaken(checked) => Outcome::refused(format!("Nothing was changed. {}", in_words(&checked))),
    })
}

pub(super) async fn disable(doing: Doing<'_, Row>) -> Result<Outcome> {
    activation::disable(doing.ctx, doing.row.key.id, doing.input.reason(), doing.actor).await?;
    Ok(Outcome::Done)
}

pub(super) fn edit_fields<'a>(ctx: &'a AppContext, row: &'a Row) -> BoxFuture<'a, Result<Vec<Field>>> {
    Box::pin(async move {
        let proxy = row.key.proxy_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(vec![
            label_field().value(&row.key.label),
            proxy_field(ctx).await?.value(proxy),
            concurrency_field().value(row.key.max_concurrency.to_string()),
        ])
    })
}

fn label_field() -> Field {
    Field::new("label", "Label", Kind::Line).hint("How you tell keys apart. Unique within a provider.")
}

pub(super) fn secret_field() -> Field {
    Field::new("secret", "Secret", Kind::Secret).hint("Kept encrypted. Nobody can read it here again.")
}

fn concurrency_field() -> Field {
    Field::new("max_concurrency", "Calls at once", Kind::Number).value(MAX_CONCURRENCY.to_string())
}

async fn proxy_field(ctx: &AppContext) -> Result<Field> {
    let mut options = vec![(String::new(), "None: directly".to_owned())];
    let proxies = proxies::list(&ctx.db).await?;
    options.extend(proxies.into_iter().map(|proxy| (proxy.id.to_string(), proxy.label)));
    Ok(Field::new("proxy", "Proxy", Kind::Choice(options)).optional())
}

fn provider_field(ctx: &AppContext) -> Field {
    let provider = ctx.parts().catalogue().default_model().provider.clone();
    Field::new("provider", "Provider", Kind::Choice(vec![(provider.clone(), provider.clone())])).value(provider)
}

pub(super) fn add_fields(ctx: &AppContext) -> BoxFuture<'_, Result<Vec<Field>>> {
    Box::pin(async move {
        Ok(vec![provider_field(ctx), label_field(), secret_field(), proxy_field(ctx).await?, concurrency_field()])
    })
}

pub(super) fn import_fields(ctx: &AppContext) -> BoxFuture<'_, Result<Vec<Field>>> {
    Box::pin(async move {
        Ok(vec![
            provider_field(ctx),
            Field::new("keys", "Keys", Kind::Secrets)
                .hint("One a line: a label, a space, the secret. Only secrets get labels of their own."),
            proxy_field(ctx).await?,
            concurrency_field(),
        ])
    })
}

fn concurrency(input: &Input) -> Option<i64> {
    input.number("max_concurrency").filter(|calls| (1..=CONCURRENCY_MAX).contains(calls))
}

const CONCURRENCY_FAULT: (&str, &str) = ("max_concurrency", "Between 1 and 1000.");

pub(super) async fn edit(doing: Doing<'_, Row>) -> Result<Outcome> {
    let Some(max_concurrency) = concurrency(doing.input) else {
        return Ok(Outcome::invalid(CONCURRENCY_FAULT.0, CONCURRENCY_FAULT.1));
    };
    let edit =
        Edit { label: doing.input.text("label").to_owned(), proxy_id: doing.input.number("proxy"), max_concurrency };
    Ok(match editing::edit(doing.ctx, doing.row.key.id, edit, doing.actor).await? {
        Edited::Edited(_) => Outcome::Done,
        Edited::Unchanged => Outcome::refused("Nothing was changed: it is like this already."),
        Edited::LabelTaken => Outcome::invalid("label", "Another key of this provider is called so."),
    })
}

pub(super) async fn rotate(doing: Doing<'_, Row>) -> Result<Outcome> {
    let secret = doing.input.secret("secret");
    editing::rotate(doing.ctx, doing.row.key.id, &secret, doing.input.reason(), doing.actor).await?;
    Ok(Outcome::Done)
}

pub(super) async fn enter(doing: Doing<'_, Row>) -> Result<Outcome> {
    let Some(cents) = doing.input.number("cents").filter(|cents| (0..=100_000_000).contains(cents)) else {
        return Ok(Outcome::invalid("cents", "Between 0 and 100,000,000."));
    };
    balance::enter(doing.ctx, doing.row.key.id, cents * 10_000, doing.actor).await?;
    Ok(Outcome::Done)
}

/// The proxy that a form chose, by its label.
async fn chosen_proxy(ctx: &AppContext, input: &Input) -> Result<Option<NewProxy>> {
    let Some(id) = input.number("proxy") else { return Ok(None) };
    let proxy = proxies::by_id(&ctx.db, id).await?;
    Ok(proxy.map(|proxy| NewProxy::Known(proxy.label)))
}

pub(super) async fn add(doing: Doing<'_, ()>) -> Result<Outcome> {
    let Some(max_concurrency) = concurrency(doing.input) else {
        return Ok(Outcome::invalid(CONCURRENCY_FAULT.0, CONCURRENCY_FAULT.1));
    };
    let new = NewKey {
        provider: doing.input.text("provider").to_owned(),
        label: doing.input.text("label").to_owned(),
        secret: doing.input.secret("secret"),
        proxy: chosen_proxy(doing.ctx, doing.input).await?,
        max_concurrency,
    };
    Ok(match provider_keys::add(doing.ctx, new, doing.actor).await? {
        Addition::Added(key) => Outcome::Made(key.id),
        Addition::LabelTaken => Outcome::invalid("label", "Another key of this provider is called so."),
    })
}

pub(super) async fn import(doing: Doing<'_, ()>) -> Result<Outcome> {
    let Some(max_concurrency) = concurrency(doing.input) else {
        return Ok(Outcome::invalid(CONCURRENCY_FAULT.0, CONCURRENCY_FAULT.1));
    };
    let lines: Vec<_> = doing.input.text("keys").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > IMPORT_MAX {
        return Ok(Outcome::invalid("keys", format!("At most {IMPORT_MAX} at once.")));
    }
    let (mut added, mut taken) = (0, HashMap::<String, usize>::new());
    for (at, line) in lines.iter().enumerate() {
        let (label, secret) = match line.rsplit_once([' ', '\t', ',', ';']) {
            Some((label, secret)) => (label.trim().to_owned(), secret),
            None => (format!("key {}", uuid::Uuid::new_v4().simple().to_string().split_at(8).0), *line),
        };
        let new = NewKey {
            provider: doing.input.text("provider").to_owned(),
            label: label.clone(),
            secret: secret.to_owned().into(),
            proxy: chosen_proxy(doing.ctx, doing.input).await?,
            max_concurrency,
        };
        match provider_keys::add(doing.ctx, new, doing.actor).await? {
            Addition::Added(_) => added += 1,
            Addition::LabelTaken => {
                taken.insert(label, at + 1);
            }
        }
    }
    let mut words = if added == 1 { "1 key was added.".to_owned() } else { format!("{added} keys were added.") };
    let mut taken: Vec<_> = taken.into_iter().collect();
    taken.sort_by_key(|(_, line)| *line);
    for (label, line) in taken {
        words.push_str(&format!(" Line {line} was left out: there is a key “{label}” already."));
    }
    Ok(Outcome::Told(words))
}
