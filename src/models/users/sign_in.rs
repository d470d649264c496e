//! Coming in by the front door.

use loco_rs::{Result, app::AppContext};

use super::{Model, NOBODY, Status, by_email, normalized};
use crate::{
    context::Nproxy,
    mailers::accounts::{Letter, Occasion},
    models::{
        auth_events::{self, Action, Failure},
        begin,
        sessions::Client,
        throttles::{self, Refused},
    },
    workers::{Durable, deliver_mail::DeliverMail},
};

/// What became of a sign-in.
#[derive(Debug)]
pub enum SignIn {
    Welcome(Model),
    /// Right password, address not proved yet: a link is on its way.
    Unverified,
    /// Right password, account blocked.
    Blocked,
    /// No such account or wrong password: the two look alike.
    Wrong,
    /// Too many wrong ones before; this one was not looked at.
    TooOften(Refused),
}

/// Whoever does not know the password learns nothing about the account, from the answer or from the time it takes: each
/// wrong try, also for an address that nobody has, counts the same limits, computes one hash, writes one event and one
/// job. Only for an address that waits for its proof the job sends something, the link.
///
/// # Errors
/// The database does not answer.
pub async fn sign_in(ctx: &AppContext, client: &Client, email: &str, password: &str) -> Result<SignIn> {
    let email = normalized(email);
    let user = by_email(&ctx.db, &email).await?;
    let is_known_address = auth_events::knows(&ctx.db, user.as_ref(), client).await?;
    let taken = match throttles::take(&ctx.db, throttles::login(ctx, &email, client, is_known_address)).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(SignIn::TooOften(refused)),
    };
    if !Model::password_matches(user.as_ref(), password).await? {
        turn_away(ctx, client, user.map(|user| user.id), Failure::WrongPassword).await?;
        return Ok(SignIn::Wrong);
    }
    taken.give_back(&ctx.db).await?;
    let Some(user) = user else { return Ok(SignIn::Wrong) };
    match user.status() {
        Status::Activated => Ok(SignIn::Welcome(user)),
        Status::New => {
            turn_away(ctx, client, Some(user.id), Failure::Unverified).await?;
            Ok(SignIn::Unverified)
        }
        Status::Blocked => {
            turn_away(ctx, client, Some(user.id), Failure::Blocked).await?;
            Ok(SignIn::Blocked)
        }
    }
}

async fn turn_away(ctx: &AppContext, client: &Client, user: Option<i64>, failure: Failure) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    auth_events::record(&txn, user, Action::Login, Some(failure), client).await?;
    let letter = Letter { user: user.unwrap_or(NOBODY), occasion: Occasion::Activation };
    let mail = DeliverMail::enqueue(&txn, &letter).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[mail]).await;
    Ok(())
}
