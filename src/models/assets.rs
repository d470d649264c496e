//! Files: uploads and outputs. Bytes first, under a key that cannot collide, then the row: what has a row always has bytes.
//! A crash between the two leaves bytes that no row names. Nobody can reach them, and nothing takes them away.

mod deletion;
pub mod picture;

use std::path::Path;

use bytes::Bytes;
use loco_rs::{Error, Result, app::AppContext, storage::stream::BytesStream};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter,
    QueryFilter,
};
use uuid::Uuid;

use super::{
    _entities::{
        assets::{ActiveModel, Column, Entity},
        users,
    },
    clock, text,
    tokens::{PlainToken, sha256},
};
use crate::{adapters::storage::Download, context::Nproxy};
use picture::Picture;

pub use super::_entities::assets::Model;
pub use deletion::{UNDO, count_in, erase, own_retrievable};
pub(super) use deletion::{delete_in, erase_in};

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Origin {
    Upload,
    Output,
}

/// A checked picture whose bytes lie in the store, before it has a row.
#[derive(Debug)]
pub struct Stored {
    storage_key: String,
    thumb_key: String,
    sha256: String,
    pub picture: Picture,
}

/// Puts the bytes into the store, under a name that nobody can have used before.
///
/// # Errors
/// The store does not take them.
pub async fn store(ctx: &AppContext, folder: &str, picture: Picture) -> Result<Stored> {
    let name = format!("{folder}/{}", PlainToken::mint().expose());
    let stored = Stored {
        storage_key: format!("{name}.{}", picture.extension()),
        thumb_key: format!("{name}.thumb.jpg"),
        sha256: sha256(&picture.bytes),
        picture,
    };
    ctx.storage.upload(Path::new(&stored.thumb_key), &stored.picture.thumbnail).await?;
    ctx.storage.upload(Path::new(&stored.storage_key), &stored.picture.bytes).await?;
    Ok(stored)
}

/// A file that a person gave: checked, drawn anew, stored, theirs. `None` when it is not a picture we take.
///
/// # Errors
/// The store or the database does not answer.
pub async fn take_upload(
    ctx: &AppContext,
    user: &users::Model,
    bytes: Bytes,
) -> Result<std::result::Result<Model, picture::Fault>> {
    let picture = match picture::redraw(bytes).await? {
        Ok(picture) => picture,
        Err(fault) => return Ok(Err(fault)),
    };
    let stored = store(ctx, &format!("uploads/{}", user.pid), picture).await?;
    Ok(Ok(stored.keep(&ctx.db, user.id, Origin::Upload).await?))
}

/// One of the person's own that is not deleted; a stranger's is simply not found.
///
/// # Errors
/// The database does not answer.
pub async fn own(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Pid.eq(pid))
        .filter(Column::DeletedAt.is_null())
        .one(db)
        .await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_ids(db: &impl ConnectionTrait, ids: Vec<i64>) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::Id.is_in(ids)).all(db).await?)
}

/// # Errors
/// The database does not answer, or there is no such asset.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Model> {
    Entity::find_by_id(id).one(db).await?.ok_or(Error::NotFound)
}

impl Stored {
    /// The row that makes the bytes somebody's.
    pub(super) async fn keep(&self, db: &impl ConnectionTrait, user_id: i64, origin: Origin) -> Result<Model> {
        Ok(ActiveModel {
            pid: Set(Uuid::now_v7()),
            user_id: Set(user_id),
            storage_key: Set(self.storage_key.clone()),
            thumb_key: Set(self.thumb_key.clone()),
            mime: Set(self.picture.mime.to_owned()),
            bytes: Set(i64::try_from(self.picture.bytes.len()).unwrap_or(i64::MAX)),
            sha256: Set(self.sha256.clone()),
            width: Set(i64::from(self.picture.width)),
            height: Set(i64::from(self.picture.height)),
            origin: Set(text(origin)),
            favorite: Set(false),
            created_at: Set(clock::now(db).await?),
            ..Default::default()
        }
        .insert(db)
        .await?)
    }

    /// Takes the bytes back when the row could not be written. What this misses stays behind, out of everybody's reach.
    pub(super) async fn discard(&self, ctx: &AppContext) {
        for key in [&self.storage_key, &self.thumb_key] {
            if let Err(error) = ctx.storage.delete(Path::new(key)).await {
                tracing::warn!(key, %error, "an object without a row stays behind");
            }
        }
    }
}

impl Model {
    /// # Errors
    /// The store does not answer.
    pub async fn read(&self, ctx: &AppContext) -> Result<Bytes> {
        Ok(ctx.storage.download::<Vec<u8>>(Path::new(&self.storage_key)).await?.into())
    }

    /// The bytes as they come, for somebody who only passes them on.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn stream(&self, ctx: &AppContext) -> Result<BytesStream> {
        Ok(ctx.storage.download_stream(Path::new(&self.storage_key)).await?)
    }

    /// A link by which the browser fetches the file from the store itself, for some minutes. `None` when the store has
    /// no such links.
    ///
    /// # Errors
    /// The link cannot be signed.
    pub async fn download_link(&self, ctx: &AppContext, file_name: &str) -> Result<Option<String>> {
        let download = Download { file_name, mime: &self.mime };
        ctx.parts().store().download_link(Path::new(&self.storage_key), download).await
    }

    /// # Errors
    /// The store does not answer.
    pub async fn read_thumbnail(&self, ctx: &AppContext) -> Result<Bytes> {
        Ok(ctx.storage.download::<Vec<u8>>(Path::new(&self.thumb_key)).await?.into())
    }

    #[must_use]
    pub fn extension(&self) -> &'static str {
        picture::extension(&self.mime)
    }
}
