//! The person. What people do with their account lies in the files beside this one: `registration` and the proof of the
//! address, `sign_in`, `passwords`, `email_change`, `receipts`, `blocking` and `deletion`.

mod appointments;
mod blocking;
mod credentials;
pub mod deletion;
mod email_change;
pub mod links;
mod passwords;
mod receipts;
mod registration;
mod roles;
pub mod second_factors;
pub mod seeds;
mod sign_in;
pub mod viewing;

use std::collections::HashMap;

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveEnum,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, LikeExpr},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    _entities::users::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    allowances, auth_events, clock, sessions, telegram_confirmations, telegram_pairings, telegram_updates, text,
    throttles,
};
use crate::{
    context::Nproxy,
    mailers::accounts::{Letter, Occasion},
    workers::{Durable, deliver_mail::DeliverMail},
};

pub use super::_entities::users::Model;
pub use appointments::{Appointment, Welcome, change_role, create_admin, has_staff};
pub use blocking::{Blocking, block, block_by_rank, may_start, unblock};
pub use credentials::{Confirmation, PASSWORD_MAX, PASSWORD_MIN, password_fault};
pub use deletion::Departure;
pub use email_change::{EmailChange, confirm_email};
pub use links::{LinkState, Purpose};
pub use passwords::{request_reset, reset_password};
pub use receipts::{BILLED_TO_LINES_MAX, BILLED_TO_MAX, Billing};
pub use registration::{Activation, Registration, activate_by_hand, activate_by_link, register};
pub use roles::Role;
pub use sign_in::{SignIn, sign_in};

/// The id of a letter that goes to nobody: written where a real one would be, so that both take the same time.
const NOBODY: i64 = 0;

/// Accounts that one search shows.
const FOUND: u64 = 50;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Status {
    New,
    Activated,
    Blocked,
}

/// How addresses are stored and compared. What nobody can type (and `PostgreSQL` cannot store) is left out.
#[must_use]
pub fn normalized(email: &str) -> String {
    email.trim().to_lowercase().replace(char::is_control, "")
}

/// # Errors
/// The database does not answer.
pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Email.eq(email)).one(db).await?)
}

/// Accounts whose address holds this, in the order of their addresses; no more than an operator looks through.
///
/// # Errors
/// The database does not answer.
pub async fn find(db: &impl ConnectionTrait, part: &str) -> Result<Vec<Model>> {
    // `contains` would take `%` and `_` for more than themselves.
    let part = normalized(part).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let holds = Expr::col(Column::Email).like(LikeExpr::new(format!("%{part}%")).escape('\\'));
    Ok(Entity::find().filter(holds).order_by_asc(Column::Email).limit(FOUND).all(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// The addresses of these people, as far as they have one.
///
/// # Errors
/// The database does not answer.
pub async fn emails(db: &impl ConnectionTrait, ids: impl Iterator<Item = i64>) -> Result<HashMap<i64, String>> {
    let some = Entity::find().select_only().columns([Column::Id, Column::Email]).filter(Column::Id.is_in(ids));
    let some: Vec<(i64, Option<String>)> = some.into_tuple().all(db).await?;
    Ok(some.into_iter().filter_map(|(id, email)| Some((id, email?))).collect())
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

    /// There is somebody to write to about the account: not who is blocked, or gone.
    #[must_use]
    pub fn can_be_told(&self) -> bool {
        self.status() == Status::Activated && self.email.is_some()
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

/// Puts a mail on its way; written when it is sent, from this id and the occasion alone. Also for [`NOBODY`].
async fn mail(ctx: &AppContext, user: i64, occasion: Occasion) -> Result<()> {
    let job = DeliverMail::enqueue(&ctx.db, &Letter { user, occasion }).await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(())
}

/// What gathers around accounts and no longer says anything, taken away; returns how many rows that were. Scheduled, and
/// safe to run by hand at any time.
///
/// # Errors
/// The database does not answer.
pub async fn sweep(ctx: &AppContext) -> Result<u64> {
    // A deletion that resists keeps nothing else from being swept.
    let finished = deletion::finish(ctx).await;
    let swept = throttles::sweep(&ctx.db).await?
        + auth_events::sweep(&ctx.db).await?
        + sessions::sweep(&ctx.db).await?
        + links::sweep(&ctx.db).await?
        + telegram_updates::sweep(&ctx.db).await?
        + telegram_confirmations::sweep(&ctx.db).await?
        + telegram_pairings::cleanup(&ctx.db).await?.1;
    finished.map(|_| swept)
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
