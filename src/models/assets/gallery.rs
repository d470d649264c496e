//! The gallery: everything that was made for a person, the newest first, in pages that an index answers. A star never moves
//! a picture, so nothing jumps while somebody looks.

use chrono::{Days, NaiveDate};
use loco_rs::Result;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, Func, LikeExpr},
};
use uuid::Uuid;

use super::{Column, Entity, Model};
use crate::models::{
    _entities::{assets::Relation, conversations, generations, outputs, runs, users},
    generations::Mode,
};

/// Pictures of one page.
pub const PAGE: u64 = 48;

/// Roughly how a picture lies; ratios near one count as square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Square,
    Wide,
    Tall,
}

/// Which pictures; the default is all of them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Part of the prompt. Case does not count; on `SQLite` only that of a to z does not.
    pub words: String,
    pub favorites: bool,
    /// Made from a picture, not from words alone.
    pub from_picture: bool,
    /// A model's id; empty = any.
    pub model: String,
    pub shape: Option<Shape>,
    pub since: Option<NaiveDate>,
    /// With this day.
    pub until: Option<NaiveDate>,
}

/// A picture with what it came from.
#[derive(Debug)]
pub struct Piece {
    pub asset: Model,
    pub prompt: String,
    pub generation: Uuid,
    pub conversation: Uuid,
}

/// A page of the gallery.
#[derive(Debug)]
pub struct Shown {
    pub pieces: Vec<Piece>,
    /// The picture after which the next page begins; `None` on the last.
    pub older: Option<Uuid>,
}

/// So many `pages` of the person's own, from the newest, or from behind `before`.
///
/// # Errors
/// The database does not answer.
pub async fn gallery(
    db: &impl ConnectionTrait,
    user: &users::Model,
    wanted: &Wanted,
    before: Option<Uuid>,
    pages: u64,
) -> Result<Shown> {
    let mut query = wanted.narrow(kept(user)).order_by_desc(Column::Id).limit(PAGE * pages + 1);
    if let Some(before) = before {
        // Also behind a picture that was deleted since: its row is still there.
        let place = Entity::find().filter(Column::UserId.eq(user.id)).filter(Column::Pid.eq(before)).one(db).await?;
        query = query.filter(Column::Id.lt(place.map_or(i64::MAX, |asset| asset.id)));
    }
    let mut assets = query.all(db).await?;
    let is_more = assets.len() as u64 > PAGE * pages;
    assets.truncate(usize::try_from(PAGE * pages).unwrap_or(usize::MAX));
    let older = assets.last().filter(|_| is_more).map(|last| last.pid);
    Ok(Shown { pieces: pieces(db, assets).await?, older })
}

/// The pictures beside this one among those that are wanted: the next newer, the next older. It need not be one of them
/// any more.
///
/// # Errors
/// The database does not answer.
pub async fn neighbours(
    db: &impl ConnectionTrait,
    user: &users::Model,
    wanted: &Wanted,
    asset: &Model,
) -> Result<(Option<Model>, Option<Model>)> {
    let all = || wanted.narrow(kept(user));
    let newer = all().filter(Column::Id.gt(asset.id)).order_by_asc(Column::Id).one(db).await?;
    let older = all().filter(Column::Id.lt(asset.id)).order_by_desc(Column::Id).one(db).await?;
    Ok((newer, older))
}

/// Those of these that are the person's own and there, in the order of the gallery.
///
/// # Errors
/// The database does not answer.
pub async fn own_of(db: &impl ConnectionTrait, user: &users::Model, pids: Vec<Uuid>) -> Result<Vec<i64>> {
    let own = kept(user).filter(Column::Pid.is_in(pids)).order_by_desc(Column::Id);
    Ok(own.select_only().column(Column::Id).into_tuple().all(db).await?)
}

impl Model {
    /// Gives it a star, or takes it away.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn favor(&self, db: &impl ConnectionTrait, on: bool) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::Favorite, Expr::value(on))
            .filter(Column::Id.eq(self.id))
            .exec(db)
            .await?;
        Ok(())
    }
}

/// What was made for somebody and is there. The words are those of the partial indexes: a value in their place would hide
/// them from the planner.
fn kept(user: &users::Model) -> Select<Entity> {
    Entity::find()
        .filter(Column::UserId.eq(user.id))
        .filter(Expr::cust("assets.origin = 'output'"))
        .filter(Column::DeletedAt.is_null())
}

impl Wanted {
    fn narrow(&self, mut query: Select<Entity>) -> Select<Entity> {
        if self.favorites {
            query = query.filter(Expr::cust("assets.favorite"));
        }
        if let Some(shape) = self.shape {
            query = query.filter(Expr::cust(match shape {
                Shape::Wide => "assets.width * 10 > assets.height * 11",
                Shape::Tall => "assets.height * 10 > assets.width * 11",
                Shape::Square => "assets.width * 10 <= assets.height * 11 AND assets.height * 10 <= assets.width * 11",
            }));
        }
        if let Some(since) = self.since {
            query = query.filter(Column::CreatedAt.gte(midnight(since)));
        }
        if let Some(day) = self.until.and_then(|day| day.checked_add_days(Days::new(1))) {
            query = query.filter(Column::CreatedAt.lt(midnight(day)));
        }
        let words = self.words.trim();
        if words.is_empty() && self.model.is_empty() && !self.from_picture {
            return query;
        }
        query = query
            .join(JoinType::InnerJoin, Relation::Outputs.def())
            .join(JoinType::InnerJoin, outputs::Relation::Runs.def())
            .join(JoinType::InnerJoin, runs::Relation::Generations.def());
        if !words.is_empty() {
            query = query.filter(
                Expr::expr(Func::lower(Expr::col((generations::Entity, generations::Column::Prompt))))
                    .like(holds(words)),
            );
        }
        if !self.model.is_empty() {
            query = query.filter(generations::Column::Model.eq(&self.model));
        }
        if self.from_picture {
            query = query.filter(generations::Column::Mode.eq(crate::models::text(Mode::ImageToImage)));
        }
        query
    }
}

fn midnight(day: NaiveDate) -> DateTimeUtc {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Text with these words somewhere in it, taken as they are.
pub(in crate::models) fn holds(words: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for c in words.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}

async fn pieces(db: &impl ConnectionTrait, assets: Vec<Model>) -> Result<Vec<Piece>> {
    if assets.is_empty() {
        return Ok(Vec::new());
    }
    let made: Vec<(i64, String, Uuid, Uuid)> = outputs::Entity::find()
        .select_only()
        .column(outputs::Column::AssetId)
        .column(generations::Column::Prompt)
        .column_as(generations::Column::Pid, "generation_pid")
        .column_as(conversations::Column::Pid, "conversation_pid")
        .join(JoinType::InnerJoin, outputs::Relation::Runs.def())
        .join(JoinType::InnerJoin, runs::Relation::Generations.def())
        .join(JoinType::InnerJoin, generations::Relation::Conversations.def())
        .filter(outputs::Column::AssetId.is_in(assets.iter().map(|asset| asset.id)))
        .into_tuple()
        .all(db)
        .await?;
    let piece = |asset: Model| {
        let (_, prompt, generation, conversation) = made.iter().find(|(id, ..)| *id == asset.id)?;
        Some(Piece { prompt: prompt.clone(), generation: *generation, conversation: *conversation, asset })
    };
    Ok(assets.into_iter().filter_map(piece).collect())
}
