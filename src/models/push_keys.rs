//! The pair of keys by which push services know us, made when the first browser needs it. Browsers tie their consent to
//! it, so it stays: with another one everybody would have to agree anew.

use loco_rs::{Error, Result, app::AppContext};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

use super::{
    _entities::push_keys::{ActiveModel, Entity, Model},
    clock, insert_new,
};
use crate::{adapters::push::KeyPair, context::Nproxy};

/// There is one row.
const ID: i64 = 1;

fn place() -> String {
    format!("push_keys|private_enc|{ID}")
}

/// The half that browsers are shown.
///
/// # Errors
/// The database does not answer.
pub async fn public(ctx: &AppContext) -> Result<String> {
    Ok(kept(ctx).await?.public_key)
}

/// To sign with.
///
/// # Errors
/// The database does not answer, or the pair was sealed under another key than ours.
pub(super) async fn pair(ctx: &AppContext) -> Result<KeyPair> {
    let kept = kept(ctx).await?;
    KeyPair::read(&ctx.parts().vault().open(&place(), &kept.private_enc)?).map_err(Error::Message)
}

/// Of several that make one at the same moment the first keeps it.
async fn kept(ctx: &AppContext) -> Result<Model> {
    if let Some(kept) = find(&ctx.db).await? {
        return Ok(kept);
    }
    let pair = KeyPair::mint();
    let row = ActiveModel {
        id: Set(ID),
        public_key: Set(pair.public()),
        private_enc: Set(ctx.parts().vault().seal(&place(), &pair.secret())?),
        created_at: Set(clock::now(&ctx.db).await?),
    };
    insert_new(&ctx.db, row).await?;
    find(&ctx.db).await?.ok_or(Error::NotFound)
}

async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(ID).one(db).await?)
}
