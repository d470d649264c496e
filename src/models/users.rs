//! The person: registers, proves the address, signs in, sets a new password.

mod credentials;
pub mod links;
mod roles;
pub mod seeds;

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait,
    EnumIter, ExprTrait, QueryFilter, TryInsertResult, sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::users::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    allowances, begin, clock, sessions, text,
    tokens::PlainToken,
};
use crate::{
    context::Nproxy,
    mailers::accounts::{Letter, Occasion},
    workers::{Durable, deliver_mail::DeliverMail},
};

pub use super::_entities::users::Model;
pub use credentials::{PASSWORD_MAX, PASSWORD_MIN, password_fault};
pub use links::{LinkState, Purpose};
pub use roles::Role;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Status {
    New,
    Activated,
    Blocked,
}

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
}

/// How addresses are stored and compared.
#[must_use]
pub fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Opens an account and mails the activation link. An address that is taken is answered alike: its owner gets the mail
/// that helps (activation again, or a hint that the account exists), a stranger learns nothing.
///
/// # Errors
/// The database does not answer.
pub async fn register(ctx: &AppContext, email: &str, password: &str) -> Result<()> {
    let email = normalized(email);
    let password_hash = credentials::hash(password).await?;
    let txn = begin(&ctx.db).await?;
    let inserted = Entity::insert(draft(&txn, &email, password_hash).await?)
        .on_conflict_do_nothing_on([Column::Email])
        .exec(&txn)
        .await?;
    let user = by_email(&txn, &email).await?;
    let Some(user) = user else { return Ok(()) };
    let occasion = match (inserted, user.status()) {
        (TryInsertResult::Inserted(_), _) | (_, Status::New) => Occasion::Activation,
        (_, Status::Activated) => Occasion::AlreadyRegistered,
        (_, Status::Blocked) => return Ok(()),
    };
    let mail = DeliverMail::enqueue(&txn, &Letter { user: user.id, occasion }).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[mail]).await;
    Ok(())
}

/// # Errors
/// The database does not answer.
pub async fn sign_in(ctx: &AppContext, email: &str, password: &str) -> Result<SignIn> {
    let user = by_email(&ctx.db, &normalized(email)).await?;
    let matches = Model::password_matches(user.as_ref(), password).await?;
    let Some(user) = user else { return Ok(SignIn::Wrong) };
    match user.status() {
        Status::New => {
            user.mail(ctx, Occasion::Activation).await?;
            Ok(if matches { SignIn::Unverified } else { SignIn::Wrong })
        }
        Status::Activated if matches => Ok(SignIn::Welcome(user)),
        Status::Blocked if matches => Ok(SignIn::Blocked),
        Status::Activated | Status::Blocked => Ok(SignIn::Wrong),
    }
}

/// The button behind the mailed link: the account opens and gets its trial, once.
///
/// # Errors
/// The database does not answer.
pub async fn activate_by_link(ctx: &AppContext, token: &PlainToken) -> Result<std::result::Result<Model, LinkState>> {
    let txn = begin(&ctx.db).await?;
    let user_id = match links::redeem(&txn, Purpose::Activation, token).await? {
        Ok(user_id) => user_id,
        Err(state) => return Ok(Err(state)),
    };
    let Some(user) = by_id(&txn, user_id).await? else { return Ok(Err(LinkState::Unknown)) };
    let actor = Actor::User(user.id);
    let user = user.activate(ctx, &txn, &actor).await?;
    txn.commit().await?;
    Ok(Ok(user))
}

/// Forgotten password: mails a reset link, or the activation link while the address is not proved. Silent about whether
/// there is such an account.
///
/// # Errors
/// The database does not answer.
pub async fn request_reset(ctx: &AppContext, email: &str) -> Result<()> {
    match by_email(&ctx.db, &normalized(email)).await? {
        Some(user) if user.status() == Status::New => user.mail(ctx, Occasion::Activation).await,
        Some(user) if user.status() == Status::Activated => user.mail(ctx, Occasion::Reset).await,
        Some(_) | None => Ok(()),
    }
}

/// A new password through the mailed link; every session ends.
///
/// # Errors
/// The database does not answer.
pub async fn reset_password(
    ctx: &AppContext,
    token: &PlainToken,
    password: &str,
) -> Result<std::result::Result<Model, LinkState>> {
    let password_hash = credentials::hash(password).await?;
    let txn = begin(&ctx.db).await?;
    let user_id = match links::redeem(&txn, Purpose::Reset, token).await? {
        Ok(user_id) => user_id,
        Err(state) => return Ok(Err(state)),
    };
    let now = clock::now(&txn).await?;
    Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(password_hash))
        .col_expr(Column::SessionEpoch, Expr::col(Column::SessionEpoch).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(user_id))
        .exec(&txn)
        .await?;
    sessions::revoke_all(&txn, user_id).await?;
    let Some(user) = by_id(&txn, user_id).await? else { return Ok(Err(LinkState::Unknown)) };
    txn.commit().await?;
    Ok(Ok(user))
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

/// # Errors
/// The database does not answer.
pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Email.eq(email)).one(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps users.status to these words")]
    pub fn status(&self) -> Status {
        Status::try_from_value(&self.status).expect("users.status")
    }

    #[must_use]
    pub fn email(&self) -> &str {
        self.email.as_deref().unwrap_or_default()
    }

    /// Puts a mail on its way; written when it is sent, from this id and the occasion alone.
    pub(crate) async fn mail(&self, ctx: &AppContext, occasion: Occasion) -> Result<()> {
        let job = DeliverMail::enqueue(&ctx.db, &Letter { user: self.id, occasion }).await?;
        ctx.parts().jobs().hint(&[job]).await;
        Ok(())
    }

    /// `new → activated` with the trial, in the caller's transaction; nothing happens to an account that is not new.
    async fn activate(self, ctx: &AppContext, txn: &DatabaseTransaction, actor: &Actor) -> Result<Self> {
        if self.status() != Status::New {
            return Ok(self);
        }
        let user = self.open(txn, actor).await?;
        allowances::grant_trial(ctx, txn, &user, actor).await?;
        Ok(user)
    }

    /// The change of status alone.
    async fn open(self, txn: &DatabaseTransaction, actor: &Actor) -> Result<Self> {
        let now = clock::now(txn).await?;
        let opened = Entity::update_many()
            .col_expr(Column::Status, Expr::value(text(Status::Activated)))
            .col_expr(Column::ActivatedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::Id.eq(self.id))
            .filter(Column::Status.eq(Status::New))
            .exec(txn)
            .await?
            .rows_affected
            == 1;
        if !opened {
            return Ok(self);
        }
        activities::record(txn, actor, "activate_user", ("user", self.id), json!({})).await?;
        Ok(by_id(txn, self.id).await?.unwrap_or(self))
    }
}

async fn draft(db: &impl ConnectionTrait, email: &str, password_hash: String) -> Result<ActiveModel> {
    let now = clock::now(db).await?;
    Ok(ActiveModel {
        pid: Set(Uuid::now_v7()),
        email: Set(Some(email.to_owned())),
        password_hash: Set(Some(password_hash)),
        status: Set(text(Status::New)),
        role: Set(text(Role::User)),
        session_epoch: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    })
}
