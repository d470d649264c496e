//! Who changed what, through which door: one row per change, in the transaction of the change, never edited.
//! Each row carries the hash of the one before, so that an altered, removed or inserted row shows.

pub mod check;

use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    _entities::activities::{ActiveModel, Column, Entity},
    clock,
    tokens::sha256,
};

pub use super::_entities::activities::Model;

/// What the first row is chained to.
const FIRST: &[u8] = b"nproxy: the first activity";

/// Serialises writers of the chain on `PostgreSQL`; `SQLite` has one writer anyway.
const CHAIN_LOCK: i64 = 0x6e70_726f_7879;

/// One page of the log.
const LISTED: u64 = 50;

/// Who acts: the door decides the kind, the id says which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User(i64),
    /// Somebody of the house, at the web admin.
    Admin(i64),
    Cli,
    /// An admin through Telegram, by the id there.
    Bot(i64),
    System,
}

impl Actor {
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Admin(_) => "admin",
            Self::Cli => "cli",
            Self::Bot(_) => "bot",
            Self::System => "system",
        }
    }

    fn id(&self) -> String {
        match self {
            Self::User(id) | Self::Admin(id) | Self::Bot(id) => id.to_string(),
            Self::Cli => "console".into(),
            Self::System => "nproxy".into(),
        }
    }

    /// `user:7`, `admin:3`, `bot:42`, `cli:console`, `system:nproxy`: how the ledger names its actor.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.kind(), self.id())
    }
}

/// Writes the row that tells of a change, in the transaction that makes it.
///
/// # Errors
/// The database does not answer.
pub async fn record(
    txn: &DatabaseTransaction,
    actor: &Actor,
    activity: &str,
    (resource_type, resource_id): (&str, i64),
    detail: Value,
) -> Result<Model> {
    if txn.get_database_backend() == DbBackend::Postgres {
        let lock = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_advisory_xact_lock($1)",
            [CHAIN_LOCK.into()],
        );
        txn.query_one_raw(lock).await?;
    }
    let last = Entity::find().order_by_desc(Column::Id).one(txn).await?;
    let previous_hash = last.map_or_else(|| sha256(FIRST), |row| row.hash);
    let mut row = Model {
        id: 0,
        uuid: Uuid::new_v4(),
        actor_type: actor.kind().into(),
        actor_id: actor.id(),
        activity_type: activity.into(),
        resource_type: resource_type.into(),
        resource_id: resource_id.to_string(),
        detail,
        previous_hash,
        hash: String::new(),
        created_at: clock::now(txn).await?,
    };
    row.hash = row.expected_hash();
    let mut insert = ActiveModel::from(row);
    insert.id = NotSet;
    Ok(insert.insert(txn).await?)
}

impl Model {
    /// `bot:42`, as [`Actor::name`] writes it.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("{}:{}", self.actor_type, self.actor_id)
    }

    /// Why it was done, in the words of whoever did it; empty where nobody was asked.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.detail["reason"].as_str().unwrap_or_default()
    }

    /// SHA-256 over the row before and everything in this one; fields are length-prefixed by JSON.
    #[must_use]
    pub fn expected_hash(&self) -> String {
        let row = serde_json::json!([
            self.previous_hash,
            self.uuid,
            self.actor_type,
            self.actor_id,
            self.activity_type,
            self.resource_type,
            self.resource_id,
            self.detail,
            self.created_at.timestamp_micros(),
        ]);
        sha256(row.to_string().as_bytes())
    }
}

/// Newest first, for operators and tests.
///
/// # Errors
/// The database does not answer.
pub async fn about(db: &impl ConnectionTrait, resource_type: &str, resource_id: i64) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::ResourceType.eq(resource_type))
        .filter(Column::ResourceId.eq(resource_id.to_string()))
        .order_by_desc(Column::Id)
        .all(db)
        .await?)
}

/// The newest about one thing.
///
/// # Errors
/// The database does not answer.
pub async fn latest_about(
    db: &impl ConnectionTrait,
    resource_type: &str,
    resource_id: i64,
    count: u64,
) -> Result<Vec<Model>> {
    Ok(Entity::find()
        .filter(Column::ResourceType.eq(resource_type))
        .filter(Column::ResourceId.eq(resource_id.to_string()))
        .order_by_desc(Column::Id)
        .limit(count)
        .all(db)
        .await?)
}

/// One page of the log, the newest first; `before` goes on where a page ended. `actor` is a kind or `kind:id`.
///
/// # Errors
/// The database does not answer.
pub async fn newest(
    db: &impl ConnectionTrait,
    actor: Option<&str>,
    about: Option<(&str, &str)>,
    before: Option<i64>,
) -> Result<Vec<Model>> {
    let mut rows = Entity::find();
    if let Some(actor) = actor {
        let (kind, id) = actor.split_once(':').map_or((actor, None), |(kind, id)| (kind, Some(id)));
        rows = rows.filter(Column::ActorType.eq(kind));
        if let Some(id) = id {
            rows = rows.filter(Column::ActorId.eq(id));
        }
    }
    if let Some((kind, id)) = about {
        rows = rows.filter(Column::ResourceType.eq(kind)).filter(Column::ResourceId.eq(id));
    }
    if let Some(before) = before {
        rows = rows.filter(Column::Id.lt(before));
    }
    Ok(rows.order_by_desc(Column::Id).limit(LISTED).all(db).await?)
}
