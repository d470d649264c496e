//! A password forgotten, and one changed from within.

use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::{
    Column, Confirmation, Entity, LinkState, Model, NOBODY, Purpose, Status, by_email, by_id, credentials, links, mail,
    normalized,
};
use crate::{
    context::Nproxy,
    mailers::accounts::{Letter, Occasion},
    models::{
        activities::{self, Actor},
        begin, clock,
        sessions::{self, Client},
        throttles::{self, Refused},
        tokens::PlainToken,
    },
    workers::{Durable, deliver_mail::DeliverMail},
};

/// Forgotten password: mails a reset link, or the activation link while the address is not proved. Silent about whether
/// there is such an account: for everybody one job, which sends nothing where there is nothing to send.
///
/// # Errors
/// The database does not answer.
pub async fn request_reset(ctx: &AppContext, client: &Client, email: &str) -> Result<std::result::Result<(), Refused>> {
    let email = normalized(email);
    let _counted = match throttles::take(&ctx.db, throttles::mail(ctx, &email, client)).await? {
        Ok(taken) => taken,
        Err(refused) => return Ok(Err(refused)),
    };
    let user = by_email(&ctx.db, &email).await?;
    let occasion = match user.as_ref().map(Model::status) {
        Some(Status::New) => Occasion::Activation,
        Some(Status::Activated | Status::Blocked) | None => Occasion::Reset,
    };
    mail(ctx, user.map_or(NOBODY, |user| user.id), occasion).await?;
    Ok(Ok(()))
}

/// A new password through the mailed link; every session and every other link ends.
///
/// # Errors
/// The database does not answer.
pub async fn reset_password(
    ctx: &AppContext,
    token: &PlainToken,
    password: &str,
) -> Result<std::result::Result<Model, LinkState>> {
    // Only a link that opens something is worth a hash.
    match links::state_of(&ctx.db, Purpose::Reset, token).await? {
        LinkState::Open => {}
        state => return Ok(Err(state)),
    }
    let password_hash = credentials::hash(password).await?;
    let txn = begin(&ctx.db).await?;
    let link = match links::redeem(&txn, Purpose::Reset, token).await? {
        Ok(link) => link,
        Err(state) => return Ok(Err(state)),
    };
    let user = by_id(&txn, link.user_id).await?.filter(|user| user.status() == Status::Activated);
    let Some(user) = user else { return Ok(Err(LinkState::Unknown)) };
    let user = user.set_password(&txn, password_hash).await?;
    sessions::revoke_all(&txn, user.id).await?;
    activities::record(&txn, &Actor::User(user.id), "reset_password", ("user", user.id), json!({})).await?;
    txn.commit().await?;
    Ok(Ok(user))
}

impl Model {
    /// A new password from within: all other sessions and all links end, and the owner is told by mail.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn change_password(
        &self,
        ctx: &AppContext,
        client: &Client,
        here: &sessions::Model,
        current: &str,
        new: &str,
    ) -> Result<Confirmation> {
        match self.confirm(ctx, client, current).await? {
            Confirmation::Right => {}
            not => return Ok(not),
        }
        let password_hash = credentials::hash(new).await?;
        let txn = begin(&ctx.db).await?;
        let user = self.set_password(&txn, password_hash).await?;
        sessions::revoke_others(&txn, &user, here).await?;
        here.follow(&txn, &user).await?;
        activities::record(&txn, &Actor::User(user.id), "change_password", ("user", user.id), json!({})).await?;
        let letter = Letter { user: user.id, occasion: Occasion::PasswordChanged };
        let mail = DeliverMail::enqueue(&txn, &letter).await?;
        txn.commit().await?;
        ctx.parts().jobs().hint(&[mail]).await;
        Ok(Confirmation::Right)
    }

    /// With the old password goes everything that was begun under it: sessions, links, a change of address.
    async fn set_password(&self, txn: &DatabaseTransaction, password_hash: String) -> Result<Self> {
        Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(password_hash))
            .col_expr(Column::SessionEpoch, Expr::col(Column::SessionEpoch).add(1))
            .col_expr(Column::UnconfirmedEmail, Expr::value(None::<String>))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(txn)
            .await?;
        links::supersede_all(txn, self.id).await?;
        Ok(by_id(txn, self.id).await?.unwrap_or_else(|| self.clone()))
    }
}
