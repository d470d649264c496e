//! An invoice in plain words: the line in the list, and the page that watches it.

use serde::Serialize;

use super::billing::{moment, name};
use crate::models::{
    allowances,
    catalogue::money,
    invoices::{Model, State},
};

#[derive(Debug, Serialize)]
pub struct LineView {
    pub url: String,
    pub number: i64,
    pub created_at: String,
    pub price_words: String,
    pub way: &'static str,
    pub state_words: &'static str,
    pub tone: &'static str,
}

#[derive(Debug, Serialize)]
pub struct InvoiceView {
    #[serde(flatten)]
    pub line: LineView,
    pub id: String,
    /// Moves with everything that the fragment shows.
    pub ptag: String,
    /// Nothing more is expected to happen while somebody looks.
    pub is_final: bool,
    pub is_paid: bool,
    pub title: &'static str,
    pub text: String,
    /// Something that the person should know besides.
    pub notice: String,
    /// Where to pay; empty when there is nothing to pay.
    pub checkout_url: String,
    pub checkout_label: String,
    /// The processor has not given an address yet: asking again may help.
    pub is_without_checkout: bool,
    pub processor: String,
    pub facts: Vec<(&'static str, String)>,
}

#[must_use]
pub fn url(invoice: &Model) -> String {
    format!("/app/billing/invoices/{}", invoice.pid)
}

#[must_use]
pub fn ptag(invoice: &Model) -> String {
    format!("{}.{}", invoice.version, invoice.state)
}

#[must_use]
pub fn line(invoice: &Model) -> LineView {
    let (state_words, tone) = match invoice.state() {
        State::New => ("Waiting for payment", "info"),
        State::Pending | State::Confirming => ("Seen, being confirmed", "info"),
        State::Underpaid => ("Paid in part", "warning"),
        State::Expired => ("Expired", "muted"),
        State::Canceled => ("Canceled", "muted"),
        State::Paid => ("Paid", "success"),
        State::Refunded => ("Refunded", "muted"),
    };
    LineView {
        url: url(invoice),
        number: invoice.id,
        created_at: invoice.created_at.to_rfc3339(),
        price_words: money(invoice.price_minor, &invoice.currency),
        way: name(&invoice.processor),
        state_words,
        tone,
    }
}

/// `month` is what a paid invoice bought.
#[must_use]
pub fn view(invoice: &Model, month: Option<&allowances::Model>) -> InvoiceView {
    let state = invoice.state();
    let price = money(invoice.price_minor, &invoice.currency);
    let is_payable = matches!(state, State::New | State::Underpaid);
    let checkout_url = invoice.checkout_url.clone().filter(|_| is_payable).unwrap_or_default();
    let is_without_checkout = state == State::New && invoice.checkout_url.is_none();
    let (title, text) = match state {
        State::New if is_without_checkout => (
            "The payment service does not answer",
            "Nothing was charged. Try again in a moment; this page also looks by itself.".into(),
        ),
        State::New => (
            "Waiting for your payment",
            format!("Pay {price} at the checkout. This page notices by itself; you can close it and come back."),
        ),
        State::Pending | State::Confirming => (
            "Your payment was seen",
            "It is being confirmed, which can take from seconds to an hour. We are watching; you can close this page."
                .into(),
        ),
        State::Underpaid => (
            "A part of it arrived",
            format!(
                "{} of {price} arrived. Send the rest at the same checkout. Wallets at exchanges often take their fee out \
                 of the amount.",
                money(invoice.paid_minor, &invoice.currency)
            ),
        ),
        State::Expired if invoice.paid_minor > 0 => (
            "The time to pay is over",
            format!(
                "{} of {price} arrived. It is not lost: write to us, or send the rest if your wallet still can. It counts \
                 as soon as all of it is there.",
                money(invoice.paid_minor, &invoice.currency)
            ),
        ),
        State::Expired => (
            "The time to pay is over",
            "Nothing was charged. If you have sent money, do nothing: it counts as soon as it arrives.".into(),
        ),
        State::Canceled => (
            "This invoice is closed",
            "Nothing is to be paid here. If you have sent money, do nothing: it counts as soon as it is accepted."
                .into(),
        ),
        State::Paid => ("Paid. Thank you", paid_words(month)),
        State::Refunded => ("Refunded", "This payment was given back.".into()),
    };
    InvoiceView {
        line: line(invoice),
        id: format!("invoice-{}", invoice.pid),
        ptag: ptag(invoice),
        is_final: !state.is_open(),
        is_paid: state == State::Paid,
        title,
        text,
        notice: notice(invoice).to_owned(),
        checkout_label: format!("Pay {price} with {}", name(&invoice.processor)),
        checkout_url,
        is_without_checkout,
        processor: invoice.processor.clone(),
        facts: facts(invoice, month),
    }
}

fn paid_words(month: Option<&allowances::Model>) -> String {
    match month.and_then(|month| Some((month.starts_at, month.created_at, month.expires_at?))) {
        Some((starts_at, created_at, end)) if starts_at > created_at => {
            format!("Your next month begins on {} and ends on {}.", moment(starts_at), moment(end))
        }
        Some((_, _, end)) => format!("Your plan is active until {}.", moment(end)),
        None => String::new(),
    }
}

fn notice(invoice: &Model) -> &'static str {
    match (invoice.state(), invoice.overpaid, invoice.late) {
        (State::Paid, true, _) => "More than the price arrived. Write to us and we put the rest right.",
        (State::Paid, false, true) => "It came after the time was over, and counts nevertheless.",
        _ => "",
    }
}

fn facts(invoice: &Model, month: Option<&allowances::Model>) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Invoice", invoice.pid.to_string()),
        ("For", "nproxy, one month".into()),
        ("Price", money(invoice.price_minor, &invoice.currency)),
        ("Way to pay", name(&invoice.processor).into()),
        ("Made on", moment(invoice.created_at)),
    ];
    if invoice.state().is_open() && invoice.checkout_url.is_some() {
        facts.push(("Pay before", moment(invoice.expires_at)));
    }
    facts.extend(invoice.paid_at.map(|at| ("Paid on", moment(at))));
    if let Some(month) = month {
        facts.push(("From", moment(month.starts_at)));
        facts.extend(month.expires_at.map(|end| ("Until", moment(end))));
    }
    facts
}
