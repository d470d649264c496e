//! Provider keys: the pool as operators look after it. A secret goes in and never comes out again.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, Condition, Order};

use super::{
    description::{About, Action, Cell, Column, Doing, Field, Input, Kind, Outcome, Section, Tone},
    resource::Describe,
};
use crate::{
    context::Nproxy,
    models::{
        _entities::provider_keys,
        activities, attempts,
        listing::{By, Spec},
        provider_keys::{
            Addition, MAX_CONCURRENCY, Model, NewKey, State,
            activation::{self, Activation},
            balance,
            check::{self, Checked},
            editing::{self, Edit, Edited},
        },
        proxies, text,
    },
};

/// A key carries so many calls at most.
const CONCURRENCY_MAX: i64 = 1_000;

/// Keys handed in at once.
const IMPORT_MAX: usize = 200;

/// Rows that the page about a key shows of its calls and of what was done to it.
const SHOWN: u64 = 20;

pub struct Keys;

/// A key, and what its proxy is called.
pub struct Row {
    key: Model,
    proxy: Option<String>,
}

#[async_trait]
impl Describe for Keys {
    type Entity = provider_keys::Entity;
    type Row = Row;

    fn about(&self) -> About {
        About {
            path: "keys",
            title: "Provider keys",
            one: "key",
            text: "The pool that requests run over, in turn. A secret is never shown again.",
            icon: "key-round",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use provider_keys::Column as C;
        let is = |state: State| C::State.eq(text(state)).into();
        let _: fn(State) -> Condition = is;
        Spec::new()
            .search("label", By::Beginning(C::Label))
            .scope("active", "In service", |_| C::State.eq(text(State::Active)).into())
            .scope("resting", "Resting", |_| C::State.eq(text(State::Cooldown)).into())
            .scope("waiting", "Waiting for you", |_| {
                Condition::all().add(C::State.is_in([text(State::ManualReview), text(State::OutOfFunds)]))
            })
            .scope("disabled", "Disabled", |_| C::State.eq(text(State::Disabled)).into())
            .filter("state", "State", states(), |word| Some(C::State.eq(word).into()))
            .filter("proxy", "Proxy", [], |word| Some(C::ProxyId.eq(word.parse::<i64>().ok()?).into()))
            .sort("label", "Label", C::Label, Order::Asc)
    }

    async fn dress(&self, ctx: &AppContext, keys: Vec<Model>) -> Result<Vec<Row>> {
        let proxies = proxies::labels(&ctx.db, keys.iter().filter_map(|key| key.proxy_id)).await?;
        let row = |key: Model| Row { proxy: key.proxy_id.and_then(|id| proxies.get(&id).cloned()), key };
        Ok(keys.into_iter().map(row).collect())
    }

    fn id(&self, row: &Row) -> i64 {
        row.key.id
    }

    fn name(&self, row: &Row) -> String {
        row.key.label.clone()
    }

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            Column::new("label", "Label", |row: &Row| {
                Cell::link(&row.key.label, format!("/admin/keys/{}", row.key.id))
            }),
            Column::new("state", "State", |row| state(&row.key)),
            Column::new("secret", "Secret", |row| Cell::Code(row.key.secret_hint.clone())),
            Column::extra("provider", "Provider", |row| Cell::text(&row.key.provider)),
            Column::new("proxy", "Proxy", |row| match (&row.proxy, row.key.proxy_id) {
                (Some(label), Some(id)) => Cell::link(label, format!("/admin/proxies/{id}")),
                _ => Cell::text("none"),
            }),
            Column::new("success", "Success", |row| success(&row.key)),
            Column::new("balance", "Balance", |row| Cell::micros(row.key.balance_micros)),
            Column::new("retry", "Next try", |row| Cell::moment(row.key.cooldown_until)),
            Column::extra("in_a_row", "Failures in a row", |row| Cell::Number(row.key.consecutive_failures)),
            Column::extra("max_concurrency", "Calls at once", |row| Cell::Number(row.key.max_concurrency)),
            Column::extra("successes", "Successes", |row| Cell::Number(row.key.successes)),
            Column::extra("failures", "Failures", |row| Cell::Number(row.key.failures)),
            Column::extra("last_used_at", "Last used", |row| Cell::moment(row.key.last_used_at)),
            Column::extra("created_at", "Added", |row| Cell::Moment(row.key.created_at)),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Row) -> Result<Vec<Section>> {
        let key = &row.key;
        let days = key.days_left(&ctx.db).await?;
        let facts = vec![
            ("State", state(key)),
            ("Why", Cell::maybe(key.state_reason.as_ref())),
            ("Next try", Cell::moment(key.cooldown_until)),
            ("Failures in a row", Cell::Number(key.consecutive_failures)),
            ("Last error", Cell::maybe(key.last_error.as_ref())),
            ("Provider", Cell::text(&key.provider)),
            ("Secret ends in", Cell::Code(key.secret_hint.clone())),
            (
                "Goes out",
                row.proxy.as_ref().map_or(Cell::text("directly"), |label| {
                    Cell::link(label, format!("/admin/proxies/{}", key.proxy_id.unwrap_or_default()))
                }),
            ),
            ("Calls at once", Cell::Number(key.max_concurrency)),
            ("Until it has proved itself", Cell::number(key.ramp)),
        ];
        let money = vec![
            ("Balance", Cell::micros(key.balance_micros)),
            ("Told by", Cell::maybe(key.balance_source.as_ref())),
            ("Looked at", Cell::moment(key.balance_checked_at)),
            ("Lasts", days.map_or(Cell::Nothing, |days| Cell::text(format!("about {days:.1} days")))),
            ("Successes", Cell::Number(key.successes)),
            ("Failures", Cell::Number(key.failures)),
            ("Success rate", success(key)),
            ("Latest calls cost", Cell::micros(attempts::cost_of_key(&ctx.db, key.id).await?)),
            ("Last used", Cell::moment(key.last_used_at)),
        ];
        let calls = attempts::of_key(&ctx.db, key.id, SHOWN).await?;
        let done = activities::latest_about(&ctx.db, "provider_key", key.id, SHOWN).await?;
        Ok(vec![
            Section::facts("facts", "How it stands", facts),
            Section::facts("money", "What it does and costs", money),
            Section::table(
                "calls",
                "Latest calls",
                vec!["When", "Run", "Way", "Outcome", "Took", "Cost"],
                calls.iter().map(super::runs::call_of_key).collect(),
                "It was never called.",
            ),
            super::activities::section(&done, "provider_key", key.id),
        ])
    }

    fn actions(&self) -> Vec<Action<Row>> {
        vec![
            Action::new("test", "Test", "shield-check", |doing| Box::pin(test(doing))).bulk(),
            Action::new("activation", "Activate", "circle-check", |doing| Box::pin(activate(doing)))
                .when(|row: &Row| row.key.state() != State::Active)
                .done("The key is in service again.")
                .bulk(),
            Action::new("deactivation", "Disable", "x", |doing| Box::pin(disable(doing)))
                .when(|row: &Row| row.key.state() != State::Disabled)
                .following(|_| {
                    vec!["It gets no more calls until it is activated. Calls under way end as they end.".into()]
                })
                .done("The key is disabled.")
                .bulk(),
            Action::new("edit", "Edit", "pencil", |doing| Box::pin(edit(doing)))
                .with(|ctx, row, _| edit_fields(ctx, row))
                .done("The key is changed."),
            Action::new("secret", "Replace the secret", "refresh-cw", |doing| Box::pin(rotate(doing)))
                .grave(|_| {
                    vec![
                        "The next call uses the new secret. Calls under way end with the old one.".into(),
                        "The old secret is gone from here. It stays valid at the provider until you revoke it there."
                            .into(),
                    ]
                })
                .with(|_, _, _| Box::pin(async { Ok(vec![secret_field()]) }))
                .done("The key has its new secret."),
            Action::new("balance", "Enter the balance", "credit-card", |doing| Box::pin(enter(doing)))
                .with(|_, _, _| {
                    Box::pin(async {
                        Ok(vec![Field::new("cents", "Balance in US cents", Kind::Number).hint(
                            "For providers that tell no balance. What our pictures cost is taken off from here on.",
                        )])
                    })
                })
                .done("The balance is entered."),
        ]
    }

    fn creations(&self) -> Vec<Action<()>> {
        vec![
            Action::new("new", "Add a key", "plus", |doing| Box::pin(add(doing)))
                .with(|ctx, (), _| add_fields(ctx))
                .done("The key is added."),
            Action::new("import", "Add many", "plus", |doing| Box::pin(import(doing)))
                .with(|ctx, (), _| import_fields(ctx)),
        ]
    }
}

fn states() -> Vec<String> {
    [State::Active, State::Cooldown, State::OutOfFunds, State::ManualReview, State::Disabled].map(text).into()
}

pub(super) fn state(key: &Model) -> Cell {
    let (word, tone) = match key.state() {
        State::Active => ("In service", Tone::Good),
        State::Cooldown => ("Resting", Tone::Warning),
        State::OutOfFunds => ("Out of funds", Tone::Bad),
        State::ManualReview => ("Needs a look", Tone::Bad),
        State::Disabled => ("Disabled", Tone::Plain),
    };
    Cell::State(word.into(), tone)
}

fn success(key: &Model) -> Cell {
    match key.successes + key.failures {
        0 => Cell::Nothing,
        calls => Cell::text(format!("{} % of {calls}", key.successes * 100 / calls)),
    }
}

/// What the vendor said, in one line.
pub(super) fn in_words(checked: &Checked) -> String {
    let way = match &checked.proxy_fault {
        Some(fault) => format!("directly, because the proxy is at fault ({fault})"),
        None => checked.via.word().to_owned(),
    };
    match &checked.answer {
        Ok(()) => format!("The provider takes it ({way})."),
        Err(failure) => format!("The provider does not take it ({way}): {failure}."),
    }
}

async fn test(doing: Doing<'_, Row>) -> Result<Outcome> {
    let checked = check::check_by_hand(doing.ctx, doing.row.key.id, doing.actor).await?;
    Ok(Outcome::Told(in_words(&checked)))
}

async fn activate(doing: Doing<'_, Row>) -> Result<Outcome> {
    Ok(match activation::activate(doing.ctx, doing.row.key.id, false, doing.actor).await? {
        Activation::Activated(_) => Outcome::Done,
        Activation::NotTaken(checked) => Outcome::refused(format!("Nothing was changed. {}", in_words(&checked))),
    })
}

async fn disable(doing: Doing<'_, Row>) -> Result<Outcome> {
    activation::disable(doing.ctx, doing.row.key.id, doing.actor).await?;
    Ok(Outcome::Done)
}

fn edit_fields<'a>(ctx: &'a AppContext, row: &'a Row) -> BoxFuture<'a, Result<Vec<Field>>> {
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

fn secret_field() -> Field {
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

fn add_fields(ctx: &AppContext) -> BoxFuture<'_, Result<Vec<Field>>> {
    Box::pin(async move {
        Ok(vec![provider_field(ctx), label_field(), secret_field(), proxy_field(ctx).await?, concurrency_field()])
    })
}

fn import_fields(ctx: &AppContext) -> BoxFuture<'_, Result<Vec<Field>>> {
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

async fn edit(doing: Doing<'_, Row>) -> Result<Outcome> {
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

async fn rotate(doing: Doing<'_, Row>) -> Result<Outcome> {
    let secret = doing.input.secret("secret");
    editing::rotate(doing.ctx, doing.row.key.id, &secret, doing.input.reason(), doing.actor).await?;
    Ok(Outcome::Done)
}

async fn enter(doing: Doing<'_, Row>) -> Result<Outcome> {
    let Some(cents) = doing.input.number("cents").filter(|cents| (0..=100_000_000).contains(cents)) else {
        return Ok(Outcome::invalid("cents", "Between 0 and 100,000,000."));
    };
    balance::enter(doing.ctx, doing.row.key.id, cents * 10_000, doing.actor).await?;
    Ok(Outcome::Done)
}

/// The proxy that a form chose, by its label.
async fn chosen_proxy(ctx: &AppContext, input: &Input) -> Result<Option<crate::models::provider_keys::NewProxy>> {
    let Some(id) = input.number("proxy") else { return Ok(None) };
    let proxy = proxies::by_id(&ctx.db, id).await?;
    Ok(proxy.map(|proxy| crate::models::provider_keys::NewProxy::Known(proxy.label)))
}

async fn add(doing: Doing<'_, ()>) -> Result<Outcome> {
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
    Ok(match crate::models::provider_keys::add(doing.ctx, new, doing.actor).await? {
        Addition::Added(key) => Outcome::Made(key.id),
        Addition::LabelTaken => Outcome::invalid("label", "Another key of this provider is called so."),
    })
}

async fn import(doing: Doing<'_, ()>) -> Result<Outcome> {
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
        match crate::models::provider_keys::add(doing.ctx, new, doing.actor).await? {
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
