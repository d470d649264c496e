//! Passwords: Argon2id, computed beside the async threads and never more at once than there are cores.

use std::sync::LazyLock;

use loco_rs::{Error, Result, hash};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::Model;

pub const PASSWORD_MIN: usize = 10;
/// Longer input is refused before it is hashed.
pub const PASSWORD_MAX: usize = 256;

/// `zxcvbn` scores 0–4; 0 and 1 fall to a handful of guesses.
const WEAKEST_SCORE: zxcvbn::Score = zxcvbn::Score::Two;

/// Argon2id holds 19 MiB and a core while it works.
static HASHERS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)));

/// Compared with when there is no such account, so that an unknown address costs the same time.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash::hash_password("nobody has this password").unwrap_or_default());

/// Why a password is not taken, as a sentence for the form; `None` = it is fine.
#[must_use]
pub fn password_fault(password: &str, email: &str) -> Option<String> {
    if password.chars().count() < PASSWORD_MIN {
        return Some(format!("Use at least {PASSWORD_MIN} characters."));
    }
    if password.len() > PASSWORD_MAX {
        return Some(format!("Use at most {PASSWORD_MAX} characters."));
    }
    let name = email.split('@').next().unwrap_or_default();
    if zxcvbn::zxcvbn(password, &[email, name, "nproxy"]).score() < WEAKEST_SCORE {
        return Some("This password is too easy to guess. A few unrelated words make a good one.".into());
    }
    None
}

pub(super) async fn hash(password: &str) -> Result<String> {
    let password = password.to_owned();
    beside(move || hash::hash_password(&password)).await?
}

impl Model {
    /// Checks the password in constant work: an absent account is compared with nobody's hash.
    pub(super) async fn password_matches(this: Option<&Self>, password: &str) -> Result<bool> {
        if password.len() > PASSWORD_MAX {
            return Ok(false);
        }
        let stored = this.and_then(|user| user.password_hash.clone());
        let password = password.to_owned();
        beside(move || {
            let matches = hash::verify_password(&password, stored.as_ref().unwrap_or(&NOBODY));
            matches && stored.is_some()
        })
        .await
    }
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _one_core = HASHERS.acquire().await.map_err(Error::wrap)?;
    spawn_blocking(work).await.map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_told_why() {
        for (password, said) in [
            ("short", "at least 10"),
            ("aaaaaaaaaaaa", "too easy"),
            ("password123", "too easy"),
            ("ada@example.com", "too easy"),
            (&"x7!".repeat(100), "at most 256"),
        ] {
            let fault = password_fault(password, "ada@example.com").unwrap_or_default();
            assert!(fault.contains(said), "{password}: {fault:?}");
        }
        assert_eq!(password_fault("correct horse battery", "ada@example.com"), None);
    }
}
