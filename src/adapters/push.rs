//! Web Push: a few words to a browser, through the push service that the browser itself names (RFC 8030). What is said is
//! encrypted for that browser (RFC 8291) and signed by us (RFC 8292), so the service learns neither. Its address came from
//! a stranger's browser: `public` keeps us from being led to a machine that only we can reach.

mod public;

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use p256::{
    PublicKey,
    ecdsa::{Signature, SigningKey, signature::Signer},
    elliptic_curve::rand_core::OsRng,
};
use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use web_push_native::Auth;

/// One message, from the connection to the answer.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a service keeps a message for a browser that is away.
const KEPT: Duration = Duration::from_secs(12 * 3600);
/// A signature opens the way for so long; services refuse more than a day.
const SIGNED_FOR: TimeDelta = TimeDelta::hours(12);
/// Theirs are a few hundred.
const ENDPOINT_MAX_BYTES: usize = 2000;

/// The `settings.push` tree.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A push service on our side of the wall, for tests and development, besides all public ones; `None` = none.
    #[serde(deserialize_with = "crate::settings::url_if_any")]
    pub service_url: Option<Url>,
}

/// What we sign with.
pub struct KeyPair(SigningKey);

/// Where one browser takes messages, and what it reads them with.
pub struct Target {
    endpoint: Url,
    key: PublicKey,
    auth: Auth,
}

/// What is said.
#[derive(Debug)]
pub struct Message<'a> {
    pub body: Vec<u8>,
    /// Of those with the same topic a service keeps only the last. At most 32 letters.
    pub topic: &'a str,
    /// Who to write to about us: an address of mail.
    pub contact: &'a str,
    pub now: DateTime<Utc>,
}

/// Why a message was not taken, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the browser takes no messages any more")]
    Gone,
    #[error("the push service refuses: {0}")]
    Refused(StatusCode),
    #[error("the push service does not take it now: {0}")]
    Silent(String),
}

/// The client for push services. Cheap to clone.
#[derive(Clone)]
pub struct Push {
    client: Client,
}

impl KeyPair {
    #[must_use]
    pub fn mint() -> Self {
        Self(SigningKey::random(&mut OsRng))
    }

    /// # Errors
    /// These are no key's letters.
    pub fn read(secret: &SecretString) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(secret.expose_secret()).map_err(|_| "not base64")?;
        SigningKey::from_slice(&bytes).map(Self).map_err(|_| "not a key".to_owned())
    }

    #[must_use]
    pub fn secret(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.0.to_bytes()).into()
    }

    /// As browsers want it: they tie their consent to it.
    #[must_use]
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.verifying_key().to_encoded_point(false))
    }

    /// `vapid t=…, k=…`
    fn sign(&self, target: &Target, contact: &str, now: DateTime<Utc>) -> String {
        let head = json!({ "typ": "JWT", "alg": "ES256" });
        let claims = json!({
            "aud": target.endpoint.origin().ascii_serialization(),
            "exp": (now + SIGNED_FOR).timestamp(),
            "sub": format!("mailto:{contact}"),
        });
        let said = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature: Signature = self.0.sign(said.as_bytes());
        format!("vapid t={said}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.to_bytes()), self.public())
    }
}

impl Target {
    /// What a browser says when it has asked its push service. `None` for what no browser of today says, and for an
    /// address that we do not go to.
    #[must_use]
    pub fn read(settings: &Settings, endpoint: &str, p256dh: &str, auth: &str) -> Option<Self> {
        if endpoint.len() > ENDPOINT_MAX_BYTES {
            return None;
        }
        let endpoint: Url = endpoint.parse().ok()?;
        let is_ours = settings.service_url.as_ref().is_some_and(|ours| ours.origin() == endpoint.origin());
        if !is_ours && !public::may_be_asked(&endpoint) {
            return None;
        }
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let auth = <[u8; 16]>::try_from(decode(auth)?).ok()?;
        let key = PublicKey::from_sec1_bytes(&decode(p256dh)?).ok()?;
        Some(Self { endpoint, key, auth: auth.into() })
    }
}

impl Push {
    /// # Errors
    /// Only if the TLS library cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        #[expect(clippy::disallowed_methods, reason = "this is where the client is built")]
        let client = Client::builder()
            .user_agent(concat!("nproxy/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(public::Names))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .build()?;
        Ok(Self { client })
    }

    /// # Errors
    /// By what to do next. What the service says is never read: only its status counts.
    pub async fn send(&self, keys: &KeyPair, target: &Target, message: Message<'_>) -> Result<(), Failure> {
        let sealed = web_push_native::encrypt(message.body, &target.key, &target.auth)
            .map_err(|_| Failure::Silent("the message could not be encrypted".to_owned()))?;
        let request = self
            .client
            .post(target.endpoint.clone())
            .header(AUTHORIZATION, keys.sign(target, message.contact, message.now))
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("ttl", KEPT.as_secs())
            .header("urgency", "normal")
            .header("topic", message.topic)
            .body(sealed);
        let status = match request.send().await {
            Ok(response) => response.status(),
            Err(error) => return Err(Failure::Silent(error.without_url().to_string())),
        };
        match status.as_u16() {
            200..=299 => Ok(()),
            404 | 410 => Err(Failure::Gone),
            408 | 429 | 500..=599 => Err(Failure::Silent(status.to_string())),
            _ => Err(Failure::Refused(status)),
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Whoever knows the address may try to write to that browser, so it stands in no log.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").finish_non_exhaustive()
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256DH: &str = "BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY";
    const AUTH: &str = "_ordMnz7uTCmrpBTeUV4Bw";

    fn is_read(endpoint: &str, p256dh: &str, auth: &str) -> bool {
        let settings = Settings { service_url: Some("http://127.0.0.1:5151".parse().unwrap()) };
        Target::read(&settings, endpoint, p256dh, auth).is_some()
    }

    #[test]
    fn only_what_a_browser_says_is_believed() {
        let endpoint = "https://push.example.com/send/abc";
        assert!(is_read(endpoint, P256DH, AUTH));
        assert!(is_read("http://127.0.0.1:5151/push/abc", P256DH, AUTH), "the one on our side");
        assert!(!is_read("http://127.0.0.1:5152/push/abc", P256DH, AUTH));
        let (short, long) = (&P256DH[1..], format!("{endpoint}{}", "a".repeat(2000)));
        for (endpoint, p256dh, auth) in [
            (endpoint, short, AUTH),
            (endpoint, "", AUTH),
            (endpoint, AUTH, AUTH),
            (endpoint, P256DH, ""),
            (endpoint, P256DH, "AAAA"),
            (long.as_str(), P256DH, AUTH),
            ("", P256DH, AUTH),
        ] {
            assert!(!is_read(endpoint, p256dh, auth), "{endpoint} {p256dh} {auth}");
        }
    }

    #[test]
    fn a_pair_is_kept_and_shows_no_secret() {
        let pair = KeyPair::mint();
        let again = KeyPair::read(&pair.secret()).unwrap();
        assert_eq!(pair.public(), again.public());
        assert_eq!(URL_SAFE_NO_PAD.decode(pair.public()).unwrap().len(), 65);
        assert!(!format!("{pair:?}").contains(pair.secret().expose_secret()));
        assert!(KeyPair::read(&"nonsense".to_owned().into()).is_err());
    }
}
