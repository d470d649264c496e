//! Plans: one line per person who ever had one. How it stands is what the clock says of the months that were given.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    prelude::DateTimeUtc,
    sea_query::{Expr, ExprTrait, SelectStatement},
};

use super::{
    description::{About, Action, Cell, Column, Doing, Field, Kind, Outcome, Section, Tone},
    resource::Describe,
};
use crate::models::{
    _entities::{
        allowances as months,
        subscriptions::{self as rows, Model},
        users as user_rows,
    },
    activities, allowances, clock,
    listing::{By, Spec, words_of},
    subscriptions::{self, ByHand},
    text, users,
};

/// A plan that ends within so many days is about to end.
const SOON: TimeDelta = TimeDelta::days(7);

/// Given at once.
const DAYS_MAX: i64 = 366;

const SHOWN: u64 = 20;

pub struct Subscriptions;

/// A plan, whose it is, and until when it is paid for.
pub struct Row {
    plan: Model,
    email: Option<String>,
    until: Option<DateTimeUtc>,
    is_active: bool,
}

#[async_trait]
impl Describe for Subscriptions {
    type Entity = rows::Entity;
    type Row = Row;

    fn about(&self) -> About {
        About {
            path: "subscriptions",
            title: "Subscriptions",
            one: "subscription",
            text: "Nothing renews by itself: a plan runs as long as its paid months do.",
            icon: "repeat",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use rows::Column as C;
        Spec::new()
            .search(
                "user",
                By::Elsewhere(|word, _| {
                    let who = user_rows::Entity::find()
                        .select_only()
                        .column(user_rows::Column::Id)
                        .filter(user_rows::Column::Email.eq(users::normalized(word)));
                    let theirs = rows::Entity::find().select_only().column(C::Id);
                    theirs.filter(C::UserId.in_subquery(who.into_query())).into_query()
                }),
            )
            .scope("active", "Active", |now| Condition::all().add(Expr::exists(running(now))))
            .scope("soon", "Ends within 7 days", |now| {
                Condition::all().add(C::UserId.in_subquery(ending(now))).add(Expr::exists(beyond(now + SOON)).not())
            })
            .scope("over", "Over", |now| Condition::all().add(Expr::exists(beyond(now)).not()))
            .filter("user", "User", [], |word| Some(C::UserId.eq(word.parse::<i64>().ok()?).into()))
    }

    async fn dress(&self, ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Row>> {
        let now = clock::now(&ctx.db).await?;
        let people = || rows.iter().map(|plan| plan.user_id);
        let emails = users::emails(&ctx.db, people()).await?;
        let mut until: HashMap<i64, (DateTimeUtc, bool)> = HashMap::new();
        let theirs = months::Entity::find()
            .filter(months::Column::UserId.is_in(people()))
            .filter(months::Column::Kind.eq(text(allowances::Kind::Quota)));
        for month in theirs.all(&ctx.db).await? {
            let Some(end) = month.ended_at() else { continue };
            let runs = month.closed(now).is_none() && month.starts_at <= now;
            let known = until.entry(month.user_id).or_insert((end, runs));
            *known = (std::cmp::max(known.0, end), known.1 || runs);
        }
        let row = |plan: Model| {
            let end = until.get(&plan.user_id);
            Row {
                email: emails.get(&plan.user_id).cloned(),
                until: end.map(|(end, _)| *end),
                is_active: end.is_some_and(|(_, runs)| *runs),
                plan,
            }
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn id(&self, row: &Row) -> i64 {
        row.plan.id
    }

    fn name(&self, row: &Row) -> String {
        format!("Plan of {}", who(row))
    }

    fn typed(&self, row: &Row) -> String {
        who(row)
    }

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            Column::new("user", "User", |row: &Row| {
                Cell::link(who(row), format!("/admin/subscriptions/{}", row.plan.id))
            }),
            Column::new("state", "State", state),
            Column::new("plan", "Plan", |row| Cell::text(words_of(&row.plan.plan_code))),
            Column::new("since", "Since", |row| Cell::Moment(row.plan.activated_at)),
            Column::new("until", "Paid until", |row| Cell::moment(row.until)),
            Column::extra("pid", "Id", |row| Cell::Code(row.plan.pid.to_string())),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Row) -> Result<Vec<Section>> {
        let plan = &row.plan;
        let now = clock::now(&ctx.db).await?;
        let facts = vec![
            ("State", state(row)),
            ("User", Cell::link(who(row), format!("/admin/users/{}", plan.user_id))),
            ("Plan", Cell::text(words_of(&plan.plan_code))),
            ("Since", Cell::Moment(plan.activated_at)),
            ("Paid until", Cell::moment(row.until)),
            ("Id", Cell::Code(plan.pid.to_string())),
        ];
        let mut months = allowances::all_of(&ctx.db, plan.user_id).await?;
        months.retain(|month| month.kind() == allowances::Kind::Quota);
        months.reverse();
        let months = months.iter().map(|month| {
            let (word, tone) = match month.closed(now) {
                Some(allowances::Closed::Ended) => ("Over", Tone::Plain),
                Some(allowances::Closed::Revoked) => ("Taken back", Tone::Warning),
                None if month.starts_at > now => ("Begins later", Tone::Busy),
                None => ("Runs", Tone::Good),
            };
            vec![
                Cell::State(word.into(), tone),
                Cell::Moment(month.starts_at),
                Cell::moment(month.ended_at()),
                Cell::Number(month.granted),
                Cell::Number(month.available),
                Cell::Code(month.source.clone()),
            ]
        });
        let done = activities::latest_about(&ctx.db, "subscription", plan.id, SHOWN).await?;
        Ok(vec![
            Section::facts("facts", "How it stands", facts),
            Section::table(
                "months",
                "Months",
                vec!["State", "From", "Until", "Pictures", "Free", "Source"],
                months.collect(),
                "There was no month yet.",
            ),
            super::activities::section(&done, "subscription", plan.id),
        ])
    }

    fn actions(&self) -> Vec<Action<Row>> {
        vec![
            Action::new("extension", "Give days", "calendar-clock", |doing| Box::pin(extend(doing)))
                .when(|row: &Row| row.is_active)
                .with(|_, _, _| Box::pin(async { Ok(vec![Field::new("days", "Days", Kind::Number).value("7")]) }))
                .asking_why()
                .following(|_| {
                    vec![
                        "The running month ends so much later; a month that waits begins and ends as much later."
                            .into(),
                        "The number of pictures stays as it is.".into(),
                    ]
                })
                .done("The plan runs longer."),
            Action::new("cancellation", "End the plan", "x", |doing| Box::pin(cancel(doing)))
                .when(|row: &Row| row.is_active)
                .grave(|row: &Row| {
                    let until = row.until.map(|end| end.format("%-d %B %Y").to_string()).unwrap_or_default();
                    vec![
                        format!(
                            "All months that are paid for until {until} end now, and what is left of them with them."
                        ),
                        "What runs under way is delivered. Nothing is owed, and nothing is paid back.".into(),
                    ]
                })
                .for_good()
                .done("The plan has ended."),
        ]
    }
}

/// Months of the person in the row outside, that count and end after this moment.
fn beyond(moment: DateTimeUtc) -> SelectStatement {
    use months::Column as M;
    months::Entity::find()
        .select_only()
        .column(M::Id)
        .filter(Expr::col((months::Entity, M::UserId)).equals((rows::Entity, rows::Column::UserId)))
        .filter(M::Kind.eq(text(allowances::Kind::Quota)))
        .filter(M::RevokedAt.is_null())
        .filter(M::ExpiresAt.gt(moment))
        .into_query()
}

/// The same, and they have begun.
fn running(now: DateTimeUtc) -> SelectStatement {
    beyond(now).and_where(months::Column::StartsAt.lte(now)).take()
}

/// Whose months end soon.
fn ending(now: DateTimeUtc) -> SelectStatement {
    use months::Column as M;
    months::Entity::find()
        .select_only()
        .column(M::UserId)
        .filter(M::Kind.eq(text(allowances::Kind::Quota)))
        .filter(M::RevokedAt.is_null())
        .filter(M::ExpiresAt.gt(now))
        .filter(M::ExpiresAt.lte(now + SOON))
        .into_query()
}

fn who(row: &Row) -> String {
    row.email.clone().unwrap_or_else(|| format!("user {}", row.plan.user_id))
}

fn state(row: &Row) -> Cell {
    let (word, tone) = if row.is_active { ("Active", Tone::Good) } else { ("Over", Tone::Plain) };
    Cell::State(word.into(), tone)
}

async fn extend(doing: Doing<'_, Row>) -> Result<Outcome> {
    let Some(days) = doing.input.number("days").filter(|days| (1..=DAYS_MAX).contains(days)) else {
        return Ok(Outcome::invalid("days", "Between 1 and 366."));
    };
    let (id, reason) = (doing.row.plan.user_id, doing.input.reason());
    Ok(told(subscriptions::extend(doing.ctx, id, days, reason, doing.actor).await?))
}

async fn cancel(doing: Doing<'_, Row>) -> Result<Outcome> {
    Ok(told(subscriptions::cancel(doing.ctx, doing.row.plan.user_id, doing.input.reason(), doing.actor).await?))
}

fn told(outcome: ByHand) -> Outcome {
    match outcome {
        ByHand::Done => Outcome::Done,
        ByHand::NothingRuns => {
            Outcome::refused("Nothing was changed: no month runs. You can grant one on the user's page.")
        }
    }
}
