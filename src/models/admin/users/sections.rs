//! The page about a person, part by part.

use loco_rs::{Result, app::AppContext};

use super::{Model, SHOWN};
use crate::models::{
    admin::description::{Cell, Section, Tone},
    allowances::{self, Closed},
    auth_events, clock, debts, invoices, ledger_entries,
    listing::words_of,
    runs, sessions,
};

/// Movements of the ledger that it shows.
const ENTRIES: u64 = 50;

pub(super) async fn allowances_of(ctx: &AppContext, user: &Model) -> Result<Section> {
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
                Cell::Deed("Adjust", format!("/admin/users/{}/adjustment?allowance={}", user.id, it.id)),
                Cell::Deed("Take back", format!("/admin/users/{}/revocation?allowance={}", user.id, it.id)),
            ),
            Some(Closed::Ended) => {
                let url = format!("/admin/users/{}/revocation?allowance={}", user.id, it.id);
                (Cell::Nothing, Cell::Deed("Take back", url))
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

pub(super) async fn debts_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let rows = debts::all_of(&ctx.db, user.id).await?.into_iter().map(|it| {
        let forgive = match it.outstanding {
            0 => Cell::Nothing,
            _ => Cell::Deed("Let it go", format!("/admin/users/{}/forgiveness?debt={}", user.id, it.id)),
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

pub(super) async fn ledger_of(ctx: &AppContext, user: &Model) -> Result<Section> {
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

pub(super) async fn runs_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let latest = runs::latest_of(&ctx.db, user.id, SHOWN).await?;
    let heads = vec!["Run", "State", "Why", "Pictures", "When"];
    let rows = latest.iter().map(crate::models::admin::runs::line).collect();
    Ok(Section::table("runs", "Generations", heads, rows, "Nothing was made yet.")
        .leading_to("All of them", format!("/admin/generations?user={}", user.id)))
}

pub(super) async fn invoices_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let mut latest = invoices::list(&ctx.db, user).await?;
    latest.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
    let heads = vec!["Invoice", "State", "Price", "Paid", "When"];
    let rows = latest.iter().map(crate::models::admin::invoices::line).collect();
    Ok(Section::table("invoices", "Invoices", heads, rows, "Nothing was to be paid yet.")
        .leading_to("All of them", format!("/admin/payments?user={}", user.id)))
}

pub(super) async fn sessions_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let rows = sessions::of(&ctx.db, user).await?.into_iter().map(|it| {
        let end = it.pid.map_or(Cell::Nothing, |pid| {
            Cell::Deed("End it", format!("/admin/users/{}/session?session={pid}", user.id))
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

pub(super) async fn sign_ins_of(ctx: &AppContext, user: &Model) -> Result<Section> {
    let rows = auth_events::sign_ins(&ctx.db, user, SHOWN).await?.into_iter();
    let rows = rows.map(|it| vec![Cell::Moment(it.created_at), Cell::Code(it.ip), Cell::text(it.user_agent)]);
    let heads = vec!["When", "Address", "Browser"];
    Ok(Section::table("sign-ins", "Sign-ins", heads, rows.collect(), "Nobody has signed in."))
}
