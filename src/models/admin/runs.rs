//! Generations, launch by launch: what was tried on which key and what came of it. What a person wrote and got is theirs:
//! it stays hidden until somebody asks for it, says why, and is written down.

use std::collections::HashMap;

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, IntoSimpleExpr, JoinType, Order, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, RelationTrait, sea_query::SelectStatement,
};

use super::{
    description::{About, Action, Body, Cell, Column, Doing, Outcome, Section, Tone},
    resource::Describe,
};
use crate::adapters::images::Output;
use crate::models::{
    _entities::{generations, runs, users as user_rows},
    attempts, holds,
    listing::{self, By, Spec, words_of},
    outputs,
    provider_keys::labels,
    runs::{Model, Reason, State, reveal},
    text, users,
};

pub struct Runs;

/// A run, what it was to make, and whose it is.
pub struct Row {
    run: Model,
    generation: Option<generations::Model>,
    email: Option<String>,
}

#[async_trait]
impl Describe for Runs {
    type Entity = runs::Entity;
    type Row = Row;

    fn about(&self) -> About {
        About {
            path: "generations",
            title: "Generations",
            one: "generation",
            text: "One line per launch. Prompts and pictures stay hidden until you ask for them.",
            icon: "images",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use runs::Column as C;
        let reasons = [
            Reason::RefusedPrompt,
            Reason::RefusedOutput,
            Reason::Recitation,
            Reason::BadInput,
            Reason::Empty,
            Reason::Unavailable,
            Reason::Deadline,
            Reason::Storage,
            Reason::Source,
        ];
        Spec::new()
            .search("run", By::Pid(C::Pid))
            .search("user", By::Elsewhere(of_address))
            .scope("live", "Under way", |_| C::State.is_in([text(State::Queued), text(State::Running)]).into())
            .scope("succeeded", "Succeeded", |_| C::State.eq(text(State::Succeeded)).into())
            .scope("failed", "Failed", |_| C::State.eq(text(State::Failed)).into())
            .scope("canceled", "Canceled", |_| C::State.eq(text(State::Canceled)).into())
            .filter("failure", "Why it failed", reasons.map(text), |word| Some(C::Failure.eq(word).into()))
            .filter("user", "User", [], |word| {
                let of = generations::Column::UserId.eq(word.parse::<i64>().ok()?);
                let theirs = generations::Entity::find().select_only().column(generations::Column::Id).filter(of);
                Some(C::GenerationId.in_subquery(theirs.into_query()).into())
            })
    }

    async fn dress(&self, ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Row>> {
        let ids: Vec<i64> = rows.iter().map(|run| run.generation_id).collect();
        let asked = listing::rows::<generations::Entity>(&ctx.db, &ids).await?;
        let emails = users::emails(&ctx.db, asked.iter().map(|generation| generation.user_id)).await?;
        let asked: HashMap<i64, generations::Model> = asked.into_iter().map(|it| (it.id, it)).collect();
        let row = |run: Model| {
            let generation = asked.get(&run.generation_id).cloned();
            let email = generation.as_ref().and_then(|it| emails.get(&it.user_id).cloned());
            Row { run, generation, email }
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn id(&self, row: &Row) -> i64 {
        row.run.id
    }

    fn name(&self, row: &Row) -> String {
        format!("Run {}", row.run.id)
    }

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            Column::new("run", "Run", |row: &Row| {
                Cell::link(format!("Run {}", row.run.id), format!("/admin/generations/{}", row.run.id))
            }),
            Column::new("state", "State", |row| state(&row.run)),
            Column::new("failure", "Why", |row| {
                row.run.failure.as_deref().map_or(Cell::Nothing, |it| Cell::text(words_of(it)))
            }),
            Column::new("user", "User", person),
            Column::new("model", "Model", |row| {
                row.generation.as_ref().map_or(Cell::Nothing, |it| Cell::text(&it.model))
            }),
            Column::new("pictures", "Pictures", |row| {
                Cell::text(format!("{} of {}", row.run.outputs_delivered, row.run.outputs_requested))
            }),
            Column::new("created_at", "When", |row| Cell::Moment(row.run.created_at)),
            Column::extra("pid", "Id", |row| Cell::Code(row.run.pid.to_string())),
            Column::extra("started_at", "Started", |row| Cell::moment(row.run.started_at)),
            Column::extra("finished_at", "Finished", |row| Cell::moment(row.run.finished_at)),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Row) -> Result<Vec<Section>> {
        let run = &row.run;
        let took = run.finished_at.map(|end| (end - run.started_at.unwrap_or(run.created_at)).num_milliseconds());
        let mut facts = vec![
            ("State", state(run)),
            ("Why", run.failure.as_deref().map_or(Cell::Nothing, |it| Cell::text(words_of(it)))),
            ("User", person(row)),
            ("Pictures", Cell::text(format!("{} of {}", run.outputs_delivered, run.outputs_requested))),
            ("Asked for", Cell::Moment(run.created_at)),
            ("Started", Cell::moment(run.started_at)),
            ("Finished", Cell::moment(run.finished_at)),
            ("Took", took.map_or(Cell::Nothing, |ms| Cell::text(seconds(ms)))),
            ("Id", Cell::Code(run.pid.to_string())),
        ];
        if let Some(generation) = &row.generation {
            facts.push(("Model", Cell::text(&generation.model)));
            facts.push(("Mode", Cell::text(words_of(&generation.mode))));
            facts.push(("Launch", Cell::Number(run.number)));
        }
        if let Some(hold) = holds::of_run(&ctx.db, run.id).await? {
            facts.push(("Paid with", Cell::text(format!("allowance {}", hold.allowance_id))));
            facts.push(("Set aside", Cell::Number(hold.amount)));
            facts.push(("Taken", Cell::Number(hold.captured_amount)));
        }
        let calls = attempts::of_run(&ctx.db, run.id).await?;
        let keys = labels(&ctx.db, calls.iter().map(|call| call.provider_key_id)).await?;
        let timeline = calls.iter().map(|call| {
            let label = keys.get(&call.provider_key_id).cloned().unwrap_or_default();
            let mut cells = vec![
                Cell::Moment(call.created_at),
                Cell::Number(call.position),
                Cell::link(label, format!("/admin/keys/{}", call.provider_key_id)),
            ];
            cells.extend(ending(call));
            cells
        });
        let places = outputs::of_runs(&ctx.db, vec![run.id]).await?;
        let places = places.iter().map(|place| {
            let tone = match place.state() {
                outputs::State::Waiting => Tone::Busy,
                outputs::State::Done => Tone::Good,
                outputs::State::Failed => Tone::Bad,
            };
            vec![
                Cell::Number(place.position),
                Cell::State(words_of(&place.state), tone),
                place.failure.as_deref().map_or(Cell::Nothing, |it| Cell::text(words_of(it))),
                Cell::moment(place.finished_at),
            ]
        });
        Ok(vec![
            Section::facts("facts", "What happened", facts),
            Section::table(
                "timeline",
                "Attempts",
                vec!["When", "Picture", "Key", "Way", "Outcome", "Took", "Cost", "The provider said"],
                timeline.collect(),
                "No key was called.",
            )
            .saying("Each call of a key, in order."),
            Section::table(
                "pictures",
                "Pictures",
                vec!["Picture", "State", "Why not", "When"],
                places.collect(),
                "No pictures were asked for.",
            ),
        ])
    }

    fn actions(&self) -> Vec<Action<Row>> {
        vec![
            Action::new("revelation", "Show prompt and pictures", "image", |doing| Box::pin(show(doing)))
                .asking_why()
                .following(|_| {
                    vec![
                        "What this person wrote and got is shown to you, once.".into(),
                        "That you looked, and why, stands in the audit log.".into(),
                    ]
                }),
        ]
    }
}

/// The latest runs of who has this mail address.
fn of_address(word: &str, _: DbBackend) -> SelectStatement {
    runs::Entity::find()
        .select_only()
        .column(runs::Column::Id)
        .join(JoinType::InnerJoin, runs::Relation::Generations.def())
        .join(JoinType::InnerJoin, generations::Relation::Users.def())
        .filter(user_rows::Column::Email.eq(users::normalized(word)))
        .order_by(runs::Column::Id.into_simple_expr(), Order::Desc)
        .into_query()
}

fn person(row: &Row) -> Cell {
    let Some(generation) = &row.generation else { return Cell::Nothing };
    let words = row.email.clone().unwrap_or_else(|| format!("user {}", generation.user_id));
    Cell::link(words, format!("/admin/users/{}", generation.user_id))
}

pub(super) fn state(run: &Model) -> Cell {
    let (word, tone) = match run.state() {
        State::Queued => ("Waiting", Tone::Busy),
        State::Running => ("Running", Tone::Busy),
        State::Succeeded => ("Succeeded", Tone::Good),
        State::Failed => ("Failed", Tone::Bad),
        State::Canceled => ("Canceled", Tone::Plain),
    };
    Cell::State(word.into(), tone)
}

fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// Way, outcome, time, cost, and what the provider said.
fn ending(call: &attempts::Model) -> [Cell; 5] {
    let tone = match call.outcome.as_str() {
        Output::CLASS => Tone::Good,
        attempts::OPEN => Tone::Busy,
        _ => Tone::Bad,
    };
    let status = call.http_status.map(|status| format!(" ({status})")).unwrap_or_default();
    [
        Cell::text(if call.via == "proxy" { "proxy" } else { "direct" }),
        Cell::State(format!("{}{status}", words_of(&call.outcome)), tone),
        call.latency_ms.map_or(Cell::Nothing, |ms| Cell::text(seconds(ms))),
        Cell::micros(call.cost_micros),
        Cell::maybe(call.detail.as_ref()),
    ]
}

/// A call on the page about its key.
pub(super) fn call_of_key(call: &attempts::Model) -> Vec<Cell> {
    let [way, outcome, took, cost, _] = ending(call);
    let run = Cell::link(format!("Run {}", call.run_id), format!("/admin/generations/{}", call.run_id));
    vec![Cell::Moment(call.created_at), run, way, outcome, took, cost]
}

/// The latest runs of a person, on their page.
pub(super) fn line(run: &Model) -> Vec<Cell> {
    vec![
        Cell::link(format!("Run {}", run.id), format!("/admin/generations/{}", run.id)),
        state(run),
        run.failure.as_deref().map_or(Cell::Nothing, |it| Cell::text(words_of(it))),
        Cell::text(format!("{} of {}", run.outputs_delivered, run.outputs_requested)),
        Cell::Moment(run.created_at),
    ]
}

async fn show(doing: Doing<'_, Row>) -> Result<Outcome> {
    let revealed = reveal(doing.ctx, &doing.row.run, doing.input.reason(), doing.actor).await?;
    let gone = if revealed.pictures.is_empty() { "There are no pictures, or they were deleted." } else { "" };
    Ok(Outcome::Shown(vec![
        Section::verbatim("prompt", "The prompt", revealed.prompt),
        Section {
            name: "revealed",
            title: "The pictures",
            text: gone.into(),
            body: Body::Pictures(
                revealed
                    .pictures
                    .into_iter()
                    .map(|(at, bytes)| ("image/jpeg".into(), bytes, format!("Picture {at}")))
                    .collect(),
            ),
            more: None,
        },
    ]))
}
