//! The processor's list held against ours, both ways. What is paid there and not here is applied; the reverse is only
//! reported, because taking a month away is an operator's decision.

use std::collections::HashMap;

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Applied, Column, Entity, State, alarms::answers_again, apply::believe, named};
use crate::{
    adapters::payments::{Status, Truth},
    context::Nproxy,
    models::{alerts, begin, clock, text},
};

/// Late payments of older invoices are the poller's.
const LOOKED_BACK: TimeDelta = TimeDelta::days(3);

/// The alerts of this pass, which ends those of the last.
const COMPARED: &str = "compared:";

/// What differs, or what was put right.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// Was paid there and not here; is paid here now.
    Activated(i64),
    /// Is paid here, and the processor says otherwise. Nobody was charged less or given more by this pass.
    NotPaidThere { invoice: i64, told: &'static str },
    /// Is paid there, and is not what we asked for, or could not be taken over.
    NotOurs { invoice: i64, why: String },
    /// The processor tells nobody what it has (its account is not set), or did not answer.
    Silent { processor: &'static str, why: String },
}

impl Finding {
    /// An operator has to look.
    #[must_use]
    pub const fn is_alarm(&self) -> bool {
        !matches!(self, Self::Activated(_))
    }

    /// For operators.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Activated(invoice) => format!("invoice {invoice}: was paid unnoticed, and is active now"),
            Self::NotPaidThere { invoice, told } => {
                format!("invoice {invoice}: is paid here, and the processor says: {told}")
            }
            Self::NotOurs { invoice, why } => format!("invoice {invoice}: paid there, but not believed: {why}"),
            Self::Silent { processor, why } => format!("{processor} cannot be compared: {why}"),
        }
    }

    /// What admins hear of, once as long as it is found.
    fn alert(&self) -> Option<(String, String)> {
        let subject = match self {
            Self::Activated(_) => return None,
            Self::NotPaidThere { invoice, .. } => format!("{COMPARED}invoice:{invoice}:not_paid_there"),
            Self::NotOurs { invoice, .. } => format!("{COMPARED}invoice:{invoice}:not_ours"),
            Self::Silent { processor, .. } => silent(processor),
        };
        Some((subject, self.in_words()))
    }
}

/// By which admins are told that a processor does not list what it has, whoever notices.
pub(super) fn silent(processor: &str) -> String {
    format!("{COMPARED}{processor}:silent")
}

/// One pass over what the processors have had in the last three days.
///
/// # Errors
/// The database does not answer.
pub async fn reconcile(ctx: &AppContext) -> Result<Vec<Finding>> {
    let parts = ctx.parts();
    let since = clock::now(&ctx.db).await? - LOOKED_BACK;
    let (mut findings, mut listed) = (Vec::new(), Vec::new());
    for processor in parts.processors() {
        let name = processor.name();
        let truths = match processor.recent(parts.till(), since).await {
            Ok(Some(truths)) => truths,
            Ok(None) => {
                findings.push(Finding::Silent { processor: name, why: "its account is not set".to_owned() });
                continue;
            }
            Err(failure) => {
                findings.push(Finding::Silent { processor: name, why: failure.to_string() });
                continue;
            }
        };
        listed.push(name);
        for truth in &truths {
            findings.extend(compare(ctx, name, truth).await?);
        }
        let told: HashMap<&str, &Truth> = truths.iter().map(|truth| (truth.reference.as_str(), truth)).collect();
        let paid_here = Entity::find()
            .filter(Column::Processor.eq(name))
            .filter(Column::State.eq(text(State::Paid)))
            // What a person has called paid need not be paid there.
            .filter(Column::Marked.eq(false))
            .filter(Column::CreatedAt.gte(since))
            .all(&ctx.db)
            .await?;
        for invoice in paid_here {
            let there = invoice.processor_ref.as_deref().and_then(|reference| told.get(reference));
            match there {
                Some(truth) if !gone(truth) => {}
                Some(truth) => {
                    findings.push(Finding::NotPaidThere { invoice: invoice.id, told: truth.status.as_str() });
                }
                None => findings.push(Finding::NotPaidThere { invoice: invoice.id, told: "nothing" }),
            }
        }
    }
    let txn = begin(&ctx.db).await?;
    alerts::payments(&txn, COMPARED, findings.iter().filter_map(Finding::alert).collect()).await?;
    for processor in listed {
        answers_again(&txn, processor).await?;
    }
    txn.commit().await?;
    Ok(findings)
}

/// No longer, or never, the processor's word for money that it has.
fn gone(truth: &Truth) -> bool {
    !matches!(truth.status, Status::Paid | Status::Underpaid | Status::Confirming)
}

async fn compare(ctx: &AppContext, processor: &str, truth: &Truth) -> Result<Option<Finding>> {
    let named = named(&ctx.db, processor, Some(&truth.reference), truth.order_id.as_deref()).await?;
    // Another shop may use the same account.
    let Some(invoice) = named else { return Ok(None) };
    if invoice.state() >= State::Paid || invoice.after(truth) != State::Paid {
        return Ok(None);
    }
    Ok(match believe(ctx, &invoice, truth).await {
        Ok(Applied::Stands(State::Paid, true)) => Some(Finding::Activated(invoice.id)),
        Ok(Applied::Mismatched(mismatch)) => Some(Finding::NotOurs { invoice: invoice.id, why: mismatch.to_string() }),
        Ok(
            Applied::Stands(..)
            | Applied::NoCheckout
            | Applied::NoProcessor
            | Applied::Unanswered(_)
            | Applied::Unknown,
        ) => None,
        // One that cannot be taken over keeps nobody else from being looked at.
        Err(error) => Some(Finding::NotOurs { invoice: invoice.id, why: error.to_string() }),
    })
}
