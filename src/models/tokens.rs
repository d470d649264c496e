//! Tokens that open something: 256 random bits for the person, their SHA-256 for the database. The types keep the two
//! apart: a plain token cannot be stored, a hash cannot be mailed, and neither shows itself in `Debug`.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryRngCore;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const TOKEN_BYTES: usize = 32;

/// What the person holds; 43 characters of URL-safe base64.
pub struct PlainToken(String);

/// What the database holds; lower-case hex.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedToken(String);

impl PlainToken {
    #[must_use]
    #[expect(clippy::expect_used, reason = "without randomness from the operating system nothing may go on")]
    pub fn mint() -> Self {
        let mut bytes = [0_u8; TOKEN_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A token as it came back in a cookie or a form.
    #[must_use]
    pub fn received(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn hashed(&self) -> HashedToken {
        HashedToken(hex(&Sha256::digest(self.0.as_bytes())))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl HashedToken {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(…)")
    }
}

impl fmt::Debug for HashedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedToken(…)")
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// HMAC-SHA256: a hash that says nothing without its key.
#[must_use]
pub fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let block = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(block(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block(0x5c)).chain_update(inner).finalize().into()
}

/// An id as a token that nobody else can make: the same each time, so that it can be shown again.
#[must_use]
pub fn seal(key: &[u8; 32], pid: Uuid) -> String {
    let mut token = pid.as_bytes().to_vec();
    token.extend(hmac(key, pid.as_bytes()));
    URL_SAFE_NO_PAD.encode(token)
}

/// The id in a token; none in one that was sealed with none of these keys.
#[must_use]
pub fn unseal(keys: &[[u8; 32]], token: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (pid, sealed) = bytes.split_at_checked(16)?;
    let pid = Uuid::from_slice(pid).ok()?;
    keys.iter().any(|key| is_same(&hmac(key, pid.as_bytes()), sealed)).then_some(pid)
}

/// In a time that does not depend on where they differ.
fn is_same(expected: &[u8], sealed: &[u8]) -> bool {
    let differs = expected
        .iter()
        .zip(sealed)
        .fold(expected.len() ^ sealed.len(), |differs, (one, two)| differs | usize::from(one ^ two));
    differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 1. Its key of 20 bytes is filled up with zeros, as the rule says.
    #[test]
    fn hmac_is_the_standards() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hex(&hmac(&key, b"Hi There")), expected);
    }
}
