//! The audit log, to read. There is nothing to do with it.

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, Condition};

use super::{
    description::{About, Cell, Column, Section},
    resource::Describe,
};
use crate::models::{
    _entities::activities::{self, Model},
    listing::{By, Spec, words_of},
    users,
};

pub struct Activities;

/// What happened, and the mail address of who did it, where it was a person.
pub struct Row {
    activity: Model,
    by: Option<String>,
}

#[async_trait]
impl Describe for Activities {
    type Entity = activities::Entity;
    type Row = Row;

    fn about(&self) -> About {
        About {
            path: "activities",
            title: "Audit log",
            one: "activity",
            text: "Who changed what, through which door. The database itself refuses to change or remove a line.",
            icon: "scroll-text",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use activities::Column as C;
        fn by_kind(kind: &'static str) -> Condition {
            C::ActorType.eq(kind).into()
        }
        Spec::new()
            .search("type", By::Word(C::ActivityType))
            .search("by", By::Word(C::ActorId))
            .scope("admin", "Web admin", |_| by_kind("admin"))
            .scope("bot", "Bot", |_| by_kind("bot"))
            .scope("cli", "Console", |_| by_kind("cli"))
            .scope("system", "By itself", |_| by_kind("system"))
            .scope("user", "People", |_| by_kind("user"))
            .filter("about", "About", KINDS.map(str::to_owned), |word| Some(C::ResourceType.eq(word).into()))
            .filter("what", "What", [], |word| Some(C::ActivityType.eq(word).into()))
            .filter("row", "Row", [], |word| {
                let (kind, id) = word.split_once(':')?;
                Some(Condition::all().add(C::ResourceType.eq(kind)).add(C::ResourceId.eq(id)))
            })
    }

    async fn dress(&self, ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Row>> {
        let people = rows.iter().filter(|row| is_person(row)).filter_map(|row| row.actor_id.parse().ok());
        let emails = users::emails(&ctx.db, people).await?;
        let by = |row: &Model| {
            let id = is_person(row).then(|| row.actor_id.parse::<i64>().ok())??;
            emails.get(&id).cloned()
        };
        Ok(rows.into_iter().map(|activity| Row { by: by(&activity), activity }).collect())
    }

    fn id(&self, row: &Row) -> i64 {
        row.activity.id
    }

    fn name(&self, row: &Row) -> String {
        words_of(&row.activity.activity_type)
    }

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            Column::new("activity", "What", |row: &Row| {
                Cell::link(words_of(&row.activity.activity_type), format!("/admin/activities/{}", row.activity.id))
            }),
            Column::new("resource", "About", |row| about(&row.activity)),
            Column::new("actor", "By", by),
            Column::new("reason", "Why", |row| reason(&row.activity)),
            Column::new("created_at", "When", |row| Cell::Moment(row.activity.created_at)),
            Column::extra("detail", "Detail", |row| Cell::Text(row.activity.detail.to_string())),
            Column::extra("uuid", "Id", |row| Cell::Code(row.activity.uuid.to_string())),
            Column::extra("hash", "Hash", |row| Cell::Code(row.activity.hash.clone())),
        ]
    }

    async fn sections(&self, _ctx: &AppContext, row: &Row) -> Result<Vec<Section>> {
        let Row { activity, .. } = row;
        let facts = vec![
            ("What", Cell::text(&activity.activity_type)),
            ("About", about(activity)),
            ("By", by(row)),
            ("Door", Cell::text(&activity.actor_type)),
            ("Why", reason(activity)),
            ("When", Cell::Moment(activity.created_at)),
            ("Id", Cell::Code(activity.uuid.to_string())),
            ("Hash", Cell::Code(activity.hash.clone())),
            ("Hash of the one before", Cell::Code(activity.previous_hash.clone())),
        ];
        let detail = serde_json::to_string_pretty(&activity.detail)?;
        Ok(vec![Section::facts("facts", "What happened", facts), Section::verbatim("detail", "Detail", detail)])
    }
}

/// What activities are about.
const KINDS: [&str; 10] =
    ["user", "allowance", "debt", "subscription", "invoice", "run", "provider_key", "proxy", "job", "incident"];

fn is_person(row: &Model) -> bool {
    ["user", "admin"].contains(&row.actor_type.as_str())
}

/// The page about what an activity is about, where it has one.
fn about(row: &Model) -> Cell {
    let words = format!("{} {}", words_of(&row.resource_type), row.resource_id);
    let path = match row.resource_type.as_str() {
        "user" => "users",
        "subscription" => "subscriptions",
        "invoice" => "payments",
        "run" => "generations",
        "provider_key" => "keys",
        "proxy" => "proxies",
        "job" => "jobs",
        _ => return Cell::text(words),
    };
    Cell::link(words, format!("/admin/{path}/{}", row.resource_id))
}

fn by(row: &Row) -> Cell {
    match (&row.by, is_person(&row.activity)) {
        (Some(email), _) => Cell::link(email, format!("/admin/users/{}", row.activity.actor_id)),
        (None, true) => {
            Cell::link(format!("user {}", row.activity.actor_id), format!("/admin/users/{}", row.activity.actor_id))
        }
        (None, false) => Cell::text(format!("{}:{}", row.activity.actor_type, row.activity.actor_id)),
    }
}

fn reason(row: &Model) -> Cell {
    row.detail.get("reason").and_then(|reason| reason.as_str()).map_or(Cell::Nothing, Cell::text)
}

/// What was done to one thing, on the page about it.
pub(super) fn section(rows: &[Model], kind: &str, id: i64) -> Section {
    let line = |row: &Model| {
        vec![
            Cell::link(words_of(&row.activity_type), format!("/admin/activities/{}", row.id)),
            Cell::text(format!("{}:{}", row.actor_type, row.actor_id)),
            reason(row),
            Cell::Moment(row.created_at),
        ]
    };
    let heads = vec!["What", "By", "Why", "When"];
    Section::table("activities", "What was done", heads, rows.iter().map(line).collect(), "Nothing yet.")
        .leading_to("All of it", format!("/admin/activities?row={kind}:{id}"))
}
