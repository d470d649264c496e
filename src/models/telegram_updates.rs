//! What the bot hears: read by one process at a time, each update done once. An update counts as done when its row is
//! here, and the row is written in the transaction of what it does; whatever Telegram sends again after a crash, a lost
//! answer or a second reader finds it there.

use std::time::Duration;

use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
};

use super::{
    _entities::telegram_updates::{ActiveModel, Column, Entity},
    begin, clock, insert_new,
    throttles::Post,
};
use crate::{
    adapters::telegram::{POLL, Telegram},
    context::Nproxy,
};

pub use crate::adapters::telegram::{Button, Event, Failure, Note, Sender, Update};

/// A reader that says nothing for so long is gone: longer than the longest question for news, and short enough that the
/// next one reads within a minute when a process has died.
const HOLD: Duration = Duration::from_secs(POLL.as_secs() + 20);

/// After a week of silence Telegram numbers updates anew, so an older place to go on from says nothing.
const PLACE_KEPT: TimeDelta = TimeDelta::days(6);

/// Telegram keeps what nobody has read for a day; rows outlive that by far.
const KEPT: TimeDelta = TimeDelta::days(30);

/// The right to read, held by one process at a time.
#[derive(Debug)]
pub struct Reader {
    post: Post,
}

impl Reader {
    /// `None` while somebody else reads.
    ///
    /// # Errors
    /// The database does not answer, or there is no bot.
    pub async fn take(ctx: &AppContext) -> Result<Option<Self>> {
        let name = format!("telegram:{}", bot(ctx)?.id());
        Ok(Post::take(&ctx.db, &name, HOLD).await?.map(|post| Self { post }))
    }

    /// Holds on to the right; `false` when it was lost.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keep(&mut self, ctx: &AppContext) -> Result<bool> {
        self.post.keep(&ctx.db, HOLD).await
    }

    /// The updates that wait, or what Telegram says instead. Waits a while for news.
    ///
    /// # Errors
    /// The database does not answer, or there is no bot.
    pub async fn read(&self, ctx: &AppContext) -> Result<std::result::Result<Vec<Update>, Failure>> {
        let bot = bot(ctx)?;
        let place = next(&ctx.db, bot.id()).await?;
        Ok(bot.updates(place).await)
    }

    /// Leaves the reading to the next.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn leave(self, ctx: &AppContext) -> Result<()> {
        self.post.leave(&ctx.db).await
    }
}

/// The update that comes after the last one that was done, if that was not too long ago.
async fn next(db: &impl ConnectionTrait, bot_id: i64) -> Result<Option<i64>> {
    let since = clock::now(db).await? - PLACE_KEPT;
    let last = Entity::find()
        .filter(Column::BotId.eq(bot_id))
        .filter(Column::ReceivedAt.gt(since))
        .order_by_desc(Column::UpdateId)
        .one(db)
        .await?;
    Ok(last.map(|row| row.update_id + 1))
}

/// Counts an update as done, in the transaction of what it does: `false` when it was done before.
pub(super) async fn claim(ctx: &AppContext, txn: &DatabaseTransaction, update_id: i64) -> Result<bool> {
    let row = ActiveModel {
        bot_id: Set(bot(ctx)?.id()),
        update_id: Set(update_id),
        received_at: Set(clock::now(txn).await?),
    };
    insert_new(txn, row).await
}

/// Counts an update that changes nothing as done: `false` when it was done before.
///
/// # Errors
/// The database does not answer.
pub async fn seen(ctx: &AppContext, update: &Update) -> Result<bool> {
    let txn = begin(&ctx.db).await?;
    let is_new = claim(ctx, &txn, update.id).await?;
    txn.commit().await?;
    Ok(is_new)
}

/// Takes away what Telegram cannot send again; returns how many rows that were.
///
/// # Errors
/// The database does not answer.
pub(super) async fn sweep(db: &impl ConnectionTrait) -> Result<u64> {
    let before = clock::now(db).await? - KEPT;
    Ok(Entity::delete_many().filter(Column::ReceivedAt.lte(before)).exec(db).await?.rows_affected)
}

fn bot(ctx: &AppContext) -> Result<Telegram> {
    ctx.parts().telegram().cloned().ok_or_else(|| Error::string("there is no bot: TELEGRAM_BOT_TOKEN is not set"))
}
