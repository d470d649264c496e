use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;

use super::{Balance, Failure, Http, Output, ProxyUrl, Request, gemini};

/// How long the test of a key may take when a person is waiting for it.
pub const CHECK_DEADLINE: Duration = Duration::from_secs(20);

/// Who makes the pictures. A new vendor is a variant and a file.
#[derive(Clone, Debug)]
pub enum Provider {
    Gemini(gemini::Gemini),
}

/// With what a call is made: one key and the way out that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    pub secret: &'a SecretString,
    /// `None` goes directly.
    pub proxy: Option<&'a ProxyUrl>,
}

/// The `settings.images` tree: what holds for every vendor, and one branch for each.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Certificate authorities (PEM) that are trusted beside the public ones; empty = none.
    pub ca_file: PathBuf,
    pub gemini: gemini::Config,
}

impl Settings {
    /// The provider a catalogue line names; `None` if there is no such vendor.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<Provider> {
        match name {
            gemini::NAME => Some(Provider::Gemini(gemini::Gemini::new(self.gemini.clone()))),
            _ => None,
        }
    }
}

impl Provider {
    /// As the catalogue and `provider_keys.provider` write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gemini(_) => gemini::NAME,
        }
    }

    /// Makes one picture. `deadline` covers everything, from the connection to the last byte of the answer.
    pub async fn generate(
        &self,
        http: &Http,
        access: Access<'_>,
        request: &Request<'_>,
        deadline: Duration,
    ) -> Result<Output, Failure> {
        match self {
            Self::Gemini(gemini) => gemini.generate(http, access, request, deadline).await,
        }
    }

    /// The cheapest question that only a working, funded key gets answered. Makes no picture. `deadline` as in
    /// [`Self::generate`]; [`CHECK_DEADLINE`] where a person waits.
    pub async fn check(&self, http: &Http, access: Access<'_>, deadline: Duration) -> Result<(), Failure> {
        match self {
            Self::Gemini(gemini) => gemini.check(http, access, deadline).await,
        }
    }

    /// What is left on the account behind the key; `None` if this vendor does not tell.
    pub async fn balance(&self, http: &Http, access: Access<'_>) -> Result<Option<Balance>, Failure> {
        match self {
            Self::Gemini(gemini) => gemini.balance(http, access).await,
        }
    }

    /// The vendor's ids of the models that this key may use; `None` if it keeps no list.
    pub async fn list_models(&self, http: &Http, access: Access<'_>) -> Result<Option<Vec<String>>, Failure> {
        match self {
            Self::Gemini(gemini) => gemini.list_models(http, access).await,
        }
    }
}
