use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Sha256, Sha512};

/// The secrets that a webhook may be signed with: several, separated by commas, while one replaces another.
#[derive(Clone, Debug)]
pub struct WebhookSecrets(Vec<SecretString>);

impl WebhookSecrets {
    #[must_use]
    pub fn new(written: &SecretString) -> Self {
        let secrets = written.expose_secret().split(',').map(str::trim).filter(|it| !it.is_empty());
        Self(secrets.map(SecretString::from).collect())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// HMAC-SHA256 of `message` in lower-case hex, by any secret. Takes as long whichever it is.
    #[must_use]
    pub fn signed_sha256(&self, message: &[u8], hex: &str) -> bool {
        let Some(tag) = unhex::<32>(hex) else { return false };
        self.by_any(|secret| {
            Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(message).verify_slice(&tag).is_ok())
        })
    }

    /// As [`Self::signed_sha256`], with HMAC-SHA512.
    #[must_use]
    pub fn signed_sha512(&self, message: &[u8], hex: &str) -> bool {
        let Some(tag) = unhex::<64>(hex) else { return false };
        self.by_any(|secret| {
            Hmac::<Sha512>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(message).verify_slice(&tag).is_ok())
        })
    }

    fn by_any(&self, signed: impl Fn(&[u8]) -> bool) -> bool {
        self.0.iter().fold(false, |found, secret| signed(secret.expose_secret().as_bytes()) | found)
    }
}

/// Lower case only, as all processors write it: one spelling per signature.
fn unhex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if hex.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}
