//! Who changed what, through which door: one row per change, in the transaction of the change, never edited.
//! Each row carries the hash of the one before, so that an altered, removed or inserted row shows.

mod chain;

use loco_rs::Result;
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, QueryOrder, Statement,
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    _entities::activities::{ActiveModel, Column, Entity},
    clock,
    tokens::sha256,
};

pub use super::_entities::activities::Model;
pub(super) use chain::breaks;

/// Serialises writers of the chain on `PostgreSQL`; `SQLite` has one writer anyway.
const CHAIN_LOCK: i64 = 0x6e70_726f_7879;

/// Who acts: the door decides the kind, the id says which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User(i64),
    Cli,
    System,
}

impl Actor {
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Cli => "cli",
            Self::System => "system",
        }
    }

    fn id(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
            Self::Cli => "console".into(),
            Self::System => "nproxy".into(),
        }
    }

    /// `user:7`, `cli:console`, `system:nproxy`: how the ledger names its actor.
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
    let previous_hash = last.map_or_else(first_hash, |row| row.hash);
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

/// What the first row follows.
fn first_hash() -> String {
    sha256(b"nproxy: the first activity")
}

impl Model {
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
