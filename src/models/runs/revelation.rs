//! What a person wrote and got, shown to an operator who says why.

use loco_rs::{Result, app::AppContext};
use serde_json::json;

use super::Model;
use crate::models::{
    activities::{self, Actor},
    assets, begin, generations, outputs,
};

/// What was asked for, and what came of it.
#[derive(Debug)]
pub struct Revealed {
    pub prompt: String,
    /// Place and thumbnail, JPEG, of each picture that is still there.
    pub pictures: Vec<(i64, Vec<u8>)>,
}

/// Written down before anything is read.
///
/// # Errors
/// The database or the store does not answer.
pub async fn reveal(ctx: &AppContext, run: &Model, reason: &str, actor: &Actor) -> Result<Revealed> {
    let txn = begin(&ctx.db).await?;
    activities::record(&txn, actor, "reveal_run", ("run", run.id), json!({ "reason": reason })).await?;
    txn.commit().await?;
    let generation = generations::by_id(&ctx.db, run.generation_id).await?;
    let places = outputs::of_runs(&ctx.db, vec![run.id]).await?;
    let assets = assets::by_ids(&ctx.db, places.iter().filter_map(|place| place.asset_id).collect()).await?;
    let mut pictures = Vec::new();
    for place in &places {
        let asset = assets.iter().find(|asset| Some(asset.id) == place.asset_id && asset.deleted_at.is_none());
        if let Some(asset) = asset {
            pictures.push((place.position, asset.read_thumbnail(ctx).await?.to_vec()));
        }
    }
    Ok(Revealed { prompt: generation.prompt, pictures })
}
