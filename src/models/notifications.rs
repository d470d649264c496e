//! What was told, once: a mail to a person, a message to an operator. Whoever has something to tell claims its key in the
//! transaction of what happened and puts a job on its way there; the words are made when they are sent.

use durable_jobs::Enqueued;
use loco_rs::{Error, Result};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, prelude::DateTimeUtc, sea_query::Expr,
};
use serde_json::Value;

use super::{
    _entities::notifications::{ActiveModel, Column, Entity},
    clock, insert_new, text,
};
use crate::workers::{
    Durable,
    deliver_notice::{DeliverNotice, Telling},
};

pub use super::_entities::notifications::Model;

/// So much of what went wrong is kept.
const ERROR_MAX_CHARS: usize = 500;

/// What there is to tell. The column has no CHECK; this list is what keeps it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// An invoice is paid.
    Receipt,
    /// Less than the price arrived.
    Underpaid,
    /// An operator gave a payment back.
    Refunded,
    /// Little is left of a month.
    QuotaLow,
    /// The plan ends in some days, and nothing follows.
    RenewalDue,
    /// The plan is over.
    PlanEnded,
    /// An admin of the bot was paired.
    Paired,
    /// Admins hear of trouble.
    Alert,
    /// That trouble is over.
    AlertOver,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Channel {
    Mail,
    Telegram,
}

/// Somebody who is to be told something.
#[derive(Debug)]
pub struct Notice {
    pub kind: Kind,
    /// Names what happened and who hears of it; whatever is asked under it again was told already.
    pub dedupe_key: String,
    pub channel: Channel,
    /// Whose mail it is.
    pub user_id: Option<i64>,
    /// Where it goes when that is no person of ours: a chat.
    pub recipient: Option<String>,
    /// Ids, never words that could be wrong when it is sent.
    pub detail: Value,
}

/// Claims the telling, in the transaction of what there is to tell: `None` when it was claimed before, by whomever.
///
/// # Errors
/// The database does not answer.
pub async fn once(txn: &impl ConnectionTrait, notice: Notice) -> Result<Option<Model>> {
    let row = ActiveModel {
        kind: Set(text(notice.kind)),
        dedupe_key: Set(notice.dedupe_key.clone()),
        channel: Set(text(notice.channel)),
        user_id: Set(notice.user_id),
        recipient: Set(notice.recipient),
        detail: Set(notice.detail),
        created_at: Set(clock::now(txn).await?),
        ..Default::default()
    };
    if !insert_new(txn, row).await? {
        return Ok(None);
    }
    let claimed = Entity::find().filter(Column::DedupeKey.eq(notice.dedupe_key)).one(txn).await?;
    Ok(Some(claimed.ok_or(Error::NotFound)?))
}

/// A mail to a person, claimed and put on its way; the caller hints the job once it has committed. `None` when it was
/// claimed before.
///
/// # Errors
/// The database does not answer.
pub(super) async fn mail(
    txn: &impl ConnectionTrait,
    kind: Kind,
    dedupe_key: String,
    user_id: i64,
    detail: Value,
) -> Result<Option<Enqueued>> {
    let (channel, user_id) = (Channel::Mail, Some(user_id));
    let notice = Notice { kind, dedupe_key, channel, user_id, recipient: None, detail };
    let Some(claimed) = once(txn, notice).await? else { return Ok(None) };
    Ok(Some(DeliverNotice::enqueue(txn, &Telling { notification: claimed.id }).await?))
}

/// Was this claimed before? Only a short cut: who tells claims.
///
/// # Errors
/// The database does not answer.
pub async fn is_told(db: &impl ConnectionTrait, dedupe_key: &str) -> Result<bool> {
    Ok(Entity::find().filter(Column::DedupeKey.eq(dedupe_key)).count(db).await? > 0)
}

/// What is still to be sent, for the job that sends it; `None` when it was sent, or never claimed.
///
/// # Errors
/// The database does not answer.
pub async fn unsent(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(by_id(db, id).await?.filter(|notice| notice.sent_at.is_none()))
}

/// As [`once`], for somebody at Telegram; `false` when it was claimed before.
///
/// # Errors
/// The database does not answer.
pub(super) async fn to_chat(
    txn: &impl ConnectionTrait,
    kind: Kind,
    dedupe_key: String,
    telegram_id: i64,
    detail: Value,
) -> Result<bool> {
    let recipient = Some(telegram_id.to_string());
    let notice = Notice { kind, dedupe_key, channel: Channel::Telegram, user_id: None, recipient, detail };
    Ok(once(txn, notice).await?.is_some())
}

/// What waits to be told in a chat, the oldest first; what was refused for good does not.
///
/// # Errors
/// The database does not answer.
pub(super) async fn waiting_for_chat(db: &impl ConnectionTrait, telegram_id: i64, at_once: u64) -> Result<Vec<Model>> {
    Ok(waiting_at_telegram()
        .filter(Column::Recipient.eq(telegram_id.to_string()))
        .order_by_asc(Column::Id)
        .limit(at_once)
        .all(db)
        .await?)
}

/// The chats in which something has waited since before that moment.
///
/// # Errors
/// The database does not answer.
pub(super) async fn chats_waiting(db: &impl ConnectionTrait, before: DateTimeUtc) -> Result<Vec<i64>> {
    let chats: Vec<Option<String>> = waiting_at_telegram()
        .filter(Column::CreatedAt.lt(before))
        .select_only()
        .column(Column::Recipient)
        .distinct()
        .into_tuple()
        .all(db)
        .await?;
    Ok(chats.into_iter().flatten().filter_map(|chat| chat.parse().ok()).collect())
}

fn waiting_at_telegram() -> Select<Entity> {
    Entity::find()
        .filter(Column::Channel.eq(text(Channel::Telegram)))
        .filter(Column::SentAt.is_null())
        .filter(Column::Error.is_null())
}

/// # Errors
/// The database does not answer.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// What a person was told, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn to_person(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::UserId.eq(user_id)).order_by_desc(Column::Id).all(db).await?)
}

impl Model {
    #[must_use]
    #[expect(clippy::expect_used, reason = "only this file writes notifications.kind")]
    pub fn kind(&self) -> Kind {
        Kind::try_from_value(&self.kind).expect("notifications.kind")
    }

    #[must_use]
    #[expect(clippy::expect_used, reason = "a CHECK keeps notifications.channel to these words")]
    pub fn channel(&self) -> Channel {
        Channel::try_from_value(&self.channel).expect("notifications.channel")
    }

    /// The id of what it is about, by the name that it has in `detail`.
    #[must_use]
    pub fn about(&self, what: &str) -> Option<i64> {
        self.detail[what].as_i64()
    }

    /// It has left the house; a job that is run again sends it no second time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mark_sent(&self, db: &impl ConnectionTrait) -> Result<()> {
        self.close(db, Some(clock::now(db).await?), None).await
    }

    /// It was not sent: the other side did not take it, or it is true no longer. Whether it is tried again is the job's.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mark_failed(&self, db: &impl ConnectionTrait, why: &str) -> Result<()> {
        self.close(db, None, Some(why.chars().take(ERROR_MAX_CHARS).collect())).await
    }

    async fn close(
        &self,
        db: &impl ConnectionTrait,
        sent_at: Option<DateTimeUtc>,
        error: Option<String>,
    ) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::SentAt, Expr::value(sent_at))
            .col_expr(Column::Error, Expr::value(error))
            .filter(Column::Id.eq(self.id))
            .filter(Column::SentAt.is_null())
            .exec(db)
            .await?;
        Ok(())
    }
}
