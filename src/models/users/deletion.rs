//! The end of an account. In one transaction everything that names the person goes, sessions and links with it, and what
//! was made becomes unreachable; the bytes follow by a job that is tried until the store has let go of them. Ledger, runs
//! and activities stay: they are the books, and say only that somebody was there. The address is free for a new account,
//! without a second gift: the trial is granted once per address (`allowances::grant_trial`).

use loco_rs::{Result, app::AppContext};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::{Column, Confirmation, Entity, Model, Status, appointments, links, second_factors};
use crate::{
    context::Nproxy,
    models::{
        OneByOne,
        activities::{self, Actor},
        assets, auth_events, begin, clock, conversations, exports, runs,
        sessions::{self, Client},
        text,
    },
    workers::{
        Durable,
        erase_files::{EraseFiles, Erasure},
    },
};

/// What became of the wish to leave.
#[derive(Debug)]
pub enum Departure {
    Gone,
    /// The password was not right, or was not looked at: nothing was changed.
    Unconfirmed(Confirmation),
    /// Somebody has to own the place: nothing was changed.
    LastOwner,
}

impl Model {
    /// # Errors
    /// The database does not answer.
    pub async fn delete(&self, ctx: &AppContext, client: &Client, password: &str) -> Result<Departure> {
        match self.confirm(ctx, client, password).await? {
            Confirmation::Right => {}
            not => return Ok(Departure::Unconfirmed(not)),
        }
        let txn = begin(&ctx.db).await?;
        // Before the person's row is locked, in the order in which a worker settles; and again for what began meanwhile.
        runs::let_go(&txn, self.id).await?;
        if self.is_owner() && appointments::is_last(&appointments::owners(&txn).await?, self) {
            return Ok(Departure::LastOwner);
        }
        if !self.vanish(&txn).await? {
            return Ok(Departure::Gone);
        }
        sessions::forget(&txn, self.id).await?;
        links::forget_all(&txn, self.id).await?;
        second_factors::forget(&txn, self.id).await?;
        auth_events::forget(&txn, self.id).await?;
        runs::let_go(&txn, self.id).await?;
        conversations::forget(&txn, self.id).await?;
        assets::bury_all_of(&txn, self.id).await?;
        exports::bury_all_of(&txn, self.id).await?;
        activities::record(&txn, &Actor::User(self.id), "delete_user", ("user", self.id), json!({})).await?;
        let erase = EraseFiles::enqueue(&txn, &Erasure { user: self.id }).await?;
        txn.commit().await?;
        ctx.parts().jobs().hint(&[erase]).await;
        Ok(Departure::Gone)
    }

    /// The row stays as a number that others point at. `blocked`: whoever asks for the status finds nobody to let in.
    pub(super) async fn vanish(&self, txn: &DatabaseTransaction) -> Result<bool> {
        let now = clock::now(txn).await?;
        let gone = Entity::update_many()
            .col_expr(Column::Email, Expr::value(None::<String>))
            .col_expr(Column::UnconfirmedEmail, Expr::value(None::<String>))
            .col_expr(Column::PasswordHash, Expr::value(None::<String>))
            .col_expr(Column::BilledTo, Expr::value(None::<String>))
            .col_expr(Column::Status, Expr::value(text(Status::Blocked)))
            .col_expr(Column::SessionEpoch, Expr::col(Column::SessionEpoch).add(1))
            .col_expr(Column::DeletedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::Id.eq(self.id))
            .filter(Column::DeletedAt.is_null())
            .exec(txn)
            .await?;
        Ok(gone.rows_affected == 1)
    }
}

/// Scheduled: a file that was still on its way when its person left goes too.
///
/// # Errors
/// The database does not answer, or something is wrong with a person's files; those of all others go.
pub(super) async fn finish(ctx: &AppContext) -> Result<()> {
    let mut people = OneByOne::default();
    for user in assets::left_behind(&ctx.db).await? {
        people.came(take_away(ctx, user).await, "the files of somebody who left could not be taken away", user)?;
    }
    people.end(())
}

async fn take_away(ctx: &AppContext, user: i64) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    assets::bury_all_of(&txn, user).await?;
    let erase = EraseFiles::enqueue(&txn, &Erasure { user }).await?;
    txn.commit().await?;
    ctx.parts().jobs().hint(&[erase]).await;
    Ok(())
}
