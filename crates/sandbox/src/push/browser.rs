//! What a browser does with a message: `aes128gcm` (RFC 8188) under keys that it agreed on with the sender (RFC 8291).
//! Written from the standards, apart from the crate that nproxy encrypts with.

use aes_gcm::{Aes128Gcm, KeyInit, aead::Aead};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use p256::{
    PublicKey, SecretKey,
    ecdh::diffie_hellman,
    elliptic_curve::rand_core::{OsRng, RngCore},
};
use sha2::Sha256;

use super::Browser;

const SALT_BYTES: usize = 16;
const SIZE_BYTES: usize = 4;
/// Ends the last record; before it stand the words, behind it only zeros.
const LAST_RECORD: u8 = 2;

impl Browser {
    pub(super) fn new(sender: &str) -> Self {
        let (mut name, mut auth) = ([0; 24], [0; 16]);
        OsRng.fill_bytes(&mut name);
        OsRng.fill_bytes(&mut auth);
        Self {
            name: URL_SAFE_NO_PAD.encode(name),
            secret: SecretKey::random(&mut OsRng),
            auth,
            sender: sender.to_owned(),
        }
    }

    pub(super) fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.secret.public_key().to_sec1_bytes())
    }

    pub(super) fn secret_words(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.auth)
    }

    /// The words of one message; none for what is not for this browser, or was changed on its way.
    pub(super) fn read(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (salt, rest) = sealed.split_at_checked(SALT_BYTES)?;
        let (_record_size, rest) = rest.split_at_checked(SIZE_BYTES)?;
        let (length, rest) = rest.split_first()?;
        let (their_key, body) = rest.split_at_checked(usize::from(*length))?;

        let their_key = PublicKey::from_sec1_bytes(their_key).ok()?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), their_key.as_affine());
        let (mine, theirs) = (self.secret.public_key().to_sec1_bytes(), their_key.to_sec1_bytes());
        let mut secret = [0; 32];
        Hkdf::<Sha256>::new(Some(&self.auth), shared.raw_secret_bytes())
            .expand(&[b"WebPush: info\0", mine.as_ref(), theirs.as_ref()].concat(), &mut secret)
            .ok()?;

        let derive = Hkdf::<Sha256>::new(Some(salt), &secret);
        let (mut key, mut nonce) = ([0; 16], [0; 12]);
        derive.expand(b"Content-Encoding: aes128gcm\0", &mut key).ok()?;
        derive.expand(b"Content-Encoding: nonce\0", &mut nonce).ok()?;
        let mut words = Aes128Gcm::new(&key.into()).decrypt(&nonce.into(), body).ok()?;
        while words.last() == Some(&0) {
            words.pop();
        }
        (words.pop()? == LAST_RECORD).then_some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8291, section 5 and appendix A.
    #[test]
    fn it_reads_the_example_of_the_standard() {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let browser = Browser {
            name: String::new(),
            secret: SecretKey::from_slice(&decode("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")).unwrap(),
            auth: decode("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap(),
            sender: String::new(),
        };
        let sealed = decode(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
        );
        assert_eq!(browser.read(&sealed).unwrap(), b"When I grow up, I want to be a watermelon");
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(browser.read(&changed), None);
        assert_eq!(Browser::new("").read(&sealed), None, "another browser");
        assert_eq!(browser.read(&sealed[..40]), None);
    }
}
