//! Who belongs to the house. Roles are given by an owner in the web admin, or on the server console, where the first one
//! comes from too; there is no password that somebody could forget to change.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockType},
};
use serde_json::json;
use uuid::Uuid;

use super::{ActiveModel, Column, Entity, Model, Purpose, Role, Status, by_email, by_id, normalized, second_factors};
use crate::models::{
    activities::{self, Actor},
    begin, clock, insert_new, text,
    tokens::PlainToken,
};

/// What became of a change of role.
#[derive(Debug)]
pub enum Appointment {
    Changed(Model),
    /// The role is what it was.
    Same(Model),
    /// Somebody has to own the place: nothing was changed.
    LastOwner,
    /// The account is not open (new, blocked or deleted): nothing was changed.
    NotOpen,
    Nobody,
}

/// Somebody who may come in, and how.
#[derive(Debug)]
pub struct Welcome {
    pub user: Model,
    /// For an account that was made just now: sets its password, once, within a day.
    pub link: Option<PlainToken>,
}

/// # Errors
/// The database does not answer.
pub async fn change_role(
    ctx: &AppContext,
    user_id: i64,
    role: Role,
    reason: &str,
    actor: &Actor,
) -> Result<Appointment> {
    let txn = begin(&ctx.db).await?;
    let appointment = appoint(&txn, user_id, role, reason, actor).await?;
    match appointment {
        Appointment::Changed(_) => txn.commit().await?,
        Appointment::Same(_) | Appointment::LastOwner | Appointment::NotOpen | Appointment::Nobody => {}
    }
    Ok(appointment)
}

/// For the console: an account of the house, made when there is none with this address. Who is there already keeps
/// everything and gets the role.
///
/// # Errors
/// The database does not answer.
pub async fn create_admin(
    ctx: &AppContext,
    email: &str,
    role: Role,
    actor: &Actor,
) -> Result<std::result::Result<Welcome, Appointment>> {
    let email = normalized(email);
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    let row = ActiveModel {
        pid: Set(Uuid::now_v7()),
        email: Set(Some(email.clone())),
        status: Set(text(Status::Activated)),
        role: Set(text(role)),
        activated_at: Set(Some(now)),
        session_epoch: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let is_new = insert_new(&txn, row).await?;
    let Some(user) = by_email(&txn, &email).await? else { return Ok(Err(Appointment::Nobody)) };
    if !is_new {
        return Ok(match appoint(&txn, user.id, role, "appointed on the console", actor).await? {
            Appointment::Changed(user) => {
                txn.commit().await?;
                Ok(Welcome { user, link: None })
            }
            Appointment::Same(user) => Ok(Welcome { user, link: None }),
            refused @ (Appointment::LastOwner | Appointment::NotOpen | Appointment::Nobody) => Err(refused),
        });
    }
    let link = Some(user.mint_link(&txn, Purpose::Reset, &email).await?);
    activities::record(&txn, actor, "create_admin", ("user", user.id), json!({ "role": role.name() })).await?;
    txn.commit().await?;
    Ok(Ok(Welcome { user, link }))
}

/// Is there anybody who may change anything?
///
/// # Errors
/// The database does not answer.
pub async fn has_staff(ctx: &AppContext) -> Result<bool> {
    let someone = Entity::find()
        .filter(Column::Role.is_in([Role::Admin, Role::Owner]))
        .filter(Column::Status.eq(Status::Activated));
    Ok(someone.limit(1).count(&ctx.db).await? > 0)
}

async fn appoint(
    txn: &DatabaseTransaction,
    user_id: i64,
    role: Role,
    reason: &str,
    actor: &Actor,
) -> Result<Appointment> {
    let owners = owners(txn).await?;
    let Some(user) = by_id(txn, user_id).await? else { return Ok(Appointment::Nobody) };
    if user.role() == role {
        return Ok(Appointment::Same(user));
    }
    if user.status() != Status::Activated {
        return Ok(Appointment::NotOpen);
    }
    if is_last(&owners, &user) {
        return Ok(Appointment::LastOwner);
    }
    Entity::update_many()
        .col_expr(Column::Role, Expr::value(text(role)))
        .col_expr(Column::UpdatedAt, Expr::value(clock::now(txn).await?))
        .filter(Column::Id.eq(user.id))
        .exec(txn)
        .await?;
    if role == Role::User {
        second_factors::forget(txn, user.id).await?;
    }
    let detail = json!({ "from": user.role, "to": role.name(), "reason": reason });
    activities::record(txn, actor, "change_role", ("user", user.id), detail).await?;
    Ok(by_id(txn, user.id).await?.map_or(Appointment::Nobody, Appointment::Changed))
}

/// Those who own the place. All of them are locked, in one order: of two who send each other away, the second finds itself
/// the last.
pub(super) async fn owners(txn: &DatabaseTransaction) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::Role.eq(Role::Owner))
        .filter(Column::Status.eq(Status::Activated))
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(txn)
        .await?)
}

/// Would nobody own the place without this person?
pub(super) fn is_last(owners: &[Model], user: &Model) -> bool {
    user.is_owner() && owners.iter().all(|owner| owner.id == user.id)
}
