//! What was told to people and to operators, and what could not be.

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, Condition};

use super::{
    description::{About, Cell, Column, Section, Tone},
    resource::Describe,
};
use crate::models::{
    _entities::notifications::{self as rows, Model},
    listing::{By, Spec, words_of},
};

pub struct Notifications;

#[async_trait]
impl Describe for Notifications {
    type Entity = rows::Entity;
    type Row = Model;

    fn about(&self) -> About {
        About {
            path: "notifications",
            title: "Notifications",
            one: "notification",
            text: "What was told, once per event. What could not be sent is tried again by its job.",
            icon: "bell",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use rows::Column as C;
        Spec::new()
            .search("kind", By::Word(C::Kind))
            .search("key", By::Word(C::DedupeKey))
            .scope("waiting", "Not sent", |_| Condition::all().add(C::SentAt.is_null()))
            .filter("channel", "Channel", ["mail", "telegram"].map(str::to_owned), |word| {
                Some(C::Channel.eq(word).into())
            })
            .filter("kind", "Kind", [], |word| Some(C::Kind.eq(word).into()))
            .filter("user", "User", [], |word| Some(C::UserId.eq(word.parse::<i64>().ok()?).into()))
    }

    async fn dress(&self, _ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Model>> {
        Ok(rows)
    }

    fn id(&self, row: &Model) -> i64 {
        row.id
    }

    fn name(&self, row: &Model) -> String {
        format!("{} {}", words_of(&row.kind), row.id)
    }

    fn columns(&self) -> Vec<Column<Model>> {
        vec![
            Column::new("kind", "What", |row: &Model| {
                Cell::link(words_of(&row.kind), format!("/admin/notifications/{}", row.id))
            }),
            Column::new("state", "State", state),
            Column::new("channel", "By", |row| Cell::text(words_of(&row.channel))),
            Column::new("user", "To", person),
            Column::new("error", "Error", |row| Cell::maybe(row.error.as_ref())),
            Column::new("created_at", "When", |row| Cell::Moment(row.created_at)),
            Column::extra("sent_at", "Sent", |row| Cell::moment(row.sent_at)),
        ]
    }

    async fn sections(&self, _ctx: &AppContext, row: &Model) -> Result<Vec<Section>> {
        let facts = vec![
            ("State", state(row)),
            ("What", Cell::text(words_of(&row.kind))),
            ("By", Cell::text(words_of(&row.channel))),
            ("To", person(row)),
            ("Once per", Cell::Code(row.dedupe_key.clone())),
            ("When", Cell::Moment(row.created_at)),
            ("Sent", Cell::moment(row.sent_at)),
            ("Error", Cell::maybe(row.error.as_ref())),
        ];
        let detail = serde_json::to_string_pretty(&row.detail)?;
        Ok(vec![Section::facts("facts", "What was told", facts), Section::verbatim("detail", "Of what", detail)])
    }
}

fn state(row: &Model) -> Cell {
    let (word, tone) = match (row.sent_at, &row.error) {
        (Some(_), _) => ("Sent", Tone::Good),
        (None, None) => ("On its way", Tone::Busy),
        (None, Some(_)) => ("Not sent yet", Tone::Warning),
    };
    Cell::State(word.into(), tone)
}

fn person(row: &Model) -> Cell {
    match row.user_id {
        Some(id) => Cell::link(format!("user {id}"), format!("/admin/users/{id}")),
        None => Cell::text("operators"),
    }
}
