//! A person: what an operator needs to help them, to the unit. Nothing of what they wrote or made.

use std::fmt::Write;

use loco_rs::{Result, app::AppContext};

use super::words::{button, moment};
use crate::models::{
    allowances, clock, debts, invoices, runs, subscriptions, telegram_confirmations::Press, telegram_updates::Note,
    users,
};

/// Invoices on the page, each with a button.
const INVOICES: usize = 4;

pub async fn user(ctx: &AppContext, user: &users::Model) -> Result<Note> {
    let now = clock::now(&ctx.db).await?;
    let mut text = format!("{}\nid {}, {}, {}\n", user.email(), user.id, user.status, user.role);
    let _ = writeln!(text, "Since {}", moment(&user.created_at));
    let plan = match subscriptions::cycles(&ctx.db, user.id, now).await?.state() {
        subscriptions::State::Never => "none yet",
        subscriptions::State::Active => "running",
        subscriptions::State::Expired => "over",
    };
    let _ = writeln!(text, "Plan: {plan}");
    let current = allowances::current(&ctx.db, user.id).await?;
    for allowance in &current {
        let end = allowance.expires_at.map(|at| format!(" until {}", moment(&at))).unwrap_or_default();
        let held = allowance.posted - allowance.available;
        let _ = writeln!(text, "{}: {} free, {held} held{end}", allowance.kind, allowance.available);
    }
    if current.is_empty() {
        text.push_str("Nothing to spend\n");
    }
    for debt in debts::all_of(&ctx.db, user.id).await?.iter().filter(|debt| debt.cleared_at.is_none()) {
        let _ = writeln!(text, "Owes {} {}", debt.outstanding, debt.unit);
    }
    let _ = writeln!(text, "Runs under way: {}", runs::live_of(&ctx.db, user.id).await?);
    let mut note = Note::default();
    for invoice in invoices::list(&ctx.db, user).await?.iter().take(INVOICES) {
        let _ = writeln!(text, "Invoice {}: {}, {}", invoice.id, invoice.state, moment(&invoice.created_at));
        note = note.row([button(format!("Invoice {}", invoice.id), &Press::Invoice(invoice.id))]);
    }
    text.trim_end().clone_into(&mut note.text);
    Ok(note)
}
