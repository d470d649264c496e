//! Jobs: what waits, what runs, and what was given up.

use async_trait::async_trait;
use durable_jobs::{
    CANCELLED,
    entity::job::{self as rows, Model, State},
};
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, Condition};

use super::{
    description::{About, Action, Cell, Column, Doing, Outcome, Section, Tone},
    resource::Describe,
};
use crate::models::{
    activities, jobs,
    listing::{By, Spec},
};

const SHOWN: u64 = 20;

pub struct Jobs;

#[async_trait]
impl Describe for Jobs {
    type Entity = rows::Entity;
    type Row = Model;

    fn about(&self) -> About {
        About {
            path: "jobs",
            title: "Jobs",
            one: "job",
            text: "A dead job was tried as often as it may be. It stays until somebody retries or discards it.",
            icon: "list-checks",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use rows::Column as C;
        fn is(state: State) -> Condition {
            C::State.eq(state).into()
        }
        Spec::new()
            .search("class", By::Word(C::Class))
            .scope("queued", "Waiting", |_| is(State::Queued))
            .scope("running", "Running", |_| is(State::Running))
            .scope("dead", "Dead", |_| is(State::Dead))
            .scope("done", "Done", |_| is(State::Done))
            .filter("class", "Class", [], |word| Some(C::Class.eq(word).into()))
    }

    async fn dress(&self, _ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Model>> {
        Ok(rows)
    }

    fn id(&self, row: &Model) -> i64 {
        row.id
    }

    fn name(&self, row: &Model) -> String {
        format!("{} {}", row.class, row.id)
    }

    fn columns(&self) -> Vec<Column<Model>> {
        vec![
            Column::new("job", "Job", |row: &Model| {
                Cell::link(format!("{} {}", row.class, row.id), format!("/admin/jobs/{}", row.id))
            }),
            Column::new("state", "State", state),
            Column::new("args", "For", |row| Cell::Code(row.args.clone())),
            Column::new("attempts", "Tries", |row| Cell::text(format!("{} of {}", row.attempts, row.max_attempts))),
            Column::new("last_error", "Last error", |row| Cell::maybe(row.last_error.as_ref())),
            Column::new("run_at", "Due", |row| Cell::Moment(row.run_at)),
            Column::extra("created_at", "Made", |row| Cell::Moment(row.created_at)),
            Column::extra("finished_at", "Over", |row| Cell::moment(row.finished_at)),
            Column::extra("queue", "Queue", |row| Cell::text(&row.queue)),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Model) -> Result<Vec<Section>> {
        let facts = vec![
            ("State", state(row)),
            ("Class", Cell::link(&row.class, format!("/admin/jobs?class={}", row.class))),
            ("Queue", Cell::text(&row.queue)),
            ("Tries", Cell::text(format!("{} of {}", row.attempts, row.max_attempts))),
            ("Due", Cell::Moment(row.run_at)),
            ("Runs at", Cell::maybe(row.lease_owner.as_ref())),
            ("Taken until", Cell::moment(row.lease_expires_at)),
            ("Made", Cell::Moment(row.created_at)),
            ("Over", Cell::moment(row.finished_at)),
            ("Only one of", Cell::maybe(row.dedupe_key.as_ref())),
        ];
        let done = activities::latest_about(&ctx.db, "job", row.id, SHOWN).await?;
        Ok(vec![
            Section::facts("facts", "How it stands", facts),
            Section::verbatim("args", "What it is given", row.args.clone()),
            Section::verbatim("error", "Last error", row.last_error.clone().unwrap_or_else(|| "None.".into())),
            super::activities::section(&done, "job", row.id),
        ])
    }

    fn actions(&self) -> Vec<Action<Model>> {
        vec![
            Action::new("retrial", "Retry", "refresh-cw", |doing| Box::pin(retry(doing)))
                .when(|row: &Model| row.state == State::Dead)
                .following(|_| vec!["It gets all its tries again, beginning now.".into()])
                .done("The job waits for its turn again.")
                .bulk(),
            Action::new("discard", "Discard", "trash-2", |doing| Box::pin(discard(doing)))
                .when(|row: &Model| match row.state {
                    State::Queued => true,
                    State::Dead => row.last_error.as_deref() != Some(CANCELLED),
                    State::Running | State::Done => false,
                })
                .grave(|_| vec!["What it was to do is not done. Nothing else does it in its place.".into()])
                .for_good()
                .done("The job is discarded.")
                .bulk(),
        ]
    }
}

fn state(row: &Model) -> Cell {
    let (word, tone) = match (row.state, row.last_error.as_deref()) {
        (State::Queued, _) => ("Waiting", Tone::Busy),
        (State::Running, _) => ("Running", Tone::Busy),
        (State::Done, _) => ("Done", Tone::Good),
        (State::Dead, Some(CANCELLED)) => ("Discarded", Tone::Plain),
        (State::Dead, _) => ("Dead", Tone::Bad),
    };
    Cell::State(word.into(), tone)
}

async fn retry(doing: Doing<'_, Model>) -> Result<Outcome> {
    Ok(if jobs::retry(doing.ctx, doing.row.id, doing.actor).await? {
        Outcome::Done
    } else {
        Outcome::refused("Nothing was changed: it is not dead any more, or the same work is under way in another job.")
    })
}

async fn discard(doing: Doing<'_, Model>) -> Result<Outcome> {
    Ok(if jobs::discard(doing.ctx, doing.row.id, doing.input.reason(), doing.actor).await? {
        Outcome::Done
    } else {
        Outcome::refused("Nothing was changed: it runs just now, or is over.")
    })
}
