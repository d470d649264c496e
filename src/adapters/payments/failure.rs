use std::{fmt, time::Duration};

pub use crate::adapters::images::Evidence;

/// Why a processor did not do as asked, sorted by what we do next and not by who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Our request is wrong. Nothing happened; repeating it changes nothing. An operator looks.
    Refused { evidence: Evidence },
    /// The processor does not accept our key, or the key may not do this. Nothing happened. An operator looks.
    Unauthorized { evidence: Evidence },
    /// Too many calls. Nothing happened; later, after `retry_after` if it is said.
    RateLimited { retry_after: Option<Duration>, evidence: Evidence },
    /// Never reached, or unwell while we only asked. Nothing happened; later.
    Unavailable { evidence: Evidence },
    /// A create was handed over and no usable answer came. [`Processor::find`](super::Processor::find) before any retry.
    Unknown { evidence: Evidence },
    /// The processor knows no such checkout or payment.
    NotFound { evidence: Evidence },
    /// The answer is not this processor's, or says what we do not understand. Nothing may be concluded; later, and an
    /// operator looks.
    Garbage { evidence: Evidence },
}

impl Failure {
    /// Stable, for rows and labels.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Unknown { .. } => "unknown",
            Self::NotFound { .. } => "not_found",
            Self::Garbage { .. } => "garbage",
        }
    }

    /// A checkout may exist that we have not heard of.
    #[must_use]
    pub fn may_have_created(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Only a person can mend it: a wrong setting, or a protocol that changed.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unauthorized { .. } | Self::Garbage { .. })
    }

    /// For operators' eyes only; never a secret.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        match self {
            Self::Refused { evidence }
            | Self::Unauthorized { evidence }
            | Self::RateLimited { evidence, .. }
            | Self::Unavailable { evidence }
            | Self::Unknown { evidence }
            | Self::NotFound { evidence }
            | Self::Garbage { evidence } => evidence,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class())?;
        if let Some(status) = self.evidence().http_status {
            write!(f, " ({status})")?;
        }
        write!(f, ": {}", self.evidence().detail)
    }
}

impl std::error::Error for Failure {}
