//! Ways out to the providers. The address holds a password, so it is never shown again.

use async_trait::async_trait;
use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, Order};
use secrecy::SecretString;

use super::{
    description::{About, Action, Cell, Column, Doing, Field, Input, Kind, Outcome, Section, Tone},
    resource::Describe,
};
use crate::models::{
    _entities::proxies::{self as rows, Model},
    activities,
    listing::{By, Spec},
    provider_keys,
    proxies::{self, Addition, Edited},
};

const SHOWN: u64 = 20;

pub struct Proxies;

/// A proxy, with its address as it may be shown.
pub struct Row {
    proxy: Model,
    masked: String,
}

#[async_trait]
impl Describe for Proxies {
    type Entity = rows::Entity;
    type Row = Row;

    fn about(&self) -> About {
        About {
            path: "proxies",
            title: "Proxies",
            one: "proxy",
            text: "Ways out that keys go. A key whose proxy is off, or rests, goes directly.",
            icon: "network",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use rows::Column as C;
        Spec::new()
            .search("label", By::Beginning(C::Label))
            .scope("active", "In use", |_| C::State.eq("active").into())
            .scope("disabled", "Off", |_| C::State.eq("disabled").into())
            .sort("label", "Label", C::Label, Order::Asc)
    }

    async fn dress(&self, ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Row>> {
        Ok(rows.into_iter().map(|proxy| Row { masked: proxy.masked(ctx), proxy }).collect())
    }

    fn id(&self, row: &Row) -> i64 {
        row.proxy.id
    }

    fn name(&self, row: &Row) -> String {
        row.proxy.label.clone()
    }

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            Column::new("label", "Label", |row: &Row| {
                Cell::link(&row.proxy.label, format!("/admin/proxies/{}", row.proxy.id))
            }),
            Column::new("state", "State", state),
            Column::new("address", "Address", |row| Cell::Code(row.masked.clone())),
            Column::new("in_a_row", "Faults in a row", |row| Cell::Number(row.proxy.consecutive_failures)),
            Column::new("last_error", "Last fault", |row| Cell::maybe(row.proxy.last_error.as_ref())),
            Column::new("failed_at", "When", |row| Cell::moment(row.proxy.failed_at)),
            Column::extra("created_at", "Added", |row| Cell::Moment(row.proxy.created_at)),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Row) -> Result<Vec<Section>> {
        let proxy = &row.proxy;
        let facts = vec![
            ("State", state(row)),
            ("Address", Cell::Code(row.masked.clone())),
            ("Rests until", Cell::moment(proxy.rest_until)),
            ("Faults in a row", Cell::Number(proxy.consecutive_failures)),
            ("Last fault", Cell::maybe(proxy.last_error.as_ref())),
            ("When", Cell::moment(proxy.failed_at)),
            ("Added", Cell::Moment(proxy.created_at)),
        ];
        let keys = provider_keys::through(&ctx.db, proxy.id, SHOWN).await?;
        let keys = keys
            .iter()
            .map(|key| vec![Cell::link(&key.label, format!("/admin/keys/{}", key.id)), super::keys::state(key)]);
        let done = activities::latest_about(&ctx.db, "proxy", proxy.id, SHOWN).await?;
        Ok(vec![
            Section::facts("facts", "How it stands", facts),
            Section::table(
                "keys",
                "Keys that go this way",
                vec!["Key", "State"],
                keys.collect(),
                "No key goes this way.",
            )
            .leading_to("All of them", format!("/admin/keys?proxy={}", proxy.id)),
            super::activities::section(&done, "proxy", proxy.id),
        ])
    }

    fn actions(&self) -> Vec<Action<Row>> {
        vec![
            Action::new("test", "Test", "shield-check", |doing| Box::pin(test(doing))).bulk(),
            Action::new("activation", "Put into use", "circle-check", |doing| Box::pin(switch(doing, true)))
                .when(|row: &Row| !row.proxy.is_active())
                .asking_why()
                .done("The proxy is in use.")
                .bulk(),
            Action::new("deactivation", "Take out of use", "x", |doing| Box::pin(switch(doing, false)))
                .when(|row: &Row| row.proxy.is_active())
                .asking_why()
                .following(|_| vec!["Its keys go directly until it is put into use again.".into()])
                .done("The proxy is out of use.")
                .bulk(),
            Action::new("edit", "Edit", "pencil", |doing| Box::pin(edit(doing)))
                .with(|_, row, _| edit_fields(row))
                .done("The proxy is changed."),
        ]
    }

    fn creations(&self) -> Vec<Action<()>> {
        vec![
            Action::new("new", "Add a proxy", "plus", |doing| Box::pin(add(doing)))
                .with(|_, (), _| Box::pin(async { Ok(vec![label_field(), address_field(), network_field()]) }))
                .done("The proxy is added."),
        ]
    }
}

fn state(row: &Row) -> Cell {
    let (word, tone) = match (row.proxy.is_active(), row.proxy.rest_until.is_some()) {
        (true, false) => ("In use", Tone::Good),
        (true, true) => ("Rests", Tone::Warning),
        (false, _) => ("Off", Tone::Plain),
    };
    Cell::State(word.into(), tone)
}

fn label_field() -> Field {
    Field::new("label", "Label", Kind::Line).hint("How you tell proxies apart.")
}

fn address_field() -> Field {
    Field::new("address", "Address", Kind::Secret)
        .hint("http://user:password@host:port or socks5://…; kept encrypted, and never shown again.")
}

fn network_field() -> Field {
    let networks = [("public", "On the internet"), (PRIVATE, "In a private network of ours")];
    let networks = networks.map(|(value, label)| (value.to_owned(), label.to_owned()));
    Field::new("network", "Where it is", Kind::Choice(networks.to_vec())).value("public").optional()
}

fn edit_fields(row: &Row) -> BoxFuture<'_, Result<Vec<Field>>> {
    Box::pin(async move {
        let address = address_field().optional().hint("Left empty, the address stays as it is.");
        Ok(vec![label_field().value(&row.proxy.label), address, network_field()])
    })
}

const PRIVATE: &str = "private";

/// What is wrong with the address.
fn fault(address: &SecretString, input: &Input) -> Option<Outcome> {
    if !proxies::is_address(address) {
        let fault = "This is not the address of a proxy: http://user:password@host:port or socks5://…";
        return Some(Outcome::invalid("address", fault));
    }
    let is_meant = input.text("network") == PRIVATE || !proxies::is_private(address);
    (!is_meant).then(|| {
        let doubt = "This address lies in a private network, where our own services are. If that is meant, choose it.";
        Outcome::invalid("network", doubt)
    })
}

async fn add(doing: Doing<'_, ()>) -> Result<Outcome> {
    let address = doing.input.secret("address");
    if let Some(fault) = fault(&address, doing.input) {
        return Ok(fault);
    }
    Ok(match proxies::add(doing.ctx, doing.input.text("label"), &address, doing.actor).await? {
        Addition::Added(proxy) => Outcome::Made(proxy.id),
        Addition::LabelTaken => Outcome::invalid("label", "Another proxy is called so."),
    })
}

async fn edit(doing: Doing<'_, Row>) -> Result<Outcome> {
    let address = Some(doing.input.secret("address")).filter(|_| !doing.input.text("address").is_empty());
    if let Some(fault) = address.as_ref().and_then(|address| fault(address, doing.input)) {
        return Ok(fault);
    }
    let label = doing.input.text("label");
    Ok(match proxies::edit(doing.ctx, doing.row.proxy.id, label, address.as_ref(), doing.actor).await? {
        Edited::Edited => Outcome::Done,
        Edited::Unchanged => Outcome::refused("Nothing was changed: it is like this already."),
        Edited::LabelTaken => Outcome::invalid("label", "Another proxy is called so."),
    })
}

async fn test(doing: Doing<'_, Row>) -> Result<Outcome> {
    let failure = proxies::check_by_hand(doing.ctx, &doing.row.proxy, doing.actor).await?;
    Ok(Outcome::Told(match failure {
        None => "The provider was reached through it.".into(),
        Some(failure) => format!("The provider was not reached through it: {failure}."),
    }))
}

async fn switch(doing: Doing<'_, Row>, on: bool) -> Result<Outcome> {
    proxies::switch(doing.ctx, &doing.row.proxy, on, doing.input.reason(), doing.actor).await?;
    Ok(Outcome::Done)
}
