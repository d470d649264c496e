use std::{fmt, time::Duration};

/// Why there is no picture, sorted by what we do next and not by who said it.
///
/// Every vendor's answers map onto these classes in one place per vendor; the key pool knows only them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The person's request was declined. Stop and tell them; the key is innocent.
    Refused { reason: Refusal, evidence: Evidence },
    /// The vendor answered well and sent no picture. One more key at most; the key is innocent.
    Empty { evidence: Evidence },
    /// Too many calls on this key. Next key; this one rests for `retry_after`, or the pool's own default if `None`.
    /// `per_day`: a daily quota is used up and `retry_after` reaches to the vendor's reset.
    RateLimited { retry_after: Option<Duration>, per_day: bool, evidence: Evidence },
    /// The account behind the key cannot pay. Next key; an admin tops up.
    OutOfFunds { evidence: Evidence },
    /// The vendor does not accept this key. Next key; an admin looks.
    Credential { evidence: Evidence },
    /// This key cannot use this model, or the model is gone. Next key; this pair rests.
    ModelAccess { evidence: Evidence },
    /// The vendor is unwell and made nothing. Next key, with a strike.
    Transient { evidence: Evidence },
    /// The vendor was never reached: name, connection or TLS. Next key, with a strike.
    NotSent { evidence: Evidence },
    /// The request was written and no usable answer came: a picture may have been made and billed. Never retried blindly.
    Ambiguous { evidence: Evidence },
    /// The proxy's doing, not the key's. `request_sent`: the request had already been handed over, so it must not be
    /// repeated directly.
    ProxyFault { request_sent: bool, evidence: Evidence },
    /// Ours: a bug or a wrong setting. Nothing was asked of anybody.
    OurFault { evidence: Evidence },
}

/// What the person is told about a refusal, and nothing more: vendors' own words name the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The prompt (or the picture sent along) was blocked before anything was made.
    Prompt,
    /// A picture was made, or begun, and held back.
    Output,
    /// Held back for being too close to existing work.
    Recitation,
    /// The request could not be accepted as it is: too large, or a parameter the model does not take.
    BadInput,
}

/// What an operator may see of a failure: never a secret, never a prompt, never shown to the person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The status of the HTTP answer, if there was one.
    pub http_status: Option<u16>,
    /// At most [`Evidence::DETAIL_CHARS`] characters, none of them control characters.
    pub detail: String,
}

impl Failure {
    /// Stable, stored in `attempts.outcome` and used as a metric label.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Empty { .. } => "empty",
            Self::RateLimited { .. } => "rate_limited",
            Self::OutOfFunds { .. } => "out_of_funds",
            Self::Credential { .. } => "credential",
            Self::ModelAccess { .. } => "model_access",
            Self::Transient { .. } => "transient",
            Self::NotSent { .. } => "not_sent",
            Self::Ambiguous { .. } => "ambiguous",
            Self::ProxyFault { .. } => "proxy_fault",
            Self::OurFault { .. } => "our_fault",
        }
    }

    /// Another key, or another moment, may do better. Only a refusal would be repeated word for word.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// Counts towards the key's consecutive failures.
    #[must_use]
    pub fn is_strike(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::NotSent { .. } | Self::Ambiguous { .. })
    }

    /// A picture may have been made, and billed, that we will never see.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Ambiguous { .. } => true,
            Self::ProxyFault { request_sent, evidence } => {
                // Turned away or sent elsewhere is not run; given up on may be.
                *request_sent
                    && evidence
                        .http_status
                        .is_none_or(|status| !(300..500).contains(&status) || matches!(status, 408 | 499))
            }
            Self::Refused { .. }
            | Self::Empty { .. }
            | Self::RateLimited { .. }
            | Self::OutOfFunds { .. }
            | Self::Credential { .. }
            | Self::ModelAccess { .. }
            | Self::Transient { .. }
            | Self::NotSent { .. }
            | Self::OurFault { .. } => false,
        }
    }

    /// The same key may be tried once more without its proxy: nothing has passed through it.
    #[must_use]
    pub fn may_go_direct(&self) -> bool {
        matches!(self, Self::ProxyFault { request_sent: false, .. })
    }

    /// The same of a call that only reads: nothing can have been made by it, and it may be repeated.
    #[must_use]
    pub(super) fn of_reading(self) -> Self {
        match self {
            Self::Ambiguous { evidence } => Self::Transient { evidence },
            Self::ProxyFault { evidence, .. } => Self::ProxyFault { request_sent: false, evidence },
            other => other,
        }
    }

    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.evidence().http_status
    }

    /// For operators' eyes only; see [`Evidence`].
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.evidence().detail
    }

    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        match self {
            Self::Refused { evidence, .. }
            | Self::Empty { evidence }
            | Self::RateLimited { evidence, .. }
            | Self::OutOfFunds { evidence }
            | Self::Credential { evidence }
            | Self::ModelAccess { evidence }
            | Self::Transient { evidence }
            | Self::NotSent { evidence }
            | Self::Ambiguous { evidence }
            | Self::ProxyFault { evidence, .. }
            | Self::OurFault { evidence } => evidence,
        }
    }

    /// Something of ours is wrong; `what` must hold nothing private.
    #[must_use]
    pub fn ours(what: impl fmt::Display) -> Self {
        Self::OurFault { evidence: Evidence::new(None, &what.to_string(), &[]) }
    }
}

impl Refusal {
    /// Stable, stored beside the class.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Output => "output",
            Self::Recitation => "recitation",
            Self::BadInput => "bad_input",
        }
    }
}

impl Evidence {
    pub const DETAIL_CHARS: usize = 500;
    /// Shorter texts are not hidden: no secret is that short, and hiding the prompt "a" would hide every a.
    const SHORTEST_PRIVATE_CHARS: usize = 4;

    /// Cleans `detail`. `private` is what it must not repeat: the key, the proxy's password, the prompt. Vendors do echo
    /// them (`Consumer 'api_key:AIza…' has been suspended`), so they go before the text is cut: half a key is a key too.
    #[must_use]
    pub fn new(http_status: Option<u16>, detail: &str, private: &[&str]) -> Self {
        let mut text = detail.to_owned();
        for private in private.iter().map(|it| it.trim()) {
            if private.chars().count() >= Self::SHORTEST_PRIVATE_CHARS {
                text = text.replace(private, "***");
            }
        }
        let detail = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(Self::DETAIL_CHARS)
            .collect::<String>()
            .trim()
            .to_owned();
        Self { http_status, detail }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class())?;
        if let Some(status) = self.http_status() {
            write!(f, " ({status})")?;
        }
        write!(f, ": {}", self.detail())
    }
}

impl std::error::Error for Failure {}
