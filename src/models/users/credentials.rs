//! Passwords: Argon2id, computed beside the async threads and never more at once than there are cores.

use std::sync::{Arc, LazyLock};

use loco_rs::{Error, Result, app::AppContext, hash};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::Model;
use crate::models::{
    sessions::Client,
    throttles::{self, Refused},
};

pub const PASSWORD_MIN: usize = 10;
/// Longer input is refused before it is hashed.
pub const PASSWORD_MAX: usize = 256;

/// `zxcvbn` scores 0–4; 0 and 1 fall to a handful of guesses.
const WEAKEST_SCORE: zxcvbn::Score = zxcvbn::Score::Two;

/// Argon2id holds 19 MiB and a core while it works.
static HASHERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Arc::new(Semaphore::new(cores))
});

/// Compared with when there is no such account, so that an unknown address costs the same time.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash::hash_password("nobody has this password").unwrap_or_default());

/// What became of a password that was asked for once more, inside the account.
#[derive(Debug)]
pub enum Confirmation {
    Right,
    Wrong,
    /// Too many wrong ones before; this one was not looked at.
    TooOften(Refused),
}

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
    beside(&HASHERS, move || hash::hash_password(&password)).await?
}

impl Model {
    /// Is it really the owner who sits here?
    pub(super) async fn confirm(&self, ctx: &AppContext, client: &Client, password: &str) -> Result<Confirmation> {
        let taken = match throttles::take(&ctx.db, throttles::confirmation(self.id, client)).await? {
            Ok(taken) => taken,
            Err(refused) => return Ok(Confirmation::TooOften(refused)),
        };
        if !Self::password_matches(Some(self), password).await? {
            return Ok(Confirmation::Wrong);
        }
        taken.give_back(&ctx.db).await?;
        Ok(Confirmation::Right)
    }

    /// Checks the password in constant work: an absent account is compared with nobody's hash.
    pub(super) async fn password_matches(this: Option<&Self>, password: &str) -> Result<bool> {
        if password.len() > PASSWORD_MAX {
            return Ok(false);
        }
        let stored = this.and_then(|user| user.password_hash.clone());
        let password = password.to_owned();
        beside(&HASHERS, move || {
            let matches = hash::verify_password(&password, stored.as_ref().unwrap_or(&NOBODY));
            matches && stored.is_some()
        })
        .await
    }
}

/// A core goes with the work: whoever hangs up does not end it, and must not make room for the next before it ends.
async fn beside<T: Send + 'static>(cores: &Arc<Semaphore>, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let core = cores.clone().acquire_owned().await.map_err(Error::wrap)?;
    let done = spawn_blocking(move || {
        let done = work();
        drop(core);
        done
    });
    done.await.map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        time::Duration,
    };

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    /// X61: however many ask at once, no more passwords are computed at a time than there are cores.
    #[tokio::test(flavor = "multi_thread")]
    async fn passwords_take_turns() {
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let work = || {
            MOST.fetch_max(AT_WORK.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(10));
            AT_WORK.fetch_sub(1, Ordering::SeqCst);
        };
        futures::future::join_all((0..40).map(|_| beside(&HASHERS, work))).await;
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        assert!((1..=cores).contains(&MOST.load(Ordering::SeqCst)));
    }

    /// X61: somebody who hangs up makes no room for the next while their password is still being computed.
    #[tokio::test]
    async fn who_hangs_up_frees_no_core() {
        let cores = Arc::new(Semaphore::new(1));
        let (begun, begins) = oneshot::channel();
        let (end, ends) = mpsc::channel();
        let password = beside(&cores, move || {
            begun.send(()).unwrap();
            ends.recv().unwrap();
        });

        tokio::select! {
            done = password => panic!("it lasts until it may end: {done:?}"),
            begun = begins => begun.unwrap(),
        }

        assert_eq!(cores.available_permits(), 0, "nobody waits for the hash any more, and it still has its core");
        end.send(()).unwrap();
        let next = timeout(Duration::from_secs(60), beside(&cores, || "the next")).await;
        assert_eq!(next.unwrap().unwrap(), "the next");
    }

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
