//! Files: uploads and outputs. Bytes first, under a key that cannot collide, then the row: what has a row always has bytes.
//! A crash between the two leaves bytes that no asset names; `storage_objects` knows them, and its sweep removes them.

mod deletion;
mod erasure;
pub mod gallery;
pub mod picture;
pub mod upload;

use std::path::Path;

use bytes::Bytes;
use chrono::TimeDelta;
use loco_rs::{Error, Result, app::AppContext, storage::stream::BytesStream};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
    prelude::DateTimeUtc,
    sea_query::{Expr, Query},
};
use uuid::Uuid;

use super::{
    _entities::{
        assets::{ActiveModel, Column, Entity},
        materials, users,
    },
    begin, clock, storage_objects, text,
    tokens::{PlainToken, sha256},
};
use crate::{adapters::storage::Download, context::Nproxy};
use picture::Picture;

pub use super::_entities::assets::Model;
pub use deletion::{UNDO, count_in, erase, own_even_deleted};
pub(super) use deletion::{bring_back_in, delete_in, erase_in, hide_in};
pub use erasure::erase_all_of;
pub(super) use erasure::{bury_all_of, left_behind};

/// An upload that nothing was made from, and that was not chosen again, is somebody's private picture and goes.
pub const UNUSED_UPLOADS_STAY: TimeDelta = TimeDelta::days(7);

/// So many unused uploads one person may have; with one more, the oldest goes.
const UNUSED_UPLOADS_MAX: u64 = 20;

const FILE_NAME_CHARS: usize = 30;

/// Unused uploads that one sweep takes away.
const FORGET_AT_ONCE: u64 = 500;

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

/// Puts the bytes into the store, under a name that nobody can have used before and that is written down first.
///
/// # Errors
/// The store does not take them. What it may have kept all the same is removed by the sweep.
pub async fn store(ctx: &AppContext, folder: &str, picture: Picture) -> Result<Stored> {
    let token = PlainToken::mint();
    let (name, shelf) = (token.expose(), &token.expose()[..1]);
    // Few folders, so that they are there already, and each with few enough files.
    let name = format!("{folder}/{shelf}/{name}");
    let stored = Stored {
        storage_key: format!("{name}.{}", picture.extension()),
        thumb_key: format!("{name}.thumb.jpg"),
        sha256: sha256(&picture.bytes),
        picture,
    };
    let [picture, thumbnail] = stored.keys();
    let sizes = [(picture, stored.picture.bytes.len()), (thumbnail, stored.picture.thumbnail.len())];
    storage_objects::reserve(&ctx.db, &sizes).await?;
    ctx.storage.upload(Path::new(&stored.thumb_key), &stored.picture.thumbnail).await?;
    ctx.storage.upload(Path::new(&stored.storage_key), &stored.picture.bytes).await?;
    Ok(stored)
}

/// A file that a person gave: checked, drawn anew, stored, theirs; or what is wrong with it. The same picture once more is
/// the one they have already.
///
/// # Errors
/// The store or the database does not answer.
pub async fn take_upload(
    ctx: &AppContext,
    user: &users::Model,
    file: picture::Source,
) -> Result<std::result::Result<Model, picture::Fault>> {
    let picture = match picture::redraw(file).await? {
        Ok(picture) => picture,
        Err(fault) => return Ok(Err(fault)),
    };
    if let Some(same) = upload_like(&ctx.db, user, &sha256(&picture.bytes)).await?
        && let Some(chosen) = choose(&ctx.db, user, same.pid).await?
    {
        return Ok(Ok(chosen));
    }
    let stored = store(ctx, "uploads", picture).await?;
    let txn = begin(&ctx.db).await?;
    let asset = stored.keep(&txn, user.id, Origin::Upload).await?;
    txn.commit().await?;
    let surplus = unused_uploads().filter(Column::UserId.eq(user.id)).order_by_desc(last_chosen());
    for upload in
        surplus.order_by_desc(Column::Id).offset(UNUSED_UPLOADS_MAX).limit(UNUSED_UPLOADS_MAX).all(&ctx.db).await?
    {
        upload.forget(ctx, asset.created_at).await?;
    }
    Ok(Ok(asset))
}

/// One of the person's own, to start from: chosen now, so that it stays for a while even if nothing is made from it.
///
/// # Errors
/// The database does not answer.
pub async fn choose(db: &impl ConnectionTrait, user: &users::Model, pid: Uuid) -> Result<Option<Model>> {
    Entity::update_many()
        .col_expr(Column::ChosenAt, Expr::value(clock::now(db).await?))
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Pid.eq(pid))
        .filter(Column::DeletedAt.is_null())
        .exec(db)
        .await?;
    own(db, user, pid).await
}

/// Takes away the uploads that nothing was made from and that nobody has chosen for a while; how many.
pub(super) async fn forget_unused(ctx: &AppContext) -> Result<u64> {
    let old = clock::now(&ctx.db).await? - UNUSED_UPLOADS_STAY;
    let unused = unused_uploads().filter(last_chosen().lte(old)).order_by_asc(Column::Id).limit(FORGET_AT_ONCE);
    let mut forgotten = 0;
    for upload in unused.all(&ctx.db).await? {
        forgotten += u64::from(upload.forget(ctx, old).await?);
    }
    Ok(forgotten)
}

/// Uploads that are there and that no generation works on.
fn unused_uploads() -> sea_orm::Select<Entity> {
    Entity::find().filter(is_unused())
}

fn is_unused() -> Condition {
    let used = Query::select().column(materials::Column::AssetId).from(materials::Entity).take();
    Condition::all()
        .add(Column::Origin.eq(text(Origin::Upload)))
        .add(Column::DeletedAt.is_null())
        .add(Column::Id.not_in_subquery(used))
}

fn last_chosen() -> sea_orm::sea_query::SimpleExpr {
    Expr::cust("COALESCE(chosen_at, created_at)")
}

async fn upload_like(db: &impl ConnectionTrait, user: &users::Model, sha256: &str) -> Result<Option<Model>> {
    Ok(Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Sha256.eq(sha256))
        .filter(Column::Origin.eq(text(Origin::Upload)))
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::Id)
        .one(db)
        .await?)
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

/// The ids of all that is the person's and there, the oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn all_of(db: &impl ConnectionTrait, user: &users::Model) -> Result<Vec<i64>> {
    let all = Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::DeletedAt.is_null());
    Ok(all.order_by_asc(Column::Id).select_only().column(Column::Id).into_tuple().all(db).await?)
}

/// # Errors
/// The database does not answer.
pub async fn by_ids(db: &impl ConnectionTrait, ids: Vec<i64>) -> Result<Vec<Model>> {
    if ids.is_empty() {
        return Ok(Vec::new()); // a turn that has just begun
    }
    Ok(Entity::find().filter(Column::Id.is_in(ids)).all(db).await?)
}

/// # Errors
/// The database does not answer, or there is no such asset.
pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Model> {
    Entity::find_by_id(id).one(db).await?.ok_or(Error::NotFound)
}

impl Stored {
    fn keys(&self) -> [&str; 2] {
        [&self.storage_key, &self.thumb_key]
    }

    /// The row that makes the bytes somebody's; belongs into a transaction.
    pub(super) async fn keep(&self, db: &impl ConnectionTrait, user_id: i64, origin: Origin) -> Result<Model> {
        if !storage_objects::adopt(db, &self.keys()).await? {
            return Err(Error::Message(format!("{} took too long and was swept away", self.storage_key)));
        }
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

    /// Takes the bytes back when the row could not be written. What this misses, the sweep finds.
    pub(super) async fn discard(&self, ctx: &AppContext) {
        let taken_back = async {
            storage_objects::doom(&ctx.db, &self.keys()).await?;
            storage_objects::remove(ctx, &self.keys()).await
        };
        if let Err(error) = taken_back.await {
            tracing::warn!(key = self.storage_key, %error, "an object without a row is left to the sweep");
        }
    }
}

impl Model {
    /// Takes the bytes of a deleted picture out of the store, for good; the row stays, marked as deleted. Safe to repeat.
    ///
    /// # Errors
    /// The store or the database does not answer. The sweep tries again whatever the caller does.
    pub async fn erase(&self, ctx: &AppContext) -> Result<()> {
        let keys = [self.storage_key.as_str(), &self.thumb_key];
        storage_objects::doom(&ctx.db, &keys).await?;
        storage_objects::remove(ctx, &keys).await
    }

    /// Deletes an upload that is still unused and was not chosen after `old`; its bytes go with the sweep. `false` when
    /// it was chosen meanwhile.
    async fn forget(&self, ctx: &AppContext, old: DateTimeUtc) -> Result<bool> {
        let txn = begin(&ctx.db).await?;
        let forgotten = Entity::update_many()
            .col_expr(Column::DeletedAt, Expr::value(clock::now(&txn).await?))
            .filter(Column::Id.eq(self.id))
            .filter(is_unused())
            .filter(last_chosen().lte(old))
            .exec(&txn)
            .await?;
        if forgotten.rows_affected == 1 {
            storage_objects::doom(&txn, &[&self.storage_key, &self.thumb_key]).await?;
        }
        txn.commit().await?;
        Ok(forgotten.rows_affected == 1)
    }

    /// The bytes, which are those that were stored.
    ///
    /// # Errors
    /// The store does not answer, or with something else.
    pub async fn read(&self, ctx: &AppContext) -> Result<Bytes> {
        let bytes: Bytes = ctx.storage.download::<Vec<u8>>(Path::new(&self.storage_key)).await?.into();
        if sha256(&bytes) != self.sha256 {
            return Err(Error::Message(format!("{} has other bytes than were stored", self.storage_key)));
        }
        Ok(bytes)
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
    pub fn is_upload(&self) -> bool {
        self.origin == text(Origin::Upload)
    }

    /// `a-lighthouse-at-dusk-20261121.jpg`: the beginning of the prompt, the day, the real type.
    #[must_use]
    pub fn file_name(&self, prompt: &str) -> String {
        let mut stem = String::new();
        for c in prompt.chars().take(FILE_NAME_CHARS * 2) {
            if c.is_ascii_alphanumeric() {
                stem.push(c.to_ascii_lowercase());
            } else if !stem.ends_with('-') && !stem.is_empty() {
                stem.push('-');
            }
            if stem.len() >= FILE_NAME_CHARS {
                break;
            }
        }
        let stem = stem.trim_matches('-');
        let stem = if stem.is_empty() { "picture" } else { stem };
        format!("{stem}-{}.{}", self.created_at.format("%Y%m%d"), self.extension())
    }

    #[must_use]
    pub fn extension(&self) -> &'static str {
        picture::extension(&self.mime)
    }
}
