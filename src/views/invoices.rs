//! An invoice in plain words: the line in the list, the page to pay at that watches it, and the receipt.

pub mod methods;
pub mod qr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::methods::MethodView;
use super::billing::{moment, name};
use crate::models::{
    allowances,
    catalogue::money,
    invoices::{LIFE, Model, State},
    users,
};

#[derive(Debug, Serialize)]
pub struct LineView {
    pub url: String,
    pub created_at: String,
    pub price_words: String,
    pub way: &'static str,
    pub state_words: &'static str,
    pub tone: &'static str,
}

/// Where an invoice is shown.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address of the page; what belongs to it lies below.
    pub url: String,
    /// Opened by a link, for whoever holds it: nothing but the invoice is shown.
    pub is_public: bool,
}

#[derive(Debug, Serialize)]
pub struct InvoiceView {
    #[serde(flatten)]
    pub line: LineView,
    pub id: String,
    /// By which people and operators name it.
    pub number: String,
    /// Moves with everything that the fragment shows.
    pub ptag: String,
    pub is_public: bool,
    /// Nothing more is expected to happen while somebody looks.
    pub is_final: bool,
    pub is_paid: bool,
    pub is_refunded: bool,
    pub title: &'static str,
    pub text: String,
    /// Something that the person should know besides.
    pub notice: &'static str,
    /// What there is to send, and how; empty when nothing is to be paid, or only the processor's page can say.
    pub methods: Vec<MethodView>,
    /// What is to be paid now, as money.
    pub rest_words: String,
    /// The processor's own page; empty when nothing is to be paid.
    pub checkout_url: String,
    pub checkout_label: String,
    /// A human of the shop says what arrived; the checkout is where to write to.
    pub is_by_hand: bool,
    /// A part arrived and the rest cannot be sent after: a human of the shop puts it right.
    pub is_stuck: bool,
    /// In the last quarter of the time to pay: when it ends.
    pub ends_at: String,
    pub ends_words: String,
    /// A new invoice takes the place of this one.
    pub is_over: bool,
    /// The processor has not given an address yet: asking, or asking again, may help.
    pub is_without_checkout: bool,
    /// It was not asked before.
    pub is_unopened: bool,
    pub processor: String,
    /// Whose receipt it is, line by line; empty for whoever came by a link.
    pub billed_to: String,
    pub facts: Vec<(&'static str, String)>,
}

#[must_use]
pub fn url(invoice: &Model) -> String {
    format!("/app/billing/invoices/{}", invoice.pid)
}

#[must_use]
pub fn ptag(invoice: &Model, now: DateTime<Utc>) -> String {
    let ends = if ends_soon(invoice, now) { ".ends" } else { "" };
    format!("{}.{}{ends}", invoice.version, words(invoice.state_at(now)).2)
}

#[must_use]
pub fn line(invoice: &Model, now: DateTime<Utc>) -> LineView {
    let (state_words, tone, _) = words(invoice.state_at(now));
    LineView {
        url: url(invoice),
        created_at: invoice.created_at.to_rfc3339(),
        price_words: money(invoice.price_minor, &invoice.currency),
        way: name(&invoice.processor),
        state_words,
        tone,
    }
}

/// A state for people, its colour, and its name in tags.
const fn words(state: State) -> (&'static str, &'static str, &'static str) {
    match state {
        State::New => ("Waiting for payment", "info", "new"),
        State::Pending => ("Seen, being confirmed", "info", "pending"),
        State::Confirming => ("Seen, being confirmed", "info", "confirming"),
        State::Underpaid => ("Paid in part", "warning", "underpaid"),
        State::Expired => ("Expired", "muted", "expired"),
        State::Canceled => ("Canceled", "muted", "canceled"),
        State::Paid => ("Paid", "success", "paid"),
        State::Refunded => ("Refunded", "muted", "refunded"),
    }
}

/// `month` is what a paid invoice bought; `user` is whose it is, where it is they who look.
#[must_use]
pub fn view(
    invoice: &Model,
    user: Option<&users::Model>,
    month: Option<&allowances::Model>,
    now: DateTime<Utc>,
    place: &Place,
) -> InvoiceView {
    let state = invoice.state_at(now);
    let is_payable = is_payable(invoice, state);
    let checkout_url = invoice.checkout_url.clone().filter(|_| is_payable).unwrap_or_default();
    let (title, text) = told(invoice, state, month, now);
    let ends_soon = ends_soon(invoice, now);
    let is_by_hand = invoice.is_by_hand();
    InvoiceView {
        line: LineView { url: place.url.clone(), ..line(invoice, now) },
        id: format!("invoice-{}", invoice.pid),
        number: invoice.pid.to_string(),
        ptag: ptag(invoice, now),
        is_public: place.is_public,
        is_final: !state.is_open(),
        is_paid: state == State::Paid,
        is_refunded: state == State::Refunded,
        title,
        text,
        notice: notice(invoice),
        methods: if is_payable { methods::methods(invoice, &place.url) } else { Vec::new() },
        rest_words: money(invoice.rest_minor(), &invoice.currency),
        checkout_label: if is_by_hand {
            "Write to us".into()
        } else {
            format!("Pay {} at the checkout", money(invoice.rest_minor(), &invoice.currency))
        },
        is_by_hand,
        is_stuck: invoice.is_stuck_at(now),
        checkout_url,
        ends_at: if ends_soon { invoice.expires_at.to_rfc3339() } else { String::new() },
        ends_words: invoice.expires_at.format("%H:%M UTC").to_string(),
        is_over: matches!(state, State::Expired | State::Canceled),
        is_without_checkout: state == State::New && invoice.checkout_url.is_none(),
        is_unopened: state == State::New && invoice.is_unopened(),
        processor: invoice.processor.clone(),
        billed_to: user.map(billed_to).unwrap_or_default(),
        facts: facts(invoice, state, month, now),
    }
}

/// What is missing of a part is to be paid only where it would be added.
fn is_payable(invoice: &Model, state: State) -> bool {
    match state {
        State::New => true,
        State::Underpaid => invoice.takes_the_rest(),
        State::Pending | State::Confirming | State::Expired | State::Canceled | State::Paid | State::Refunded => false,
    }
}

fn told(
    invoice: &Model,
    state: State,
    month: Option<&allowances::Model>,
    now: DateTime<Utc>,
) -> (&'static str, String) {
    let in_words = |minor| money(minor, &invoice.currency);
    let (price, paid, rest) =
        (in_words(invoice.price_minor), in_words(invoice.paid_minor), in_words(invoice.rest_minor()));
    let is_stuck = invoice.is_stuck_at(now);
    let stuck = || {
        format!(
            "{paid} of {price} arrived. It is not lost, but the rest cannot be sent after it. Send nothing more: write \
             to us with the number of this invoice, and we put it right."
        )
    };
    match state {
        State::New if invoice.is_unopened() => (
            "Your invoice is ready",
            format!(
                "{price} for your next month. How much that is in crypto is fixed for an hour when you press the \
                 button. Nothing is charged unless you pay."
            ),
        ),
        State::New if invoice.checkout_url.is_none() => (
            "The payment service does not answer",
            "Nothing was charged. Try again in a moment; this page also looks by itself.".into(),
        ),
        State::New => ("Waiting for your payment", format!("{price} for one month. It is not charged again.")),
        State::Pending | State::Confirming => (
            "Your payment was seen",
            "It is being confirmed, which can take from seconds to an hour. There is nothing more to do.".into(),
        ),
        State::Underpaid if is_stuck => ("A part of it arrived", stuck()),
        State::Underpaid => (
            "A part of it arrived",
            format!("{paid} of {price} arrived. Send the rest, {rest}, and your month begins."),
        ),
        State::Expired if is_stuck => ("The time to pay is over", stuck()),
        State::Expired if invoice.paid_minor > 0 => (
            "The time to pay is over",
            format!(
                "{paid} of {price} arrived. It is not lost: write to us, or send the rest if your wallet still can. It \
                 counts as soon as all of it is there."
            ),
        ),
        State::Expired => (
            "The time to pay is over",
            "Nothing was charged. If you have sent money, do nothing: it counts as soon as it arrives. Otherwise a new \
             invoice has today's rate."
                .into(),
        ),
        State::Canceled if is_stuck => ("This invoice is closed", stuck()),
        State::Canceled => (
            "This invoice is closed",
            "Nothing is to be paid here. If you have sent money, do nothing: it counts as soon as it is accepted."
                .into(),
        ),
        State::Paid => ("Paid. Thank you", paid_words(month, now)),
        State::Refunded => ("Refunded", "This payment was given back.".into()),
    }
}

fn paid_words(month: Option<&allowances::Model>, now: DateTime<Utc>) -> String {
    let Some((month, end)) = month.and_then(|month| Some((month, month.ended_at()?))) else { return String::new() };
    let (from, until) = (moment(month.starts_at), moment(end));
    if end <= now {
        format!("The month ran from {from} to {until}.")
    } else if month.starts_at > now {
        format!("Your next month begins on {from} and ends on {until}.")
    } else {
        format!("Your plan is active until {until}.")
    }
}

fn notice(invoice: &Model) -> &'static str {
    match (invoice.state(), invoice.overpaid, invoice.late) {
        (State::Paid, true, _) => "More than the price arrived. Write to us and we put the rest right.",
        (State::Paid, false, true) => "It came after the time was over, and counts nevertheless.",
        _ => "",
    }
}

/// A clock that runs makes people hurry, so it shows only when it must.
fn ends_soon(invoice: &Model, now: DateTime<Utc>) -> bool {
    let is_payable = is_payable(invoice, invoice.state_at(now)) && invoice.checkout_url.is_some();
    // One that lay ready is older than its time to pay.
    let lasts = Ord::min(invoice.expires_at - invoice.created_at, LIFE);
    is_payable && (invoice.expires_at - now) * 4 <= lasts
}

fn billed_to(user: &users::Model) -> String {
    let lines = [user.billed_to.as_deref(), user.email.as_deref()];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn facts(
    invoice: &Model,
    state: State,
    month: Option<&allowances::Model>,
    now: DateTime<Utc>,
) -> Vec<(&'static str, String)> {
    let in_words = |minor| money(minor, &invoice.currency);
    let mut facts = vec![
        ("Invoice", invoice.pid.to_string()),
        ("For", "nproxy, one month".into()),
        ("Price", in_words(invoice.price_minor)),
    ];
    facts.extend(in_coin(invoice, state));
    if invoice.paid_minor > 0 {
        facts.push(("Paid", in_words(invoice.paid_minor)));
    }
    facts.extend(transfers(invoice).map(|count| ("Transfers seen", count.to_string())));
    if invoice.paid_minor > 0 && matches!(state, State::Underpaid | State::Expired) {
        let word = if invoice.is_stuck_at(now) { "Missing" } else { "Still to pay" };
        facts.push((word, in_words(invoice.rest_minor())));
    }
    facts.push(("Way to pay", name(&invoice.processor).into()));
    facts.push(("Made on", moment(invoice.created_at)));
    if is_payable(invoice, state) && invoice.checkout_url.is_some() {
        facts.push(("Pay before", moment(invoice.expires_at)));
    }
    facts.extend(invoice.paid_at.map(|at| ("Paid on", moment(at))));
    if let Some(month) = month {
        facts.push(("From", moment(month.starts_at)));
        facts.extend(month.ended_at().map(|end| ("Until", moment(end))));
    }
    facts
}

/// What it is in the coin, and at which rate. Behind a single transfer that is what was sent for; of several only the last
/// amount is known, and an invoice whose time is over promises none.
fn in_coin(invoice: &Model, state: State) -> Vec<(&'static str, String)> {
    let has_come = matches!(state, State::Pending | State::Confirming | State::Paid | State::Refunded);
    let label = if is_payable(invoice, state) {
        "To send"
    } else if has_come && transfers(invoice) == Some(1) {
        "In coin"
    } else {
        return Vec::new();
    };
    let amount = methods::asked(invoice).map(|amount| (label, amount));
    amount.into_iter().chain(methods::rate(invoice).map(|rate| ("Rate", rate))).collect()
}

/// How many came, as far as that is known. A processor that makes a payment of each transfer makes one as soon as somebody
/// chooses a coin, sent or not.
fn transfers(invoice: &Model) -> Option<usize> {
    let count = invoice.payments.as_array().map(Vec::len);
    count.filter(|count| *count > 0 && invoice.takes_the_rest())
}
