//! What is done to a person, each by a verb that the other doors call too.

use chrono::Months;
use futures::future::BoxFuture;
use loco_rs::{Result, app::AppContext};
use uuid::Uuid;

use super::{Model, ROLES};
use crate::models::{
    activities,
    admin::description::{Doing, Field, Input, Kind, Outcome},
    allowances::{self, AMOUNT_MAX, Adjustment, Closed, Revocation},
    debts::{self, Forgiveness},
    listing::words_of,
    sessions, subscriptions, text,
    users::{self, Appointment, Blocking, Role},
};

/// A grant lasts so many months at most.
const MONTHS_MAX: i64 = 24;

const ABOVE: &str = "Nothing was changed: they stand above you. Ask an owner to do it.";

const LAST_OWNER: &str = "Nothing was changed: this is the only owner, and somebody has to own the place. Make somebody \
                          else owner first.";

pub(super) async fn activate(doing: Doing<'_, Model>) -> Result<Outcome> {
    let user = users::activate_by_hand(doing.ctx, doing.row.email(), doing.actor).await?;
    Ok(told(user.is_some()))
}

pub(super) async fn block(doing: Doing<'_, Model>) -> Result<Outcome> {
    if *doing.actor == activities::Actor::Admin(doing.row.id) {
        return Ok(Outcome::refused("You cannot block yourself."));
    }
    Ok(match users::block_by_rank(doing.ctx, doing.row.id, doing.input.reason(), doing.actor).await? {
        Blocking::Blocked => Outcome::Done,
        Blocking::Above => Outcome::refused(ABOVE),
        Blocking::LastOwner => Outcome::refused(LAST_OWNER),
        Blocking::Nobody => told(false),
    })
}

pub(super) async fn unblock(doing: Doing<'_, Model>) -> Result<Outcome> {
    let user = users::unblock(doing.ctx, doing.row.email(), doing.input.reason(), doing.actor).await?;
    Ok(told(user.is_some()))
}

pub(super) async fn give_month(doing: Doing<'_, Model>) -> Result<Outcome> {
    let given = subscriptions::give_month(doing.ctx, doing.row.email(), doing.input.reason(), doing.actor).await?;
    Ok(told(given.is_some()))
}

pub(super) fn role_fields(user: &Model) -> BoxFuture<'_, Result<Vec<Field>>> {
    Box::pin(async move {
        let roles = ROLES.map(|role| (role.to_owned(), words_of(role)));
        Ok(vec![Field::new("role", "Role", Kind::Choice(roles.into())).value(&user.role)])
    })
}

pub(super) async fn appoint(doing: Doing<'_, Model>) -> Result<Outcome> {
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

pub(super) async fn end_sessions(doing: Doing<'_, Model>) -> Result<Outcome> {
    if doing.row.is_above(&doing.ctx.db, doing.actor).await? {
        return Ok(Outcome::refused(ABOVE));
    }
    sessions::revoke_all_by_hand(doing.ctx, doing.row, doing.input.reason(), doing.actor).await?;
    Ok(Outcome::Done)
}

pub(super) async fn end_session(doing: Doing<'_, Model>) -> Result<Outcome> {
    let Ok(pid) = doing.input.text("session").parse::<Uuid>() else {
        return Ok(Outcome::refused("There is no such session."));
    };
    if doing.row.is_above(&doing.ctx.db, doing.actor).await? {
        return Ok(Outcome::refused(ABOVE));
    }
    let ended = sessions::revoke_by_hand(doing.ctx, doing.row, pid, doing.input.reason(), doing.actor).await?;
    Ok(if ended { Outcome::Done } else { Outcome::refused("That session has ended already.") })
}

/// What the link to the form says, carried along.
pub(super) fn carried<'a>(name: &'static str, input: &'a Input) -> BoxFuture<'a, Result<Vec<Field>>> {
    Box::pin(async move { Ok(vec![Field::new(name, "", Kind::Hidden).value(input.text(name))]) })
}

pub(super) fn grant_fields() -> Vec<Field> {
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

pub(super) async fn grant(doing: Doing<'_, Model>) -> Result<Outcome> {
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

pub(super) fn adjust_fields<'a>(
    _: &'a AppContext,
    _: &'a Model,
    input: &'a Input,
) -> BoxFuture<'a, Result<Vec<Field>>> {
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

pub(super) async fn adjust(doing: Doing<'_, Model>) -> Result<Outcome> {
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

pub(super) async fn take_back(doing: Doing<'_, Model>) -> Result<Outcome> {
    let Some(allowance) = theirs(&doing).await? else { return Ok(Outcome::refused("There is no such allowance.")) };
    let revoked = allowances::revoke_by_hand(doing.ctx, allowance.id, doing.input.reason(), doing.actor).await?;
    Ok(match revoked {
        Revocation::Revoked(_) => Outcome::Done,
        Revocation::AlreadyRevoked => Outcome::refused("It was taken back before."),
        Revocation::Unknown => Outcome::refused("There is no such allowance."),
    })
}

pub(super) async fn forgive(doing: Doing<'_, Model>) -> Result<Outcome> {
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
