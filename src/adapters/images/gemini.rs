//! Google Gemini: `POST {base}/v1beta/models/{model}:generateContent`, the key in `x-goog-api-key`.
//!
//! ```text
//! {"contents":[{"role":"user","parts":[{"text":…},{"inlineData":{"mimeType":…,"data":base64}}]}],
//!  "generationConfig":{"responseModalities":["IMAGE"],"imageConfig":{"aspectRatio":"16:9","imageSize":"1K"}}}
//! ```
//! Text to image and image to image are the same call; one call makes one picture. The answer carries the picture as
//! base64 in `candidates[0].content.parts[].inlineData`; a refusal is often a 200 without one.

mod answer;
mod classify;
mod glance;
mod listing;
mod one_api;
mod reading;
mod request;
mod retry;

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

pub use self::{answer::read, classify::classify, request::body};
use super::{Access, Balance, Evidence, Failure, Http, Output, Refusal, Request, answer::Reply, http::Call};

/// As the catalogue and `provider_keys.provider` write it.
pub const NAME: &str = "gemini";

const KEY_HEADER: HeaderName = HeaderName::from_static("x-goog-api-key");
/// A 32 MiB picture as base64 (43 MiB), its drafts' leftovers and the JSON around it.
const MAX_ANSWER_BYTES: usize = 48 * 1024 * 1024;

/// The vendor with its settings; holds no key.
#[derive(Clone, Debug)]
pub struct Gemini {
    config: Config,
}

/// The `settings.images.gemini` tree.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API lives, without `/v1beta`. Default `https://generativelanguage.googleapis.com`; the sandbox or a
    /// reseller otherwise.
    #[serde(deserialize_with = "crate::settings::url_from_text")]
    pub base_url: Url,
    /// The model a key is tested with: text, cheap, and an alias so that it is not retired. Default
    /// `gemini-flash-lite-latest`.
    pub text_model: String,
    /// `BLOCK_NONE`, `BLOCK_ONLY_HIGH` … for every harm category; `None` (default) leaves the vendor's own threshold.
    pub safety_threshold: Option<String>,
    /// Bytes of JSON sent at most, pictures included; the vendor refuses inline requests above 20 MB (default).
    pub max_request_bytes: usize,
    /// Where a key's balance is read. Default nowhere: Google tells none.
    pub balance: BalanceSource,
}

/// Who tells what is left on a key's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalanceSource {
    #[default]
    #[serde(rename = "")]
    Nobody,
    /// A reseller whose gateway is one-api, new-api or one of their kin.
    OneApi,
}

impl Default for Config {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant that every test parses")]
        let base_url = Url::parse("https://generativelanguage.googleapis.com").expect("a URL");
        Self {
            base_url,
            text_model: "gemini-flash-lite-latest".to_owned(),
            safety_threshold: None,
            max_request_bytes: 20_000_000,
            balance: BalanceSource::Nobody,
        }
    }
}

impl Gemini {
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    pub(super) async fn generate(
        &self,
        http: &Http,
        access: Access<'_>,
        request: &Request<'_>,
        deadline: Duration,
    ) -> Result<Output, Failure> {
        let body = request::body(&self.config, request).map_err(Failure::ours)?;
        if body.len() > self.config.max_request_bytes {
            let evidence = Evidence::new(None, &format!("{} bytes are too many for one request", body.len()), &[]);
            return Err(Failure::Refused { reason: Refusal::BadInput, evidence });
        }
        let private = private(access, request.prompt);
        let reply = self.call(http, access, request.wire_model, body, deadline, &private).await?;
        answer::read(&reply.answer(&private))
    }

    /// One token of text: unlike a list of models it is refused when the account cannot pay.
    pub(super) async fn check(&self, http: &Http, access: Access<'_>, deadline: Duration) -> Result<(), Failure> {
        let private = private(access, "");
        let body = request::one_token();
        let reply = self.call(http, access, &self.config.text_model, body, deadline, &private).await?;
        answer::acknowledges(&reply.answer(&private))
    }

    pub(super) async fn balance(&self, http: &Http, access: Access<'_>) -> Result<Option<Balance>, Failure> {
        match self.config.balance {
            BalanceSource::Nobody => Ok(None),
            BalanceSource::OneApi => one_api::balance(&self.config.base_url, http, access).await.map(Some),
        }
    }

    pub(super) async fn list_models(&self, http: &Http, access: Access<'_>) -> Result<Option<Vec<String>>, Failure> {
        listing::models(&self.config.base_url, http, access).await
    }

    async fn call(
        &self,
        http: &Http,
        access: Access<'_>,
        model: &str,
        body: Vec<u8>,
        deadline: Duration,
        private: &[&str],
    ) -> Result<Reply, Failure> {
        let call = Call {
            url: address(&self.config.base_url, &["v1beta", "models", &format!("{model}:generateContent")])?,
            key: (KEY_HEADER, header(access.secret.expose_secret())?),
            body: Some(body),
            proxy: access.proxy,
            deadline,
            max_answer_bytes: MAX_ANSWER_BYTES,
            private,
        };
        http.send(call).await
    }
}

/// `path` below the base, whose own path stays.
fn address(base: &Url, path: &[&str]) -> Result<Url, Failure> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| Failure::ours("the base URL of gemini cannot carry a path"))?
        .pop_if_empty()
        .extend(path);
    Ok(url)
}

/// No header can carry a line break, so such a key never works.
fn header(secret: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(secret).map_err(|_| Failure::Credential {
        evidence: Evidence::new(None, "the key holds characters that no header can carry", &[]),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What no evidence of this call may repeat.
fn private<'a>(access: Access<'a>, prompt: &'a str) -> [&'a str; 3] {
    let password = access.proxy.and_then(|proxy| proxy.password()).unwrap_or_default();
    [access.secret.expose_secret(), password, prompt]
}
