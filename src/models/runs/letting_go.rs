//! Runs whose person leaves: ended without charge, whatever was delivered so far. A worker in the middle of a call finds
//! the run final and keeps nothing of what it brings.

use loco_rs::Result;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Column, Entity, Reason, State};
use crate::models::{attempts, clock, holds, outputs, provider_keys, text};

pub(in crate::models) async fn let_go(txn: &DatabaseTransaction, user_id: i64) -> Result<()> {
    for run in super::live(user_id).all(txn).await? {
        // Leases before the run, as whoever delivers takes them.
        provider_keys::release_all(txn, run.id).await?;
        // The row is locked by this write: whoever settles it at the same moment has won before, or loses.
        if !run.progressed(txn, 0).await? {
            continue;
        }
        outputs::give_up(txn, run.id, None, Reason::Canceled).await?;
        attempts::close_abandoned(txn, run.id, None).await?;
        Entity::update_many()
            .col_expr(Column::State, Expr::value(text(State::Canceled)))
            .col_expr(Column::FinishedAt, Expr::value(clock::now(txn).await?))
            .filter(Column::Id.eq(run.id))
            .exec(txn)
            .await?;
        holds::settle(txn, run.id, 0, run.outputs_requested).await?;
    }
    Ok(())
}
