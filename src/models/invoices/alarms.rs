//! What only a person can decide about a payment, or mend at a processor. Admins hear of it, once for each thing there is
//! to tell; nothing is given or taken by it.

use loco_rs::{Result, app::AppContext};
use sea_orm::DatabaseTransaction;

use super::{Model, State, reconcile::silent};
use crate::{
    adapters::payments::{Failure, Payment, Status, Truth},
    models::{
        alerts::{self, Kind, Trouble},
        begin,
        catalogue::money,
        text,
    },
};

impl Model {
    /// What a truth says beside the state to which it leads, held against `self` as it was before. The last thing in its
    /// transaction: whoever tells admins waits for nobody after that.
    pub(super) async fn report(&self, txn: &DatabaseTransaction, truth: &Truth, to: State) -> Result<()> {
        match &truth.unlisted {
            None => self.is_answered(txn).await?,
            Some(failure) => self.report_unlisted(txn, failure).await?,
        }
        for payment in truth.payments.iter().filter(|payment| is_redeposit(payment)) {
            self.report_redeposit(txn, payment, to).await?;
        }
        if self.state() == State::Paid {
            self.report_taken_back(txn, truth).await?;
        } else if to == State::Paid {
            self.is_settled(txn).await?;
        } else if to < State::Paid && truth.status == Status::Underpaid && !self.takes_the_rest() {
            self.report_part(txn, truth).await?;
        }
        Ok(())
    }

    /// A refund was made at the processor's, of which no truth tells.
    pub(in crate::models) async fn report_refund(&self, txn: &DatabaseTransaction) -> Result<()> {
        if self.state() == State::Refunded {
            return Ok(());
        }
        let says = format!(
            "A refund was made at {} for invoice {}, which is {} here. {}",
            self.processor,
            self.id,
            self.state,
            self.way_back()
        );
        alerts::raise(txn, &Trouble::Payment { subject: self.about("refund"), says }).await?;
        Ok(())
    }

    /// It is paid, whoever says so: there is no rest to wait for.
    pub(super) async fn is_settled(&self, txn: &DatabaseTransaction) -> Result<()> {
        alerts::over(txn, Kind::Payment, &self.about("part")).await?;
        Ok(())
    }

    /// It was given back here as well: what the processor said of that is dealt with.
    pub(super) async fn is_given_back(&self, txn: &DatabaseTransaction) -> Result<()> {
        for what in ["refund", "taken_back"] {
            alerts::over(txn, Kind::Payment, &self.about(what)).await?;
        }
        Ok(())
    }

    /// Whether its processor opens checkouts, and if not, why.
    pub(super) async fn follow_checkouts(&self, txn: &DatabaseTransaction, failure: Option<&Failure>) -> Result<()> {
        let why = failure.map(ToString::to_string).unwrap_or_default();
        let trouble = Trouble::Processor {
            subject: format!("{}:checkout", self.processor),
            title: format!("Nobody can pay at {}", self.processor),
            says: format!(
                "It opened no checkout for invoice {}: {why}. It will not by itself: look at its settings here and \
                 there. People are told to try again.",
                self.id
            ),
            invoice: Some(self.id),
        };
        alerts::when(txn, failure.is_some(), &trouble).await?;
        Ok(())
    }

    /// The processor does not tell of this one, and only a person can mend that. Of each processor one alert at a time, at
    /// whichever invoice it was noticed first.
    pub(super) async fn report_unanswered(&self, ctx: &AppContext, failure: &Failure) -> Result<()> {
        let trouble = Trouble::Processor {
            subject: answers(&self.processor),
            title: format!("Payments at {} cannot be checked", self.processor),
            says: format!(
                "Asked about invoice {}, it told nothing: {failure}. It is asked again; until it tells, what was paid \
                 there does not count.",
                self.id
            ),
            invoice: Some(self.id),
        };
        let txn = begin(&ctx.db).await?;
        alerts::raise(&txn, &trouble).await?;
        txn.commit().await?;
        Ok(())
    }

    /// The processor tells of this one, which ends the alert only if it was noticed here: others may have been told of all
    /// the time.
    pub(super) async fn is_answered(&self, txn: &DatabaseTransaction) -> Result<()> {
        let subject = answers(&self.processor);
        let open = alerts::open_one(txn, Kind::Payment, &subject).await?;
        if open.is_some_and(|alert| alert.detail["invoice"] == self.id) {
            alerts::over(txn, Kind::Payment, &subject).await?;
        }
        Ok(())
    }

    /// The account is locked out and the key is not. The nightly comparison needs the account as well: it finds the same,
    /// and ends it.
    async fn report_unlisted(&self, txn: &DatabaseTransaction, failure: &Failure) -> Result<()> {
        let says = format!(
            "{} does not list its payments: {failure}. Those that it told us of are checked nevertheless; one whose \
             notification was lost is not found. Look at the account's sign-in in the settings.",
            self.processor
        );
        alerts::raise(txn, &Trouble::Payment { subject: silent(&self.processor), says }).await?;
        Ok(())
    }

    /// Each of them once. What it is worth counts for nothing by itself, because nobody has asked for it at this rate.
    async fn report_redeposit(&self, txn: &DatabaseTransaction, payment: &Payment, to: State) -> Result<()> {
        let what_to_do = if to < State::Paid {
            format!(
                "If the price is there with it, nproxy task invoice_mark_paid invoice:{} reason:WORDS gives the month; \
                 otherwise agree with the person, or send it back.",
                self.id
            )
        } else {
            format!("The invoice is {} without it: send it back, or agree with the person.", text(to))
        };
        let says = format!(
            "Money was sent again to an old address of invoice {}: payment {} at {}, measured at {}. It counts for \
             nothing by itself. {what_to_do}",
            self.id,
            payment.id,
            self.processor,
            money(payment.minor, &self.currency)
        );
        let subject = self.about(&format!("redeposit:{}", payment.id));
        alerts::raise(txn, &Trouble::Payment { subject, says }).await?;
        Ok(())
    }

    /// Paid here, and not any more there.
    async fn report_taken_back(&self, txn: &DatabaseTransaction, truth: &Truth) -> Result<()> {
        let is_taken_back = match truth.status {
            Status::Refunded => true,
            // What a person here has called paid need not be accepted there, unless a person there says so.
            Status::Invalid => truth.marked || !self.marked,
            Status::Paid => false,
            Status::New | Status::Pending | Status::Confirming | Status::Underpaid | Status::Expired => return Ok(()),
        };
        let says = format!(
            "Invoice {} is paid here, and {} says: {}. {}",
            self.id,
            self.processor,
            truth.status.as_str(),
            self.way_back()
        );
        alerts::when(txn, is_taken_back, &Trouble::Payment { subject: self.about("taken_back"), says }).await?;
        Ok(())
    }

    /// The person cannot mend it, and may not write.
    async fn report_part(&self, txn: &DatabaseTransaction, truth: &Truth) -> Result<()> {
        let says = format!(
            "Invoice {} was paid in part at {}, {} of {}, and the rest cannot be sent after. The person is asked to \
             write to you. nproxy task invoice_mark_paid invoice:{} reason:WORDS gives the month; otherwise send the \
             money back.",
            self.id,
            self.processor,
            money(truth.paid_minor, &self.currency),
            money(self.price_minor, &self.currency),
            self.id
        );
        alerts::raise(txn, &Trouble::Payment { subject: self.about("part"), says }).await?;
        Ok(())
    }

    fn about(&self, what: &str) -> String {
        format!("invoice:{}:{what}", self.id)
    }

    fn way_back(&self) -> String {
        format!(
            "Nothing was taken from anybody. If the money is gone, nproxy task invoice_refund invoice:{} reason:WORDS \
             says what goes with it, and takes the month back with confirm:yes; so does Refund at /admin/payments/{}.",
            self.id, self.id
        )
    }
}

/// A processor that lists what it has can be asked. Ends what was noticed at an invoice that nobody asks for any more.
pub(super) async fn answers_again(txn: &DatabaseTransaction, processor: &str) -> Result<()> {
    alerts::over(txn, Kind::Payment, &answers(processor)).await?;
    Ok(())
}

fn answers(processor: &str) -> String {
    format!("{processor}:answers")
}

/// Money that is there, at an address that had its payment before.
fn is_redeposit(payment: &Payment) -> bool {
    payment.parent.is_some() && matches!(payment.status, Status::Paid | Status::Underpaid)
}
