//! Opening an account, and proving that its address is one's own.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr};

use super::{
    Column, Entity, LinkState, Model, NOBODY, Purpose, Status, by_email, by_id, credentials, draft, links, normalized,
};
use crate::{
    context::Nproxy,
    mailers::accounts::{Letter, Occasion},
    models::{
        activities::Actor,
        auth_events::{self, Action, Failure},
        begin, clock, insert_new,
        sessions::Client,
        switches::{self, Switch},
        throttles::{self, Refused},
        tokens::PlainToken,
    },
    workers::{Durable, deliver_mail::DeliverMail},
};

/// What became of a registration.
#[derive(Debug)]
pub enum Registration {
    /// A mail is on its way, to whoever owns the address.
    Mailed,
    /// An operator lets nobody new in at the moment.
    Closed,
    /// Too many before; this one was not looked at.
    TooOften(Refused),
}

/// What the button behind the mailed link opened.
#[derive(Debug)]
pub enum Activation {
    Open(Model),
    /// The account is open, and no password opens it: the address was registered with several. Whoever reads its mail
    /// chooses one by this.
    Contested(PlainToken),
    /// The link opens nothing.
    Link(LinkState),
}

/// Opens an account and mails the activation link. An address that is taken is answered alike, for the same work: its
/// owner gets the mail that helps (activation again, or a hint that the account exists), a stranger learns nothing.
///
/// A registration never replaces the password of another one. Which of two came from the person who reads the mail, and
/// which mail they press, nobody can tell; so with a second password none counts, and they choose one when they are there.
///
/// # Errors
/// The database does not answer.
pub async fn register(ctx: &AppContext, client: &Client, email: &str, password: &str) -> Result<Registration> {
    if switches::says(&ctx.db, Switch::SignUpsClosed).await?.is_some() {
        return Ok(Registration::Closed);
    }
    let email = normalized(email);
    let turns = throttles::registration(ctx, &email, client);
    let _counted = match throttles::take(&ctx.db, turns).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Registration::TooOften(refused)),
    };
    let password_hash = credentials::hash(password).await?;
    // Not in the transaction below: comparing takes a while, and many at once are all compared with what the first wrote.
    let is_new = insert_new(&ctx.db, draft(&ctx.db, &email, password_hash).await?).await?;
    let waiting = by_email(&ctx.db, &email).await?.filter(|user| user.status() == Status::New);
    let is_theirs = Model::password_matches(waiting.as_ref(), password).await?;
    let txn = begin(&ctx.db).await?;
    if !is_theirs {
        contest(&txn, &email).await?;
    }
    let user = by_email(&txn, &email).await?;
    let occasion = match user.as_ref().map(Model::status) {
        Some(Status::New) => Occasion::Activation,
        Some(Status::Activated | Status::Blocked) | None => Occasion::AlreadyRegistered,
    };
    let user_id = user.map(|user| user.id);
    auth_events::record(&txn, user_id, Action::Signup, (!is_new).then_some(Failure::Taken), client).await?;
    let mail = DeliverMail::enqueue(&txn, &Letter { user: user_id.unwrap_or(NOBODY), occasion }).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[mail]).await;
    Ok(Registration::Mailed)
}

async fn contest(txn: &DatabaseTransaction, email: &str) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(None::<String>))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
        .filter(Column::Email.eq(email))
        .filter(Column::Status.eq(Status::New))
        .exec(txn)
        .await?;
    Ok(())
}

/// The button behind the mailed link: the account opens and gets its trial, once.
///
/// # Errors
/// The database does not answer.
pub async fn activate_by_link(ctx: &AppContext, token: &PlainToken) -> Result<Activation> {
    let txn = begin(&ctx.db).await?;
    let link = match links::redeem(&txn, Purpose::Activation, token).await? {
        Ok(link) => link,
        Err(state) => return Ok(Activation::Link(state)),
    };
    let user = by_id(&txn, link.user_id).await?.filter(|user| user.status() != Status::Blocked);
    let Some(user) = user else { return Ok(Activation::Link(LinkState::Unknown)) };
    let actor = Actor::User(user.id);
    let user = user.activate(ctx, &txn, &actor).await?;
    let activation = match user.password_hash {
        Some(_) => Activation::Open(user),
        None => Activation::Contested(user.mint_link(&txn, Purpose::Reset, user.email()).await?),
    };
    txn.commit().await?;
    Ok(activation)
}

/// An operator opens the account of somebody whom the mail does not reach.
///
/// # Errors
/// The database does not answer.
pub async fn activate_by_hand(ctx: &AppContext, email: &str, actor: &Actor) -> Result<Option<Model>> {
    let txn = begin(&ctx.db).await?;
    let Some(user) = by_email(&txn, &normalized(email)).await? else { return Ok(None) };
    let user = user.activate(ctx, &txn, actor).await?;
    txn.commit().await?;
    Ok(Some(user))
}
