//! What was to be paid, and what became of it.

use async_trait::async_trait;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::{
    description::{About, Action, Cell, Column, Doing, Outcome, Section, Tone},
    notes,
    resource::Describe,
};
use crate::models::{
    _entities::{invoices, users as user_rows},
    activities,
    allowances::Standing,
    catalogue::money,
    clock,
    invoices::{self as verbs, Marking, Model, Refunding, State, would_refund},
    listing::{By, Spec, literal, words_of},
    payment_events, text, users,
};

const SHOWN: u64 = 20;

pub struct Invoices;

/// An invoice, and whose it is.
pub struct Row {
    invoice: Model,
    email: Option<String>,
    /// What a refund would meet; looked up for a single invoice.
    standing: Option<Standing>,
}

#[async_trait]
impl Describe for Invoices {
    type Entity = invoices::Entity;
    type Row = Row;

    fn about(&self) -> About {
        About {
            path: "payments",
            title: "Payments",
            one: "invoice",
            text: "Only the processor's own answer, or an operator who says why, makes an invoice paid.",
            icon: "receipt",
        }
    }

    fn spec(&self) -> Spec<Self::Entity> {
        use invoices::Column as C;
        Spec::new()
            .search("order", By::Pid(C::Pid))
            .search(
                "user",
                By::Elsewhere(|word, _| {
                    let who = user_rows::Entity::find()
                        .select_only()
                        .column(user_rows::Column::Id)
                        .filter(user_rows::Column::Email.eq(users::normalized(word)));
                    let theirs = invoices::Entity::find().select_only().column(C::Id);
                    theirs.filter(C::UserId.in_subquery(who.into_query())).into_query()
                }),
            )
            .scope("waiting", "Waiting", |_| {
                literal("CASE WHEN state IN ('new', 'pending', 'confirming') THEN 1 ELSE 0 END = 1")
            })
            .scope("unusual", "Unusual", |_| literal("late OR overpaid OR marked"))
            .scope("underpaid", "Underpaid", |_| C::State.eq(text(State::Underpaid)).into())
            .scope("paid", "Paid", |_| C::State.eq(text(State::Paid)).into())
            .scope("refunded", "Refunded", |_| C::State.eq(text(State::Refunded)).into())
            .filter("state", "State", STATES.map(text), |word| Some(C::State.eq(word).into()))
            .filter("processor", "Processor", ["btcpay", "nowpayments", "manual"].map(str::to_owned), |word| {
                Some(C::Processor.eq(word).into())
            })
            .filter("user", "User", [], |word| Some(C::UserId.eq(word.parse::<i64>().ok()?).into()))
    }

    async fn dress(&self, ctx: &AppContext, rows: Vec<Model>) -> Result<Vec<Row>> {
        let emails = users::emails(&ctx.db, rows.iter().map(|invoice| invoice.user_id)).await?;
        let standing = match rows.as_slice() {
            [one] => would_refund(&ctx.db, one).await?,
            _ => None,
        };
        let row = |invoice: Model| Row { email: emails.get(&invoice.user_id).cloned(), invoice, standing };
        Ok(rows.into_iter().map(row).collect())
    }

    fn id(&self, row: &Row) -> i64 {
        row.invoice.id
    }

    fn name(&self, row: &Row) -> String {
        format!("Invoice {}", row.invoice.id)
    }

    fn columns(&self) -> Vec<Column<Row>> {
        vec![
            Column::new("invoice", "Invoice", |row: &Row| {
                Cell::link(format!("Invoice {}", row.invoice.id), format!("/admin/payments/{}", row.invoice.id))
            }),
            Column::new("state", "State", |row| state(&row.invoice)),
            Column::new("user", "User", person),
            Column::new("price", "Price", |row| price(&row.invoice)),
            Column::new("paid", "Paid", |row| paid(&row.invoice)),
            Column::new("processor", "Processor", |row| Cell::text(&row.invoice.processor)),
            Column::new("notes", "Unusual", |row| Cell::text(oddities(&row.invoice))),
            Column::new("created_at", "When", |row| Cell::Moment(row.invoice.created_at)),
            Column::extra("paid_at", "Paid at", |row| Cell::moment(row.invoice.paid_at)),
            Column::extra("pid", "Order", |row| Cell::Code(row.invoice.pid.to_string())),
            Column::extra("reference", "Reference", |row| Cell::maybe(row.invoice.processor_ref.as_ref())),
        ]
    }

    async fn sections(&self, ctx: &AppContext, row: &Row) -> Result<Vec<Section>> {
        let invoice = &row.invoice;
        let now = clock::now(&ctx.db).await?;
        let month = invoice.bought(&ctx.db).await?;
        let facts = vec![
            ("State", state(invoice)),
            ("At this moment", Cell::text(words_of(&text(invoice.state_at(now))))),
            ("User", person(row)),
            ("For", Cell::text(words_of(&invoice.offer_code))),
            ("Price", price(invoice)),
            ("Paid", paid(invoice)),
            ("Unusual", Cell::text(oddities(invoice))),
            ("Processor", Cell::text(&invoice.processor)),
            ("Reference", Cell::maybe(invoice.processor_ref.as_ref())),
            ("Order", Cell::Code(invoice.pid.to_string())),
            ("Made", Cell::Moment(invoice.created_at)),
            ("Pay before", Cell::Moment(invoice.expires_at)),
            ("Paid at", Cell::moment(invoice.paid_at)),
            ("Next look", Cell::moment(invoice.next_poll_at)),
            (
                "Bought",
                month.as_ref().map_or(Cell::Nothing, |month| {
                    Cell::link(format!("allowance {}", month.id), format!("/admin/users/{}#allowances", month.user_id))
                }),
            ),
        ];
        let events = payment_events::of_invoice(&ctx.db, invoice.id, SHOWN).await?;
        let done = activities::latest_about(&ctx.db, "invoice", invoice.id, SHOWN).await?;
        Ok(vec![
            Section::facts("facts", "How it stands", facts),
            Section::table(
                "events",
                "What the processor sent",
                vec!["Event", "Payment", "When"],
                events.iter().map(super::events::line).collect(),
                "Nothing came yet.",
            ),
            Section::verbatim("payments", "Payments, as the processor told them", pretty(&invoice.payments)?),
            notes::section(ctx, "invoice", invoice.id).await?,
            super::activities::section(&done, "invoice", invoice.id),
        ])
    }

    fn actions(&self) -> Vec<Action<Row>> {
        vec![
            Action::new("check", "Ask the processor again", "refresh-cw", |doing| Box::pin(check(doing))),
            Action::new("note", "Write a note", "message-square", |doing: Doing<'_, Row>| {
                Box::pin(notes::write(doing.ctx, ("invoice", doing.row.invoice.id), doing.input, doing.actor))
            })
            .with(|_, _, _| Box::pin(async { Ok(notes::fields()) }))
            .done("The note is written."),
            Action::new("marking", "Mark as paid", "circle-check", |doing| Box::pin(mark(doing)))
                .when(|row: &Row| !matches!(row.invoice.state(), State::Paid | State::Refunded))
                .grave(|row: &Row| {
                    vec![
                        format!("{} counts as paid, and says for good that it was marked by hand.", price_words(&row.invoice)),
                        "The month is given now, once, and the receipt is mailed.".into(),
                        "Should the money come later, nothing more is given for it.".into(),
                    ]
                })
                .done("The payment is marked as paid."),
            Action::new("refund", "Refund", "undo-2", |doing| Box::pin(pay_back(doing)))
                .when(|row: &Row| row.invoice.state() == State::Paid)
                .grave(|row: &Row| {
                    let standing = row.standing.unwrap_or(Standing { free: 0, held: 0, used: 0 });
                    vec![
                        format!(
                            "The month is taken back: {} unused pictures go at once, {} go when the runs that hold them end.",
                            standing.free, standing.held
                        ),
                        format!("{} used pictures become a debt: nothing new starts until it is paid or let go.", standing.used),
                        "The money itself is sent by you, at the processor's. This only writes down that it was.".into(),
                    ]
                })
                .for_good()
                .done("The refund is written down, and the month is taken back."),
        ]
    }
}

const STATES: [State; 8] = [
    State::New,
    State::Pending,
    State::Confirming,
    State::Underpaid,
    State::Expired,
    State::Canceled,
    State::Paid,
    State::Refunded,
];

fn pretty(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

fn state(invoice: &Model) -> Cell {
    let tone = match invoice.state() {
        State::New | State::Pending | State::Confirming => Tone::Busy,
        State::Underpaid => Tone::Warning,
        State::Expired | State::Canceled | State::Refunded => Tone::Plain,
        State::Paid => Tone::Good,
    };
    Cell::State(words_of(&invoice.state), tone)
}

fn price(invoice: &Model) -> Cell {
    Cell::Money(invoice.price_minor, invoice.currency.clone())
}

fn paid(invoice: &Model) -> Cell {
    match invoice.paid_minor {
        0 => Cell::Nothing,
        minor => Cell::Money(minor, invoice.currency.clone()),
    }
}

fn oddities(invoice: &Model) -> String {
    let flags = [(invoice.late, "late"), (invoice.overpaid, "overpaid"), (invoice.marked, "marked by hand")];
    flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}

fn person(row: &Row) -> Cell {
    let words = row.email.clone().unwrap_or_else(|| format!("user {}", row.invoice.user_id));
    Cell::link(words, format!("/admin/users/{}", row.invoice.user_id))
}

fn price_words(invoice: &Model) -> String {
    money(invoice.price_minor, &invoice.currency)
}

async fn check(doing: Doing<'_, Row>) -> Result<Outcome> {
    let applied = verbs::check(doing.ctx, &doing.row.invoice, doing.actor, doing.input.reason()).await?;
    Ok(Outcome::Told(format!("The processor was asked: {}.", applied.in_words())))
}

async fn mark(doing: Doing<'_, Row>) -> Result<Outcome> {
    Ok(match verbs::mark_paid(doing.ctx, &doing.row.invoice, doing.actor, doing.input.reason()).await? {
        Marking::Marked(_) => Outcome::Done,
        Marking::AlreadyPaid => Outcome::refused("Nothing was changed: it was paid meanwhile."),
        Marking::Refunded => Outcome::refused("Nothing was changed: it was given back meanwhile."),
        Marking::NoReason => Outcome::invalid("reason", "Say why, in a few words: it stands in the audit log."),
    })
}

async fn pay_back(doing: Doing<'_, Row>) -> Result<Outcome> {
    Ok(match verbs::refund(doing.ctx, &doing.row.invoice, doing.actor, doing.input.reason()).await? {
        Refunding::Refunded(_) => Outcome::Done,
        Refunding::AlreadyRefunded => Outcome::refused("Nothing was changed: it was given back before."),
        Refunding::NotPaid(_) => Outcome::refused("Nothing was changed: nothing was paid."),
        Refunding::NoReason => Outcome::invalid("reason", "Say why, in a few words: it stands in the audit log."),
    })
}

/// An invoice on the page of the person.
pub(super) fn line(invoice: &Model) -> Vec<Cell> {
    vec![
        Cell::link(format!("Invoice {}", invoice.id), format!("/admin/payments/{}", invoice.id)),
        state(invoice),
        price(invoice),
        paid(invoice),
        Cell::Moment(invoice.created_at),
    ]
}
