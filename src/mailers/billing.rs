//! Mails about payments and the plan. They say what was paid, until when and what to do, never how many pictures. What is
//! no longer true when a mail is due is not sent.

use chrono::TimeDelta;
use loco_rs::{mailer::EmailHeaders, prelude::*};
use serde_json::{Value, json};

use super::accounts::{link, message_id, site_name};
use crate::{
    context::Nproxy,
    models::{
        catalogue::money,
        clock, debts,
        invoices::{self, State, links},
        notifications::{self, Kind},
        subscriptions, users,
    },
};

static RECEIPT: Dir<'_> = include_dir!("src/mailers/billing/receipt");
static UNDERPAID: Dir<'_> = include_dir!("src/mailers/billing/underpaid");
static REFUNDED: Dir<'_> = include_dir!("src/mailers/billing/refunded");
static QUOTA_LOW: Dir<'_> = include_dir!("src/mailers/billing/quota_low");
static RENEWAL_DUE: Dir<'_> = include_dir!("src/mailers/billing/renewal_due");
static PLAN_ENDED: Dir<'_> = include_dir!("src/mailers/billing/plan_ended");

/// How moments are written for people who are not looking at a page of ours.
const MOMENT: &str = "%-d %B %Y, %H:%M UTC";

pub struct Billing;
impl Mailer for Billing {}

/// Writes and sends what a notice is about; `false` when there is nothing to say any more, or nobody to say it to.
///
/// # Errors
/// The mail server does not take it; the job is tried again.
pub async fn deliver(ctx: &AppContext, notice: &notifications::Model) -> Result<bool> {
    let Some(user) = reader(ctx, notice).await? else { return Ok(false) };
    let (template, words) = match notice.kind() {
        Kind::Receipt => (&RECEIPT, receipt(ctx, notice).await?),
        Kind::Underpaid => (&UNDERPAID, underpaid(ctx, notice).await?),
        Kind::Refunded => (&REFUNDED, refunded(ctx, notice, &user).await?),
        Kind::QuotaLow => (&QUOTA_LOW, quota_low(ctx, notice, &user).await?),
        Kind::RenewalDue => (&RENEWAL_DUE, plan(ctx, notice, &user).await?),
        Kind::PlanEnded => (&PLAN_ENDED, plan(ctx, notice, &user).await?),
        // Those go to Telegram.
        Kind::Paired | Kind::Alert | Kind::AlertOver => return Ok(false),
    };
    let Some(mut words) = words else { return Ok(false) };
    words["site"] = site_name(ctx).into();
    let args = mailer::Args {
        from: Some(ctx.parts().settings().mailer_from.clone()),
        to: user.email().to_owned(),
        locals: words,
        headers: Some(EmailHeaders { message_id: message_id(ctx), ..EmailHeaders::default() }),
        ..Default::default()
    };
    Billing::mail_template_now(ctx, template, args).await?;
    Ok(true)
}

async fn reader(ctx: &AppContext, notice: &notifications::Model) -> Result<Option<users::Model>> {
    let Some(id) = notice.user_id else { return Ok(None) };
    Ok(users::by_id(&ctx.db, id).await?.filter(users::Model::can_be_told))
}

async fn invoice(ctx: &AppContext, notice: &notifications::Model) -> Result<Option<invoices::Model>> {
    let Some(id) = notice.about("invoice") else { return Ok(None) };
    invoices::by_id(&ctx.db, id).await
}

async fn receipt(ctx: &AppContext, notice: &notifications::Model) -> Result<Option<Value>> {
    let Some(invoice) = invoice(ctx, notice).await? else { return Ok(None) };
    let Some(month) = invoice.bought(&ctx.db).await? else { return Ok(None) };
    Ok(Some(json!({
        "price": money(invoice.price_minor, &invoice.currency),
        "is_marked": invoice.marked,
        "from": month.starts_at.format(MOMENT).to_string(),
        "until": month.expires_at.map(|end| end.format(MOMENT).to_string()),
        "link": link(ctx, &format!("/app/billing/invoices/{}", invoice.pid), None),
    })))
}

/// The rest may have come meanwhile.
async fn underpaid(ctx: &AppContext, notice: &notifications::Model) -> Result<Option<Value>> {
    let Some(invoice) = invoice(ctx, notice).await? else { return Ok(None) };
    let now = clock::now(&ctx.db).await?;
    let is_over = match invoice.state_at(now) {
        State::Underpaid => false,
        State::Expired => true,
        State::New | State::Pending | State::Confirming | State::Canceled | State::Paid | State::Refunded => {
            return Ok(None);
        }
    };
    let in_words = |minor| money(minor, &invoice.currency);
    Ok(Some(json!({
        "price": in_words(invoice.price_minor),
        "paid": in_words(invoice.paid_minor),
        "rest": in_words(invoice.rest_minor()),
        "is_over": is_over,
        "is_stuck": invoice.is_stuck_at(now),
        "until": invoice.expires_at.format(MOMENT).to_string(),
        "link": links::link(ctx, &invoice)?,
    })))
}

async fn refunded(ctx: &AppContext, notice: &notifications::Model, user: &users::Model) -> Result<Option<Value>> {
    let Some(invoice) = invoice(ctx, notice).await?.filter(|it| it.state() == State::Refunded) else { return Ok(None) };
    Ok(Some(json!({
        "price": money(invoice.price_minor, &invoice.currency),
        "owes": debts::owes(&ctx.db, user.id).await?,
        "link": link(ctx, &format!("/app/billing/invoices/{}", invoice.pid), None),
    })))
}

/// It may be over meanwhile, or something may have been added.
async fn quota_low(ctx: &AppContext, notice: &notifications::Model, user: &users::Model) -> Result<Option<Value>> {
    let cycles = subscriptions::cycles(&ctx.db, user.id, clock::now(&ctx.db).await?).await?;
    let month = cycles.running.as_ref().filter(|month| notice.about("month") == Some(month.id) && month.is_low());
    let Some(end) = month.and_then(|month| month.expires_at) else { return Ok(None) };
    let has_next = cycles.queued.is_some();
    Ok(Some(json!({
        "is_used_up": cycles.is_used_up(),
        "has_next": has_next,
        "end": end.format(MOMENT).to_string(),
        "link": link(ctx, if has_next { "/app/billing/early-start" } else { "/app/billing" }, None),
    })))
}

/// As it is when the mail is sent, which may be later than it was meant to be.
fn when(left: TimeDelta) -> String {
    match left.num_hours() {
        ..=24 => "within a day".into(),
        hours => format!("in {} days", (hours + 23) / 24),
    }
}

/// How the plan stands now; it must be what the notice was written for.
async fn plan(ctx: &AppContext, notice: &notifications::Model, user: &users::Model) -> Result<Option<Value>> {
    let now = clock::now(&ctx.db).await?;
    let warning = subscriptions::warning(&ctx.db, user.id, now).await?;
    let Some(warning) = warning.filter(|it| it.dedupe_key() == notice.dedupe_key) else { return Ok(None) };
    let open = invoices::open_of(&ctx.db, user.id, now).await?;
    let link = match &open {
        Some(invoice) => links::link(ctx, invoice)?,
        None => link(ctx, "/app/billing", None),
    };
    let Some(end) = warning.month.expires_at else { return Ok(None) };
    Ok(Some(json!({
        "when": when(end - now),
        "end": end.format(MOMENT).to_string(),
        "has_invoice": open.is_some(),
        "link": link,
    })))
}
