//! Proves that every picture has its bytes and that the store holds nothing else.

use std::{collections::BTreeMap, path::Path};

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use loco_rs::{Result, app::AppContext};
use rand::Rng;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{
    super::{
        _entities::assets::{Column as AssetColumn, Entity as Assets},
        assets, clock,
        tokens::sha256,
    },
    Column, Entity, State, sweep,
};

/// Without `all`: so many pictures in a row, at so many places.
const SAMPLE: i64 = 25;
const PLACES: usize = 8;
const PAGE: u64 = 500;
/// The store answers one question as fast as several.
const AT_ONCE: usize = 8;

/// The hourly sweep has had its chance.
const OVERDUE: TimeDelta = TimeDelta::hours(26);

/// How closely to look.
#[derive(Debug, Default, Clone, Copy)]
pub struct Look {
    /// At every picture, and through the store for what no row knows; otherwise at some, by chance.
    pub all: bool,
    /// Reads the bytes and compares their hash; otherwise their number.
    pub deep: bool,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub key: String,
    pub says: &'static str,
}

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub pictures: u64,
    pub findings: Vec<Finding>,
}

/// # Errors
/// The database or the store does not answer, which says nothing about the pictures.
pub async fn run(ctx: &AppContext, look: Look) -> Result<Report> {
    let mut report = Report::default();
    let kept = || Assets::find().filter(AssetColumn::DeletedAt.is_null());
    if look.all {
        let mut after = 0;
        loop {
            let page = kept().filter(AssetColumn::Id.gt(after)).order_by_asc(AssetColumn::Id).limit(PAGE);
            let page = page.all(&ctx.db).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            report.look_at(ctx, page, look.deep).await?;
        }
    } else if let Some(newest) = kept().order_by_desc(AssetColumn::Id).one(&ctx.db).await? {
        // By key: to shuffle them all would be to read them all.
        let mut sample = BTreeMap::new();
        for _ in 0..PLACES {
            let after = rand::rng().random_range(0..=(newest.id - SAMPLE).max(0));
            let some = kept().filter(AssetColumn::Id.gt(after)).order_by_asc(AssetColumn::Id);
            let some = some.limit(SAMPLE.unsigned_abs());
            sample.extend(some.all(&ctx.db).await?.into_iter().map(|asset| (asset.id, asset)));
        }
        report.look_at(ctx, sample.into_values().collect(), look.deep).await?;
    }
    let overdue = clock::now(&ctx.db).await? - OVERDUE;
    let waiting = Entity::find()
        .filter(Column::State.is_in([State::Pending, State::Doomed]))
        .filter(Column::ChangedAt.lte(overdue))
        .order_by_asc(Column::Id)
        .limit(PAGE)
        .all(&ctx.db)
        .await?;
    report.findings.extend(
        waiting.into_iter().map(|object| Finding { key: object.storage_key, says: "should have been removed" }),
    );
    if look.all {
        let strays = sweep::strays(ctx, overdue).await?;
        report.findings.extend(strays.into_iter().map(|key| Finding { key, says: "is named by no row" }));
    }
    Ok(report)
}

impl Report {
    async fn look_at(&mut self, ctx: &AppContext, pictures: Vec<assets::Model>, deep: bool) -> Result<()> {
        self.pictures += pictures.len() as u64;
        let looks = pictures.into_iter().map(|asset| findings(ctx, asset, deep));
        let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        self.findings.extend(found.into_iter().flatten());
        Ok(())
    }
}

/// Of one picture and its small copy.
async fn findings(ctx: &AppContext, asset: assets::Model, deep: bool) -> Result<Vec<Finding>> {
    let wrong = wrong(ctx, &asset, deep).await?;
    let is_there = ctx.storage.exists(Path::new(&asset.thumb_key)).await?;
    let all = [(asset.storage_key, wrong), (asset.thumb_key, (!is_there).then_some("is missing"))];
    Ok(all.into_iter().filter_map(|(key, says)| says.map(|says| Finding { key, says })).collect())
}

/// What is wrong with the bytes of a picture; with `deep` they are read.
///
/// # Errors
/// The store does not answer, which says nothing about the picture.
pub(in crate::models) async fn wrong(
    ctx: &AppContext,
    asset: &assets::Model,
    deep: bool,
) -> Result<Option<&'static str>> {
    let path = Path::new(&asset.storage_key);
    if !ctx.storage.exists(path).await? {
        return Ok(Some("is missing"));
    }
    let length = ctx.storage.stat(path).await?.content_length;
    if length.is_some_and(|length| i64::try_from(length) != Ok(asset.bytes)) {
        return Ok(Some("has another length than its row says"));
    }
    if deep && sha256(&ctx.storage.download::<Vec<u8>>(path).await?) != asset.sha256 {
        return Ok(Some("has other bytes than its row says"));
    }
    Ok(None)
}
