//! Mails about payments. They say what was paid and for how long, never how many pictures.

use loco_rs::{mailer::EmailHeaders, prelude::*};
use serde_json::json;

use super::accounts::{link, message_id, site_name};
use crate::{
    context::Nproxy,
    models::{
        catalogue::money,
        invoices,
        users::{self, Status},
    },
};

static RECEIPT: Dir<'_> = include_dir!("src/mailers/billing/receipt");

/// How moments are written for people who are not looking at a page of ours.
const MOMENT: &str = "%-d %B %Y, %H:%M UTC";

pub struct Billing;
impl Mailer for Billing {}

/// Says that an invoice is paid, and from when to when the month runs; to nobody when the account is gone or blocked.
///
/// # Errors
/// The mail server does not take it; the job is tried again.
pub async fn deliver_receipt(ctx: &AppContext, invoice_id: i64) -> Result<()> {
    let Some(invoice) = invoices::by_id(&ctx.db, invoice_id).await? else { return Ok(()) };
    let Some(month) = invoice.bought(&ctx.db).await? else { return Ok(()) };
    let Some(user) = users::by_id(&ctx.db, invoice.user_id).await? else { return Ok(()) };
    if user.status() != Status::Activated {
        return Ok(());
    }
    let args = mailer::Args {
        from: Some(ctx.parts().settings().mailer_from.clone()),
        to: user.email().to_owned(),
        locals: json!({
            "price": money(invoice.price_minor, &invoice.currency),
            "from": month.starts_at.format(MOMENT).to_string(),
            "until": month.expires_at.map(|end| end.format(MOMENT).to_string()),
            "link": link(ctx, &format!("/app/billing/invoices/{}", invoice.pid), None),
            "site": site_name(ctx),
        }),
        headers: Some(EmailHeaders { message_id: message_id(ctx), ..EmailHeaders::default() }),
        ..Default::default()
    };
    Billing::mail_template_now(ctx, &RECEIPT, args).await
}
