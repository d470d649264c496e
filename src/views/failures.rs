//! Sentences for people: what happened, whether anything was charged, what to do. Nothing of what a provider said.

use crate::models::runs::{Model, Reason};

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The words or the settings have to change: they stand in the composer again.
    Edit,
    /// The same once more may work: a new run at a press.
    TryAgain,
}

/// Why there is no picture, with the charge fact.
#[must_use]
pub fn sentence(reason: Reason, run: &Model) -> String {
    let sentence = match reason {
        Reason::RefusedPrompt => {
            "The image service declined this prompt. You were not charged. Try rewording it, for example without names of real people."
        }
        Reason::RefusedOutput => {
            "The result was withheld by the image service's safety filter. You were not charged. Try again or change the prompt."
        }
        Reason::Recitation => {
            "The request is too close to protected work. You were not charged. Describe a scene of your own."
        }
        Reason::BadInput => {
            "The image service cannot make this picture as asked. You were not charged. Try other settings."
        }
        Reason::Empty => {
            "The image service answered without a picture. You were not charged. Try again or reword the prompt."
        }
        Reason::Unavailable => "Temporarily unavailable, nothing was charged. Try again in a few minutes.",
        Reason::Deadline => "No answer in time. You were not charged. Try again.",
        Reason::Storage => {
            return format!(
                "Something broke on our side. You were not charged. Try again. If it stays like this, send us the reference {}.",
                reference(run)
            );
        }
        Reason::Source => "The picture you started from could not be read. You were not charged. Choose it again.",
        Reason::Canceled => "Canceled. You were not charged.",
    };
    sentence.into()
}

/// For a single place in a batch.
#[must_use]
pub const fn short(reason: Reason) -> &'static str {
    match reason {
        Reason::RefusedPrompt => "Declined, not charged",
        Reason::RefusedOutput => "Withheld, not charged",
        Reason::Recitation => "Too close to protected work, not charged",
        Reason::BadInput => "Not possible as asked, not charged",
        Reason::Empty => "No picture came, not charged",
        Reason::Unavailable => "Unavailable, not charged",
        Reason::Deadline => "No answer in time, not charged",
        Reason::Storage => "Broken on our side, not charged",
        Reason::Source => "Start picture not readable, not charged",
        Reason::Canceled => "Canceled, not charged",
    }
}

/// The first is the one that most likely helps.
#[must_use]
pub const fn remedies(reason: Reason) -> &'static [Remedy] {
    match reason {
        Reason::RefusedPrompt | Reason::Recitation | Reason::BadInput | Reason::Source => &[Remedy::Edit],
        Reason::RefusedOutput
        | Reason::Empty
        | Reason::Unavailable
        | Reason::Deadline
        | Reason::Storage
        | Reason::Canceled => &[Remedy::TryAgain, Remedy::Edit],
    }
}

/// What a person can read out to us and an operator finds: the end of the run's pid.
#[must_use]
pub fn reference(run: &Model) -> String {
    let pid = run.pid.simple().to_string();
    pid[pid.len() - 12..].to_owned()
}
