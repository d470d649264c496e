//! People: how their account stands, what they have exactly, and what operators do for them and to them.

use async_trait::async_trait;
use chrono::Months;
use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};
use sea_orm::ColumnTrait;
use uuid::Uuid;

use super::{
    description::{About, Action, Cell, Column, Doing, Field, Input, Kind, Outcome, Section, Tone},
    resource::Describe,
};
use crate::models::{
    _entities::users::{self as rows, Model},
    activities,
    allowances::{self, AMOUNT_MAX, Adjustment, Closed, Revocation},
    auth_events, clock,
    debts::{self, Forgiveness},
    invoices, ledger_entries,
    listing::{By, Spec, words_of},
    notes, runs, sessions, subscriptions, text,
    users::{self, Appointment, Role, Status},
};

/// Rows that the page about a person shows of each kind.
const SHOWN: u64 = 10;
const ENTRIES: u64 = 50;

/// A grant lasts so many months at most.
const MONTHS_MAX: i64 = 24;

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
            .scope("staff", "Staff", |_| C::Role.is_in(STAFF).into())
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
                    false => Cell::link("see what they see", format!("/admin/users/{}/view", user.id)),
                },
            ),
            ("Number", Cell::Number(user.id)),
            ("Id", Cell::Code(user.pid.to_string())),
        ];
        Ok(vec![
            Section::facts("facts", "The account", facts),
            notes_of(ctx, user).await?,
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
            Action::new("note", "Write a note", "message-square", |doing| Box::pin(note(doing)))
                .with(|_, _, _| {
                    Box::pin(async {
                        let hint = "Operators read it. It cannot be changed, and stays when the account is deleted: no names, no addresses.";
                        Ok(vec![Field::new("text", "Note", Kind::Text).hint(hint)])
                    })
                })
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
                .done("The allowance is taken back."),
            Action::new("forgiveness", "Let it go", "check", |doing| Box::pin(forgive(doing)))
                .inner()
                .with(|_, _, input| carried("debt", input))
                .grave(|_| vec!["What is left of the debt is gone; the person can start again.".into()])
                .done("The debt is let go."),
        ]
    }
}

const STAFF: [&str; 3] = ["support", "admin", "owner"];
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

async fn notes_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let notes = notes::about(&ctx.db, "user", user.id, SHOWN).await?;
    let rows = notes.into_iter().map(|it| vec![Cell::text(it.text), Cell::text(it.actor), Cell::Moment(it.created_at)]);
    Ok(Section::table("notes", "Notes", vec!["Note", "By", "When"], rows.collect(), "Nobody wrote anything down."))
}

async fn allowances_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let now = clock::now(&ctx.db).await?;
    let mut all = allowances::all_of(&ctx.db, user.id).await?;
    all.reverse();
    let rows = all.into_iter().map(|it| {
        let closed = it.closed(now);
        let (word, tone) = match closed {
            Some(Closed::Ended) => ("Over", Tone::Plain),
            Some(Closed::Revoked) => ("Taken back", Tone::Warning),
            None if it.starts_at > now => ("Begins later", Tone::Busy),
            None => ("Counts", Tone::Good),
        };
        let (adjust, take_back) = match closed {
            None => (
                Cell::link("Adjust", format!("/admin/users/{}/adjustment?allowance={}", user.id, it.id)),
                Cell::link("Take back", format!("/admin/users/{}/revocation?allowance={}", user.id, it.id)),
            ),
            Some(Closed::Ended) => {
                let url = format!("/admin/users/{}/revocation?allowance={}", user.id, it.id);
                (Cell::Nothing, Cell::link("Take back", url))
            }
            Some(Closed::Revoked) => (Cell::Nothing, Cell::Nothing),
        };
        vec![
            Cell::text(format!("{} {}", words_of(&it.kind), it.id)),
            Cell::State(word.into(), tone),
            Cell::Number(it.granted),
            Cell::Number(it.available),
            Cell::Number(it.posted - it.available),
            Cell::Moment(it.starts_at),
            Cell::moment(it.ended_at()),
            Cell::Code(it.source),
            adjust,
            take_back,
        ]
    });
    let heads = vec!["What", "State", "Granted", "Free", "Held", "From", "Until", "Source", "", ""];
    Ok(Section::table("allowances", "Allowances", heads, rows.collect(), "There was nothing yet.")
        .saying("Exact numbers, newest first: pictures, or tokens."))
}

async fn debts_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let rows = debts::all_of(&ctx.db, user.id).await?.into_iter().map(|it| {
        let forgive = match it.outstanding {
            0 => Cell::Nothing,
            _ => Cell::link("Let it go", format!("/admin/users/{}/forgiveness?debt={}", user.id, it.id)),
        };
        vec![
            Cell::text(words_of(&it.unit)),
            Cell::Number(it.amount),
            Cell::Number(it.outstanding),
            Cell::Number(it.forgiven),
            Cell::text(it.reason),
            Cell::Moment(it.created_at),
            forgive,
        ]
    });
    let heads = vec!["Of", "Amount", "Still owed", "Let go", "Why", "Since", ""];
    Ok(Section::table("debts", "Debts", heads, rows.collect(), "Nothing is owed."))
}

async fn ledger_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let entries = ledger_entries::latest_of(&ctx.db, user.id, ENTRIES).await?;
    let rows = entries.into_iter().map(|it| {
        vec![
            Cell::Number(it.id),
            Cell::text(words_of(&it.kind)),
            Cell::Number(it.allowance_id),
            Cell::text(format!("{:+}", it.available_delta)),
            Cell::text(format!("{:+}", it.posted_delta)),
            Cell::Number(it.available_after),
            Cell::Number(it.posted_after),
            Cell::text(it.actor),
            Cell::text(it.reason),
            Cell::Moment(it.created_at),
        ]
    });
    let heads = vec!["Entry", "What", "Allowance", "Free", "All", "Free after", "All after", "By", "Why", "When"];
    Ok(Section::table("ledger", "Ledger", heads, rows.collect(), "Nothing has moved yet.")
        .saying(format!("The latest {ENTRIES} movements. Nobody can change or remove one.")))
}

async fn runs_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let latest = runs::latest_of(&ctx.db, user.id, SHOWN).await?;
    let heads = vec!["Run", "State", "Why", "Pictures", "When"];
    let rows = latest.iter().map(super::runs::line).collect();
    Ok(Section::table("runs", "Generations", heads, rows, "Nothing was made yet.")
        .leading_to("All of them", format!("/admin/generations?user={}", user.id)))
}

async fn invoices_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let mut latest = invoices::list(&ctx.db, user).await?;
    latest.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let heads = vec!["Invoice", "State", "Price", "Paid", "When"];
    let rows = latest.iter().map(super::invoices::line).collect();
    Ok(Section::table("invoices", "Invoices", heads, rows, "Nothing was to be paid yet.")
        .leading_to("All of them", format!("/admin/payments?user={}", user.id)))
}

async fn sessions_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let rows = sessions::of(&ctx.db, user).await?.into_iter().map(|it| {
        let end = it.pid.map_or(Cell::Nothing, |pid| {
            Cell::link("End it", format!("/admin/users/{}/session?session={pid}", user.id))
        });
        vec![
            Cell::text(it.user_agent),
            Cell::Code(it.ip),
            Cell::Moment(it.created_at),
            Cell::Moment(it.last_seen_at),
            end,
        ]
    });
    let heads = vec!["Browser", "Address", "Since", "Last seen", ""];
    Ok(Section::table("sessions", "Sessions", heads, rows.collect(), "Nobody is signed in."))
}

async fn sign_ins_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let rows = auth_events::sign_ins(&ctx.db, user, SHOWN).await?.into_iter();
    let rows = rows.map(|it| vec![Cell::Moment(it.created_at), Cell::Code(it.ip), Cell::text(it.user_agent)]);
    let heads = vec!["When", "Address", "Browser"];
    Ok(Section::table("sign-ins", "Sign-ins", heads, rows.collect(), "Nobody has signed in."))
}

async fn activate(doing: Doing<'_, Model>) -> Result<Outcome> {
    let user = users::activate_by_hand(doing.ctx, doing.row.email(), doing.actor).await?;
    Ok(told(user.is_some()))
}

async fn note(doing: Doing<'_, Model>) -> Result<Outcome> {
    let text = doing.input.text("text");
    if text.chars().count() > notes::TEXT_MAX {
        return Ok(Outcome::invalid("text", "At most 2,000 characters."));
    }
    notes::write(doing.ctx, ("user", doing.row.id), text, doing.actor).await?;
    Ok(Outcome::Done)
}

async fn block(doing: Doing<'_, Model>) -> Result<Outcome> {
    if *doing.actor == activities::Actor::Admin(doing.row.id) {
        return Ok(Outcome::refused("You cannot block yourself."));
    }
    let user = users::block(doing.ctx, doing.row.email(), doing.input.reason(), doing.actor).await?;
    Ok(told(user.is_some()))
}

async fn unblock(doing: Doing<'_, Model>) -> Result<Outcome> {
    let user = users::unblock(doing.ctx, doing.row.email(), doing.input.reason(), doing.actor).await?;
    Ok(told(user.is_some()))
}

async fn give_month(doing: Doing<'_, Model>) -> Result<Outcome> {
    let given = subscriptions::give_month(doing.ctx, doing.row.email(), doing.input.reason(), doing.actor).await?;
    Ok(told(given.is_some()))
}

fn role_fields(user: &Model) -> BoxFuture<'_, Result<Vec<Field>>> {
    Box::pin(async move {
        let roles = ROLES.map(|role| (role.to_owned(), words_of(role)));
        Ok(vec![Field::new("role", "Role", Kind::Choice(roles.into())).value(&user.role)])
    })
}

async fn appoint(doing: Doing<'_, Model>) -> Result<Outcome> {
    let Some(role) = Role::named(doing.input.text("role")) else {
        return Ok(Outcome::invalid("role", "This does not fit here."));
    };
    Ok(match users::change_role(doing.ctx, doing.row.id, role, doing.input.reason(), doing.actor).await? {
        Appointment::Changed(_) => Outcome::Done,
        Appointment::Same(_) => Outcome::refused("Nothing was changed: the role is this already."),
        Appointment::LastOwner => Outcome::refused("Nothing was changed: somebody has to own the place."),
        Appointment::NotOpen | Appointment::Nobody => Outcome::refused("Nothing was changed: the account is not open."),
    })
}

fn told(happened: bool) -> Outcome {
    if happened { Outcome::Done } else { Outcome::refused("There is no such account any more.") }
}

async fn end_sessions(doing: Doing<'_, Model>) -> Result<Outcome> {
    sessions::revoke_all_by_hand(doing.ctx, doing.row, doing.input.reason(), doing.actor).await?;
    Ok(Outcome::Done)
}

async fn end_session(doing: Doing<'_, Model>) -> Result<Outcome> {
    let Ok(pid) = doing.input.text("session").parse::<Uuid>() else {
        return Ok(Outcome::refused("There is no such session."));
    };
    let ended = sessions::revoke_by_hand(doing.ctx, doing.row, pid, doing.input.reason(), doing.actor).await?;
    Ok(if ended { Outcome::Done } else { Outcome::refused("That session has ended already.") })
}

/// What the link to the form says, carried along.
fn carried<'a>(name: &'static str, input: &'a Input) -> BoxFuture<'a, Result<Vec<Field>>> {
    Box::pin(async move { Ok(vec![Field::new(name, "", Kind::Hidden).value(input.text(name))]) })
}

fn grant_fields() -> Vec<Field> {
    let kinds = [allowances::Kind::Quota, allowances::Kind::Trial, allowances::Kind::Tokens].map(|kind| {
        let words = match kind {
            allowances::Kind::Quota => "A month of the plan (pictures)",
            allowances::Kind::Trial => "Free pictures",
            allowances::Kind::Tokens => "Tokens",
        };
        (text(kind), words.to_owned())
    });
    vec![
        Field::new("kind", "What", Kind::Choice(kinds.into())),
        Field::new("amount", "How many", Kind::Number).hint("Pictures, or tokens."),
        Field::new("months", "For how many months", Kind::Number).value("1").hint("Counts for the plan alone."),
    ]
}

async fn grant(doing: Doing<'_, Model>) -> Result<Outcome> {
    let kinds = [allowances::Kind::Quota, allowances::Kind::Trial, allowances::Kind::Tokens];
    let Some(kind) = kinds.into_iter().find(|kind| text(*kind) == doing.input.text("kind")) else {
        return Ok(Outcome::invalid("kind", "This does not fit here."));
    };
    let Some(amount) = doing.input.number("amount").filter(|amount| (1..=AMOUNT_MAX).contains(amount)) else {
        return Ok(Outcome::invalid("amount", "More than zero, and at most 1,000,000,000."));
    };
    let months = doing.input.number("months").filter(|months| (1..=MONTHS_MAX).contains(months));
    let Some(months) = months.and_then(|months| u32::try_from(months).ok()) else {
        return Ok(Outcome::invalid("months", "Between 1 and 24."));
    };
    let granted = allowances::grant_by_hand(
        doing.ctx,
        doing.row.email(),
        kind,
        amount,
        Months::new(months),
        doing.input.reason(),
        doing.actor,
    );
    Ok(told(granted.await?.is_some()))
}

fn adjust_fields<'a>(_: &'a AppContext, _: &'a Model, input: &'a Input) -> BoxFuture<'a, Result<Vec<Field>>> {
    Box::pin(async move {
        Ok(vec![
            Field::new("allowance", "", Kind::Hidden).value(input.text("allowance")),
            Field::new("by", "By", Kind::Number)
                .hint("More than zero adds, less takes away. What is free never falls below zero."),
        ])
    })
}

/// The allowance that a form names, if it is this person's.
async fn theirs(doing: &Doing<'_, Model>) -> Result<Option<allowances::Model>> {
    let Some(id) = doing.input.number("allowance") else { return Ok(None) };
    let allowance = allowances::by_id(&doing.ctx.db, id).await?;
    Ok(allowance.filter(|allowance| allowance.user_id == doing.row.id))
}

async fn adjust(doing: Doing<'_, Model>) -> Result<Outcome> {
    let Some(allowance) = theirs(&doing).await? else { return Ok(Outcome::refused("There is no such allowance.")) };
    let Some(by) = doing.input.number("by").filter(|by| *by != 0 && by.abs() <= AMOUNT_MAX) else {
        return Ok(Outcome::invalid("by", "A number other than zero."));
    };
    let adjusted = allowances::adjust_by_hand(doing.ctx, allowance.id, by, doing.input.reason(), doing.actor).await?;
    Ok(match adjusted {
        Adjustment::Adjusted(_) => Outcome::Done,
        Adjustment::BelowZero { free } => {
            Outcome::invalid("by", format!("Only {free} are free, so nothing was taken."))
        }
        Adjustment::Closed(Closed::Ended) => Outcome::refused("Its time is over: grant anew instead."),
        Adjustment::Closed(Closed::Revoked) => Outcome::refused("It was taken back: grant anew instead."),
        Adjustment::Unknown => Outcome::refused("There is no such allowance."),
    })
}

async fn take_back(doing: Doing<'_, Model>) -> Result<Outcome> {
    let Some(allowance) = theirs(&doing).await? else { return Ok(Outcome::refused("There is no such allowance.")) };
    let revoked = allowances::revoke_by_hand(doing.ctx, allowance.id, doing.input.reason(), doing.actor).await?;
    Ok(match revoked {
        Revocation::Revoked(_) => Outcome::Done,
        Revocation::AlreadyRevoked => Outcome::refused("It was taken back before."),
        Revocation::Unknown => Outcome::refused("There is no such allowance."),
    })
}

async fn forgive(doing: Doing<'_, Model>) -> Result<Outcome> {
    let id = doing.input.number("debt").unwrap_or_default();
    let theirs = debts::all_of(&doing.ctx.db, doing.row.id).await?.iter().any(|debt| debt.id == id);
    if !theirs {
        return Ok(Outcome::refused("There is no such debt."));
    }
    Ok(match debts::forgive_by_hand(doing.ctx, id, doing.input.reason(), doing.actor).await? {
        Forgiveness::Forgiven(_) => Outcome::Done,
        Forgiveness::AlreadyCleared => Outcome::refused("Nothing of it is left."),
        Forgiveness::Unknown => Outcome::refused("There is no such debt."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_knows_every_role() {
        use sea_orm::Iterable;
        assert_eq!(Role::iter().map(text).collect::<Vec<_>>(), ROLES);
    }
}
