//! Secrets at rest: XChaCha20-Poly1305 with a random nonce. The place (`table|column|row id`) is bound in, so that a
//! sealed text moved to another row does not open; the key's id goes in front, so that a rotation finds what is old.

pub mod rotation;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use loco_rs::{Error, Result};
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};

use crate::settings::Settings;

const NONCE_BYTES: usize = 24;

#[derive(Clone)]
pub struct Vault {
    current: Lock,
    /// What was sealed before the key was changed opens as well.
    previous: Option<Lock>,
}

#[derive(Clone)]
struct Lock {
    cipher: XChaCha20Poly1305,
    key_id: String,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.current.key_id).finish_non_exhaustive()
    }
}

impl Vault {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let lock = |settings: &Settings| Lock {
            cipher: XChaCha20Poly1305::new(&Key::from(settings.derived_key("vault"))),
            key_id: settings.secret_key_id(),
        };
        Self { current: lock(settings), previous: settings.before().as_ref().map(lock) }
    }

    /// Names the key that seals, without showing it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.current.key_id
    }

    /// Was this sealed under the key that seals now?
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        sealed.split('.').nth(1) == Some(&self.current.key_id)
    }

    /// `v1.KEYID.base64(nonce ‖ ciphertext)`
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn seal(&self, place: &str, secret: &SecretString) -> Result<String> {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut nonce).map_err(|_| Error::string("no random bytes"))?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: place.as_bytes() };
        let sealed = self
            .current
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::string("a secret could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        Ok(format!("v1.{}.{}", self.current.key_id, STANDARD.encode(bytes)))
    }

    /// # Errors
    /// Sealed under another `NPROXY_SECRET_KEY`, for another place, or damaged.
    pub fn open(&self, place: &str, sealed: &str) -> Result<SecretString> {
        let refuse = |why: &str| Error::Message(format!("a sealed secret ({place}) does not open: {why}"));
        let mut parts = sealed.splitn(3, '.');
        let (Some("v1"), Some(key_id), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse("not in the vault's form"));
        };
        let known = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        let Some(lock) = known.into_iter().find(|lock| lock.key_id == key_id) else {
            return Err(refuse("it was sealed under another NPROXY_SECRET_KEY"));
        };
        let bytes = STANDARD.decode(body).map_err(|_| refuse("not base64"))?;
        let Some((nonce, ciphertext)) = bytes.split_first_chunk::<NONCE_BYTES>() else {
            return Err(refuse("too short"));
        };
        let plain = lock
            .cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: place.as_bytes() })
            .map_err(|_| refuse("it was changed, or belongs to another row"))?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| refuse("not text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(secret: &str) -> Vault {
        after(secret, "")
    }

    fn after(secret: &str, previous: &str) -> Vault {
        let settings = serde_json::from_value::<Settings>(serde_json::json!({
            "app_url": "http://localhost", "secret_key": secret, "secret_key_previous": previous, "mailer_from": "x@example.com",
            "catalogue": "config/catalogue.yaml",
            "storage": { "dir": "data", "s3_secret_access_key": "" },
            "images": {}, "sandbox": { "on": false, "port": 1, "smtp_port": 2 },
        }))
        .unwrap();
        Vault::new(&settings)
    }

    #[test]
    fn opens_only_in_its_place_and_under_its_key() {
        let ours = vault("one secret of more than thirty-two bytes");
        let sealed = ours.seal("provider_keys|secret_enc|1", &"canary-secret".into()).unwrap();

        assert!(!sealed.contains("canary"));
        assert_ne!(sealed, ours.seal("provider_keys|secret_enc|1", &"canary-secret".into()).unwrap());
        assert_eq!(ours.open("provider_keys|secret_enc|1", &sealed).unwrap().expose_secret(), "canary-secret");
        assert!(ours.open("provider_keys|secret_enc|2", &sealed).is_err());
        assert!(vault("another secret of thirty-two bytes or so").open("provider_keys|secret_enc|1", &sealed).is_err());
        assert!(ours.open("provider_keys|secret_enc|1", "v1.garbage").is_err());
    }

    #[test]
    fn a_changed_key_still_opens_what_was_sealed_before() {
        let (old, new) = ("one secret of more than thirty-two bytes", "the next secret of more than thirty-two bytes");
        let sealed = vault(old).seal("proxies|url_enc|1", &"canary".into()).unwrap();
        let both = after(new, old);
        assert_eq!(both.open("proxies|url_enc|1", &sealed).unwrap().expose_secret(), "canary");
        assert!(!both.is_current(&sealed));
        let anew = both.seal("proxies|url_enc|1", &"canary".into()).unwrap();
        assert!(both.is_current(&anew));
        assert!(
            vault(new).open("proxies|url_enc|1", &anew).is_ok()
                && vault(new).open("proxies|url_enc|1", &sealed).is_err()
        );
    }
}
