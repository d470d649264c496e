//! What admins hear of, in words.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde_json::{Value, json};

use crate::models::provider_keys::{self, State, balance::dollars};

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// A key is under review or out of funds: only an admin brings it back.
    KeyOut,
    /// One key is left in service.
    FewKeys,
    /// No key works at this moment.
    NoKeys,
    /// Keys work, and none of them may use a model that is offered: it is retired, or forbidden.
    ModelGone,
    /// A whole provider is unwell.
    Incident,
    /// An account will be empty soon.
    BalanceLow,
    /// Money that is not as it should be. What one payment was stays, unless what follows from it is done; what a
    /// comparison found is over when the next one does not find it, and a processor's trouble when it works again.
    Payment,
    QueueStuck,
    /// A job that was given up; of a task all of its jobs together, until one of them is done.
    DeadJob,
    PairingGuesses,
    /// A night went by without a backup.
    BackupOld,
}

/// Something to hear of.
#[derive(Debug)]
pub enum Trouble<'a> {
    KeyOut {
        key: &'a provider_keys::Model,
        to: State,
        reason: &'a str,
    },
    FewKeys {
        provider: &'a str,
    },
    NoKeys {
        provider: &'a str,
    },
    ModelGone {
        provider: &'a str,
        wire_model: &'a str,
    },
    Incident {
        provider: &'a str,
        class: &'a str,
    },
    BalanceLow {
        key: &'a provider_keys::Model,
        micros: i64,
    },
    /// What names the trouble, and what there is to say.
    Payment {
        subject: String,
        says: String,
    },
    /// A processor that does not do as asked, the payment at which that was noticed where it was at one, and why.
    Processor {
        subject: String,
        title: String,
        says: String,
        invoice: Option<i64>,
    },
    QueueStuck {
        minutes: i64,
    },
    DeadJob {
        id: i64,
        class: &'a str,
        attempts: i32,
    },
    /// The newest of its jobs, and its name with its arguments.
    DeadTask {
        id: i64,
        task: String,
        attempts: i32,
    },
    PairingGuesses,
    /// Since when, where there is a last one.
    BackupOld {
        hours: Option<i64>,
    },
}

impl Trouble<'_> {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::KeyOut { .. } => Kind::KeyOut,
            Self::FewKeys { .. } => Kind::FewKeys,
            Self::NoKeys { .. } => Kind::NoKeys,
            Self::ModelGone { .. } => Kind::ModelGone,
            Self::Incident { .. } => Kind::Incident,
            Self::BalanceLow { .. } => Kind::BalanceLow,
            Self::Payment { .. } | Self::Processor { .. } => Kind::Payment,
            Self::QueueStuck { .. } => Kind::QueueStuck,
            Self::DeadJob { .. } | Self::DeadTask { .. } => Kind::DeadJob,
            Self::PairingGuesses => Kind::PairingGuesses,
            Self::BackupOld { .. } => Kind::BackupOld,
        }
    }

    /// What it is about: of one kind and subject there is one open alert.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::KeyOut { key, .. } | Self::BalanceLow { key, .. } => key_subject(key.id),
            Self::FewKeys { provider } | Self::NoKeys { provider } | Self::Incident { provider, .. } => {
                (*provider).to_owned()
            }
            Self::ModelGone { provider, wire_model } => format!("{provider}/{wire_model}"),
            Self::Payment { subject, .. } | Self::Processor { subject, .. } => subject.clone(),
            Self::DeadJob { id, .. } => format!("job:{id}"),
            Self::DeadTask { task, .. } => format!("task:{task}"),
            Self::QueueStuck { .. } | Self::PairingGuesses | Self::BackupOld { .. } => "all".to_owned(),
        }
    }

    /// A title, which also says what is over then, and what to know or do.
    pub(super) fn detail(&self) -> Value {
        match self {
            Self::KeyOut { key, to, reason } => json!({
                "key": key.id,
                "title": format!("Key {} ({}) is out of service", key.id, key.label),
                "says": match to {
                    State::OutOfFunds => format!("Its account cannot pay for the next picture ({reason})."),
                    State::Active | State::Cooldown | State::ManualReview | State::Disabled => {
                        format!("It needs a look ({reason}). It comes back only when you activate it.")
                    }
                },
            }),
            Self::FewKeys { provider } => json!({
                "title": format!("One {provider} key is left"),
                "says": "When it fails, nobody gets a picture. Add or activate keys.",
            }),
            Self::NoKeys { provider } => json!({
                "title": format!("No {provider} key works now"),
                "says": "Nobody gets a picture until a key is active again.",
            }),
            Self::ModelGone { provider, wire_model } => json!({
                "title": format!("No {provider} key may use {wire_model}"),
                "says": "Nobody gets a picture of this model. nproxy doctor says whether it is retired and what to do.",
            }),
            Self::Incident { provider, class } => json!({
                "title": format!("{provider} is unwell"),
                "says": format!("Several keys fail alike ({class}). No key is blamed; people wait inside their time."),
            }),
            Self::BalanceLow { key, micros } => json!({
                "key": key.id,
                "title": format!("The balance of key {} ({}) is low", key.id, key.label),
                "says": format!("{} are left.", dollars(*micros)),
            }),
            Self::Payment { says, .. } => json!({ "title": "A payment needs a look", "says": says }),
            Self::Processor { title, says, invoice, .. } => json!({ "title": title, "says": says, "invoice": invoice }),
            Self::QueueStuck { minutes } => json!({
                "title": "The job queue stands still",
                "says": format!("A job that is due has waited for {minutes} minutes. Is a worker running?"),
            }),
            Self::DeadJob { id, class, attempts } => json!({
                "title": format!("A job has died: {class}"),
                "says": format!(
                    "Job {id} failed {attempts} times and is not tried again. nproxy task job_list shows why, \
                     nproxy task job_retry job:{id} tries it once more."
                ),
            }),
            Self::DeadTask { id, task, attempts } => json!({
                "title": format!("A task fails: {task}"),
                "says": format!(
                    "Job {id} failed {attempts} times; the next one that works ends this. nproxy task job_list shows why, \
                     nproxy task job_retry job:{id} tries it now."
                ),
            }),
            Self::PairingGuesses => json!({
                "title": "Somebody guesses pairing codes",
                "says": "Too many wrong codes were typed at the server's console. Further ones are refused for a while.",
            }),
            Self::BackupOld { hours } => json!({
                "title": "The last backup is old",
                "says": match hours {
                    Some(hours) => format!("It was taken {hours} hours ago. nproxy task backup says why none followed."),
                    None => "None was ever taken. nproxy task backup says why.".to_owned(),
                },
            }),
        }
    }
}

fn key_subject(id: i64) -> String {
    format!("key:{id}")
}
