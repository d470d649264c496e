//! Provider keys: the pool as operators look after it. A secret goes in and never comes out again.

mod deeds;

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, Order};

use super::{
    description::{About, Action, Cell, Column, Field, Kind, Section, Tone},
    resource::Describe,
};
use crate::models::{
    _entities::provider_keys,
    activities, attempts,
    listing::{By, Spec, literal},
    provider_keys::{Model, State, check::Checked},
    proxies, text,
};
use deeds::{
    activate, add, add_fields, disable, edit, edit_fields, enter, import, import_fields, rotate, secret_field, test,
};

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
        Spec::new()
            .search("label", By::Beginning(C::Label))
            .scope("active", "In service", |_| C::State.eq(text(State::Active)).into())
            .scope("resting", "Resting", |_| C::State.eq(text(State::Cooldown)).into())
            .scope("waiting", "Waiting for you", |_| {
                literal("CASE WHEN state IN ('manual_review', 'out_of_funds') THEN 1 ELSE 0 END = 1")
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
                .asking_why()
                .following(|_| {
                    vec![
                        "The provider is asked first; while it does not take the key, nothing changes.".into(),
                        "It begins anew: its failures are forgotten, and it carries one call at first.".into(),
                    ]
                })
                .done("The key is in service again.")
                .bulk(),
            Action::new("deactivation", "Disable", "x", |doing| Box::pin(disable(doing)))
                .when(|row: &Row| row.key.state() != State::Disabled)
                .asking_why()
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
                .for_good()
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
