//! A new address: asked for with the password, proved through a link that goes to it. Whether the address has an account
//! already is told to nobody who cannot read its mail.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, LockType},
};
use serde_json::json;

use super::{Column, Confirmation, Entity, LinkState, Model, Purpose, Status, by_email, by_id, links, normalized};
use crate::{
    context::Nproxy,
    mailers::accounts::{Letter, Occasion},
    models::{
        activities::{self, Actor},
        auth_events, begin, clock,
        sessions::Client,
        tokens::PlainToken,
    },
    workers::{Durable, deliver_mail::DeliverMail},
};

/// What became of the button behind the link.
#[derive(Debug)]
pub enum EmailChange {
    Changed(Model),
    /// Somebody has proved that address meanwhile.
    Taken,
    /// The link opens nothing.
    Link(LinkState),
}

/// # Errors
/// The database does not answer.
pub async fn confirm_email(ctx: &AppContext, token: &PlainToken) -> Result<EmailChange> {
    let txn = begin(&ctx.db).await?;
    let link = match links::redeem(&txn, Purpose::EmailChange, token).await? {
        Ok(link) => link,
        Err(state) => return Ok(EmailChange::Link(state)),
    };
    let user = by_id(&txn, link.user_id).await?.filter(|user| user.status() == Status::Activated);
    let (Some(user), Some(email)) = (user, link.email) else { return Ok(EmailChange::Link(LinkState::Unknown)) };
    let gone = give_way(&txn, &email).await?;
    if by_email(&txn, &email).await?.is_some() {
        return Ok(EmailChange::Taken);
    }
    Entity::update_many()
        .col_expr(Column::Email, Expr::value(email))
        .col_expr(Column::UnconfirmedEmail, Expr::value(None::<String>))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(&txn).await?))
        .filter(Column::Id.eq(user.id))
        .exec(&txn)
        .await?;
    // Links that lie in the old mailbox open nothing any more.
    links::supersede_all(&txn, user.id).await?;
    // The audit log comes after all people: who moves somebody's money takes the two in this order.
    if let Some(gone) = gone {
        let detail = json!({ "reason": "somebody else proved the address" });
        activities::record(&txn, &Actor::System, "delete_user", ("user", gone.id), detail).await?;
    }
    activities::record(&txn, &Actor::User(user.id), "change_email", ("user", user.id), json!({})).await?;
    let user = by_id(&txn, user.id).await?.unwrap_or(user);
    txn.commit().await?;
    Ok(EmailChange::Changed(user))
}

/// A registration that nobody proved loses its address to somebody who did, and is nobody's account from then on.
async fn give_way(txn: &DatabaseTransaction, email: &str) -> Result<Option<Model>> {
    let unproved = Entity::find().filter(Column::Email.eq(email)).filter(Column::Status.eq(Status::New));
    // Locked, because it may be proved at this moment too.
    let Some(unproved) = unproved.lock(LockType::NoKeyUpdate).one(txn).await? else { return Ok(None) };
    unproved.vanish(txn).await?;
    links::forget_all(txn, unproved.id).await?;
    auth_events::forget(txn, unproved.id).await?;
    Ok(Some(unproved))
}

impl Model {
    /// Asks for another address: a link goes there, a word about it to the present one. Until the link is opened
    /// everything stays as it is.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ask_for_email(
        &self,
        ctx: &AppContext,
        client: &Client,
        email: &str,
        password: &str,
    ) -> Result<Confirmation> {
        match self.confirm(ctx, client, password).await? {
            Confirmation::Right => {}
            not => return Ok(not),
        }
        let txn = begin(&ctx.db).await?;
        Entity::update_many()
            .col_expr(Column::UnconfirmedEmail, Expr::value(normalized(email)))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now(&txn).await?))
            .filter(Column::Id.eq(self.id))
            .exec(&txn)
            .await?;
        links::supersede(&txn, self.id, Purpose::EmailChange).await?;
        activities::record(&txn, &Actor::User(self.id), "ask_for_email", ("user", self.id), json!({})).await?;
        let notice = DeliverMail::enqueue(&txn, &Letter { user: self.id, occasion: Occasion::EmailLeaving }).await?;
        let link = DeliverMail::enqueue(&txn, &Letter { user: self.id, occasion: Occasion::EmailChange }).await?;
        txn.commit().await?;
        ctx.parts().jobs().hint(&[notice, link]).await;
        Ok(Confirmation::Right)
    }
}
