//! People: how their account stands, what they have exactly, and what operators do for them and to them.

mod deeds;
mod sections;

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::ColumnTrait;

use super::{
    description::{About, Action, Cell, Column, Doing, Section, Tone},
    notes,
    resource::Describe,
};
use crate::models::{
    _entities::users::{self as rows, Model},
    activities, clock,
    listing::{By, Spec, literal, words_of},
    subscriptions, text,
    users::Status,
};
use deeds::{
    activate, adjust, adjust_fields, appoint, block, carried, end_session, end_sessions, forgive, give_month, grant,
    grant_fields, role_fields, take_back, unblock,
};
use sections::{allowances_of, debts_of, invoices_of, ledger_of, runs_of, sessions_of, sign_ins_of};

/// Rows that the page about a person shows of each kind.
const SHOWN: u64 = 10;

pub struct Users;

#[async_trait]
impl Describe for Users {
    type Entity = rows::Entity;
    type Row = Model;

    fn about(&self) -> About {
        About {
            path: "users",
            title: "Users",
            one: "user",
            text: "Everybody with an account. What people wrote and made stays hidden.",
            icon: "users",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use rows::Column as C;
        Spec::new()
            .search("pid", By::Pid(C::Pid))
            .search("email", By::Address(C::Email))
            .scope("new", "New", |_| C::Status.eq(text(Status::New)).into())
            .scope("activated", "Activated", |_| C::Status.eq(text(Status::Activated)).into())
            .scope("blocked", "Blocked", |_| C::Status.eq(text(Status::Blocked)).into())
            .scope("staff", "Staff", |_| {
                literal("CASE WHEN role IN ('support', 'admin', 'owner') THEN 1 ELSE 0 END = 1")
            })
            .filter("role", "Role", ROLES.map(str::to_owned), |word| Some(C::Role.eq(word).into()))
    }

    async fn dress(&self, _ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Model>> {
        Ok(rows)
    }

    fn id(&self, row: &Model) -> i64 {
        row.id
    }

    fn name(&self, row: &Model) -> String {
        row.email.clone().unwrap_or_else(|| format!("User {}", row.id))
    }

    fn columns(&self) -> Vec<Column<Model>> {
        vec![
            Column::new("email", "Email", |row: &Model| {
                let name = row.email.clone().unwrap_or_else(|| format!("User {} (deleted)", row.id));
                Cell::link(name, format!("/admin/users/{}", row.id))
            }),
            Column::new("status", "Status", status),
            Column::new("role", "Role", |row| Cell::text(words_of(&row.role))),
            Column::new("created_at", "Registered", |row| Cell::Moment(row.created_at)),
            Column::new("activated_at", "Activated", |row| Cell::moment(row.activated_at)),
            Column::extra("id", "Number", |row| Cell::Number(row.id)),
            Column::extra("pid", "Id", |row| Cell::Code(row.pid.to_string())),
        ]
    }

    async fn sections(&self, ctx: &AppContext, user: &Model) -> Result<Vec<Section>> {
        let db = &ctx.db;
        let now = clock::now(db).await?;
        let cycles = subscriptions::cycles(db, user.id, now).await?;
        let plan = subscriptions::of(db, user.id).await?;
        let facts = vec![
            ("Status", status(user)),
            ("Role", Cell::text(words_of(&user.role))),
            (
                "Plan",
                match (&plan, cycles.state()) {
                    (Some(plan), subscriptions::State::Active) => Cell::link(
                        format!("{}, active", words_of(&plan.plan_code)),
                        format!("/admin/subscriptions/{}", plan.id),
                    ),
                    (Some(plan), _) => Cell::link(
                        format!("{}, over", words_of(&plan.plan_code)),
                        format!("/admin/subscriptions/{}", plan.id),
                    ),
                    (None, _) => Cell::text("never had one"),
                },
            ),
            ("Runs until", Cell::moment(cycles.running.as_ref().and_then(|month| month.expires_at))),
            ("Next month from", Cell::moment(cycles.queued.as_ref().map(|month| month.starts_at))),
            ("Registered", Cell::Moment(user.created_at)),
            ("Activated", Cell::moment(user.activated_at)),
            ("Deleted", Cell::moment(user.deleted_at)),
            (
                "Studio",
                match user.is_staff() || user.deleted_at.is_some() {
                    true => Cell::Nothing,
                    false => Cell::Deed("see what they see", format!("/admin/users/{}/view", user.id)),
                },
            ),
            ("Number", Cell::Number(user.id)),
            ("Id", Cell::Code(user.pid.to_string())),
        ];
        Ok(vec![
            Section::facts("facts", "The account", facts),
            notes::section(ctx, "user", user.id).await?,
            allowances_of(ctx, user).await?,
            debts_of(ctx, user).await?,
            ledger_of(ctx, user).await?,
            runs_of(ctx, user).await?,
            invoices_of(ctx, user).await?,
            sessions_of(ctx, user).await?,
            sign_ins_of(ctx, user).await?,
            super::activities::section(&activities::latest_about(db, "user", user.id, SHOWN).await?, "user", user.id),
        ])
    }

    fn actions(&self) -> Vec<Action<Model>> {
        vec![
            Action::new("activation", "Activate", "circle-check", |doing| Box::pin(activate(doing)))
                .when(|user: &Model| user.status() == Status::New && user.deleted_at.is_none())
                .done("The account is activated, with its free pictures.")
                .bulk(),
            Action::new("note", "Write a note", "message-square", |doing: Doing<'_, Model>| {
                Box::pin(notes::write(doing.ctx, ("user", doing.row.id), doing.input, doing.actor))
            })
            .with(|_, _, _| Box::pin(async { Ok(notes::fields()) }))
            .done("The note is written."),
            Action::new("grant", "Grant something", "plus", |doing| Box::pin(grant(doing)))
                .when(|user: &Model| user.deleted_at.is_none())
                .with(|_, _, _| Box::pin(async { Ok(grant_fields()) }))
                .asking_why()
                .done("It is granted."),
            Action::new("month", "Give a month of the plan", "calendar-clock", |doing| Box::pin(give_month(doing)))
                .when(|user: &Model| user.deleted_at.is_none())
                .asking_why()
                .following(|_| vec!["A whole month with all its pictures: at once, or behind what runs or waits.".into()])
                .done("The month is given."),
            Action::new("role", "Change the role", "users", |doing| Box::pin(appoint(doing)))
                .when(|user: &Model| user.status() == Status::Activated)
                .for_owners()
                .grave(|_| {
                    vec![
                        "Support looks at these pages and changes nothing. Admins change what the business needs changed. Owners say who else may.".into(),
                        "Who becomes an ordinary user again loses the second factor too.".into(),
                    ]
                })
                .with(|_, user, _| role_fields(user))
                .done("The role is changed."),
            Action::new("block", "Block", "x", |doing| Box::pin(block(doing)))
                .when(|user: &Model| user.status() != Status::Blocked)
                .grave(|_| {
                    vec![
                        "Every session ends with the next request, and every mailed link stops working.".into(),
                        "Nothing new starts. What is queued or running goes on to its end; the pictures stay.".into(),
                        "The plan goes on by the clock: days that pass are not given back by themselves.".into(),
                    ]
                })
                .done("The account is blocked.")
                .bulk(),
            Action::new("unblocking", "Lift the block", "undo-2", |doing| Box::pin(unblock(doing)))
                .when(|user: &Model| user.status() == Status::Blocked && user.deleted_at.is_none())
                .asking_why()
                .following(|_| vec!["The account is what it was before. Sessions that were ended stay ended.".into()])
                .done("The block is lifted.")
                .bulk(),
            Action::new("sessions", "End all sessions", "log-out", |doing| Box::pin(end_sessions(doing)))
                .when(|user: &Model| user.deleted_at.is_none())
                .asking_why()
                .following(|_| vec!["Every browser has to sign in again.".into()])
                .done("All sessions have ended."),
            Action::new("session", "End this session", "log-out", |doing| Box::pin(end_session(doing)))
                .inner()
                .with(|_, _, input| carried("session", input))
                .asking_why()
                .done("The session has ended."),
            Action::new("adjustment", "Adjust", "sliders-horizontal", |doing| Box::pin(adjust(doing)))
                .inner()
                .with(adjust_fields)
                .asking_why()
                .done("The balance is adjusted."),
            Action::new("revocation", "Take back", "undo-2", |doing| Box::pin(take_back(doing)))
                .inner()
                .with(|_, _, input| carried("allowance", input))
                .grave(|_| {
                    vec![
                        "What is free of it is gone at once; what runs under way hold goes when they end.".into(),
                        "What was used becomes a debt: nothing new starts until it is paid or let go.".into(),
                    ]
                })
                .for_good()
                .done("The allowance is taken back."),
            Action::new("forgiveness", "Let it go", "check", |doing| Box::pin(forgive(doing)))
                .inner()
                .with(|_, _, input| carried("debt", input))
                .grave(|_| vec!["What is left of the debt is gone; the person can start again.".into()])
                .for_good()
                .done("The debt is let go."),
        ]
    }
}

const ROLES: [&str; 4] = ["user", "support", "admin", "owner"];

fn status(user: &Model) -> Cell {
    let (word, tone) = match (user.status(), user.deleted_at.is_some()) {
        (_, true) => ("Deleted", Tone::Plain),
        (Status::New, false) => ("New", Tone::Busy),
        (Status::Activated, false) => ("Activated", Tone::Good),
        (Status::Blocked, false) => ("Blocked", Tone::Bad),
    };
    Cell::State(word.into(), tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_knows_every_role() {
        use crate::models::users::Role;
        use sea_orm::Iterable;
        assert_eq!(Role::iter().map(text).collect::<Vec<_>>(), ROLES);
    }
}
