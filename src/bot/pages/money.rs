//! An invoice: what the processor says of it and what an operator can do.

use std::fmt::Write;

use loco_rs::{Result, app::AppContext};

use super::words::{button, moment};
use crate::models::{
    clock,
    invoices::{self, Model, State},
    telegram_confirmations::Press,
    telegram_updates::Note,
    users,
};

/// By our number, or by the id that the person and the processor see.
pub async fn find_invoice(ctx: &AppContext, name: &str) -> Result<Option<Model>> {
    if let Ok(id) = name.parse::<i64>() {
        return invoices::by_id(&ctx.db, id).await;
    }
    match name.parse::<uuid::Uuid>() {
        Ok(pid) => invoices::by_pid(&ctx.db, pid).await,
        Err(_) => Ok(None),
    }
}

pub fn no_invoice() -> Note {
    Note::new("There is no such invoice. /user MAIL shows a person's.")
}

pub async fn invoice(ctx: &AppContext, name: &str) -> Result<Note> {
    let Some(invoice) = find_invoice(ctx, name).await? else { return Ok(no_invoice()) };
    let mut text = described(ctx, invoice.id).await?;
    if invoice.state() < State::Paid {
        let _ = write!(text, "\n\nTo call it paid, write: /pay {} paid REASON", invoice.id);
    }
    let row = [button("Ask the processor", &Press::Look(invoice.id)), button("↻", &Press::Invoice(invoice.id))];
    Ok(Note::new(text).row(row))
}

/// What there is to know of an invoice, for the page and for the question.
pub async fn described(ctx: &AppContext, id: i64) -> Result<String> {
    let Some(invoice) = invoices::by_id(&ctx.db, id).await? else { return Ok(no_invoice().text) };
    let now = clock::now(&ctx.db).await?;
    let state = invoice.state_at(now);
    let mut text = format!("Invoice {}\n{}\n\n", invoice.id, invoice.pid);
    if let Some(user) = users::by_id(&ctx.db, invoice.user_id).await? {
        let _ = writeln!(text, "Of {} (id {})", user.email(), user.id);
    }
    let _ = writeln!(text, "State: {}", invoices::word(state));
    let _ = writeln!(
        text,
        "Price: {}, paid: {}",
        money(&invoice, invoice.price_minor),
        money(&invoice, invoice.paid_minor)
    );
    let _ = writeln!(text, "Processor: {}", invoice.processor);
    let flags = [(invoice.late, "late"), (invoice.overpaid, "overpaid"), (invoice.marked, "marked by hand")];
    let flags: Vec<&str> = flags.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect();
    if !flags.is_empty() {
        let _ = writeln!(text, "Flags: {}", flags.join(", "));
    }
    let _ = writeln!(text, "Opened: {}", moment(&invoice.created_at));
    match &invoice.paid_at {
        Some(at) => drop(writeln!(text, "Paid: {}", moment(at))),
        None => drop(writeln!(text, "To be paid until: {}", moment(&invoice.expires_at))),
    }
    Ok(text.trim_end().to_owned())
}

/// `9.99 USD`
fn money(invoice: &Model, minor: i64) -> String {
    format!("{}.{:02} {}", minor / 100, minor.rem_euclid(100), invoice.currency)
}
