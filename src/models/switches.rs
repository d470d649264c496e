//! What an operator switches while the site runs: a row says what is switched, since when, by whom, why, and what people
//! read of it. Whatever is under way goes on to its end.

use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveEnum,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DeriveActiveEnum, EntityTrait, EnumIter, Iterable, QueryFilter,
    QuerySelect, QueryTrait, Select,
    sea_query::{Expr, SelectStatement},
};
use serde_json::json;

use super::{
    _entities::switches::{ActiveModel, Column, Entity},
    activities::{self, Actor},
    begin, clock, insert_new, text,
};

pub use super::_entities::switches::Model;

/// A sentence of more letters is a page.
pub const SAYS_MAX: usize = 300;

#[derive(Copy, Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Switch {
    /// A sentence above every page.
    Banner,
    /// Nobody new comes in.
    SignUpsClosed,
    /// No picture is begun; what is under way is finished.
    GenerationPaused,
}

impl Switch {
    /// As it is stored, and as operators write it.
    #[must_use]
    pub fn name(self) -> String {
        self.into_value()
    }

    /// `None` for a word that is no switch.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::try_from_value(&name.to_owned()).ok()
    }

    /// Every switch there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Self::iter().collect()
    }

    /// What people read when the operator gives no sentence; a banner without one is none.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Banner => "",
            Self::SignUpsClosed => "New accounts are not open on this server at the moment.",
            Self::GenerationPaused => {
                "No new pictures are begun at the moment. What is under way will be finished, and nothing is charged for \
                 waiting."
            }
        }
    }

    const fn activities(self) -> [&'static str; 2] {
        match self {
            Self::Banner => ["put_up_banner", "take_down_banner"],
            Self::SignUpsClosed => ["close_sign_ups", "open_sign_ups"],
            Self::GenerationPaused => ["pause_generation", "resume_generation"],
        }
    }
}

/// What became of throwing a switch.
#[derive(Debug, PartialEq, Eq)]
pub enum Thrown {
    Done,
    /// It stood like that already.
    Already,
    /// A banner needs a sentence, and none may be longer than [`SAYS_MAX`].
    Speechless,
}

/// The switches that are thrown.
#[derive(Debug, Clone, Default)]
pub struct Switches(Vec<Model>);

impl Switches {
    #[must_use]
    pub fn get(&self, switch: Switch) -> Option<&Model> {
        let name = switch.name();
        self.0.iter().find(|row| row.name == name)
    }

    /// The sentence of a switch that is thrown.
    #[must_use]
    pub fn says(&self, switch: Switch) -> Option<&str> {
        self.get(switch).map(|row| row.says.as_str())
    }
}

/// # Errors
/// The database does not answer.
pub async fn thrown(db: &impl ConnectionTrait) -> Result<Switches> {
    Ok(Switches(Entity::find().all(db).await?))
}

/// The sentence of one switch, as part of a larger question.
pub(super) fn saying(switch: Switch) -> SelectStatement {
    row_of(switch).select_only().column(Column::Says).into_query()
}

/// The sentence of one switch, when it is thrown.
///
/// # Errors
/// The database does not answer.
pub async fn says(db: &impl ConnectionTrait, switch: Switch) -> Result<Option<String>> {
    Ok(of(db, switch).await?.map(|row| row.says))
}

/// No picture is begun from now on; `says` (empty: a sentence of ours) is what people read, `reason` what the audit log keeps.
///
/// # Errors
/// The database does not answer.
pub async fn pause_generation(ctx: &AppContext, says: &str, reason: &str, actor: &Actor) -> Result<Thrown> {
    throw(ctx, Switch::GenerationPaused, says, reason, actor).await
}

/// # Errors
/// The database does not answer.
pub async fn resume_generation(ctx: &AppContext, reason: &str, actor: &Actor) -> Result<Thrown> {
    release(ctx, Switch::GenerationPaused, reason, actor).await
}

/// Throws a switch, or gives one that is thrown another sentence.
///
/// # Errors
/// The database does not answer.
pub async fn throw(ctx: &AppContext, switch: Switch, says: &str, reason: &str, actor: &Actor) -> Result<Thrown> {
    let txn = begin(&ctx.db).await?;
    let thrown = throw_in(&txn, switch, says, reason, actor).await?;
    if thrown == Thrown::Done {
        txn.commit().await?;
    }
    Ok(thrown)
}

/// As [`throw`], in the caller's transaction, which stays usable whatever the answer.
pub(super) async fn throw_in(
    txn: &DatabaseTransaction,
    switch: Switch,
    says: &str,
    reason: &str,
    actor: &Actor,
) -> Result<Thrown> {
    let says = match says.trim() {
        "" => switch.says(),
        says => says,
    };
    if says.is_empty() || says.chars().count() > SAYS_MAX {
        return Ok(Thrown::Speechless);
    }
    let now = clock::now(txn).await?;
    let row = ActiveModel {
        name: Set(text(switch)),
        says: Set(says.to_owned()),
        reason: Set(reason.to_owned()),
        actor: Set(actor.name()),
        thrown_at: Set(now),
        ..Default::default()
    };
    if !insert_new(txn, row).await? && !reword(txn, switch, says).await? {
        return Ok(Thrown::Already);
    }
    let Some(row) = of(txn, switch).await? else { return Ok(Thrown::Already) };
    let detail = json!({ "says": says, "reason": reason });
    activities::record(txn, actor, switch.activities()[0], ("switch", row.id), detail).await?;
    Ok(Thrown::Done)
}

async fn reword(txn: &DatabaseTransaction, switch: Switch, says: &str) -> Result<bool> {
    let reworded = Entity::update_many()
        .col_expr(Column::Says, Expr::value(says))
        .filter(Column::Name.eq(switch.name()))
        .filter(Column::Says.ne(says))
        .exec(txn)
        .await?;
    Ok(reworded.rows_affected == 1)
}

/// Takes a switch back.
///
/// # Errors
/// The database does not answer.
pub async fn release(ctx: &AppContext, switch: Switch, reason: &str, actor: &Actor) -> Result<Thrown> {
    let txn = begin(&ctx.db).await?;
    let released = release_in(&txn, switch, reason, actor).await?;
    if released == Thrown::Done {
        txn.commit().await?;
    }
    Ok(released)
}

/// As [`release`], in the caller's transaction, which stays usable whatever the answer.
pub(super) async fn release_in(
    txn: &DatabaseTransaction,
    switch: Switch,
    reason: &str,
    actor: &Actor,
) -> Result<Thrown> {
    let Some(row) = of(txn, switch).await? else { return Ok(Thrown::Already) };
    if Entity::delete_by_id(row.id).exec(txn).await?.rows_affected == 0 {
        return Ok(Thrown::Already);
    }
    let detail = json!({ "reason": reason });
    activities::record(txn, actor, switch.activities()[1], ("switch", row.id), detail).await?;
    Ok(Thrown::Done)
}

async fn of(db: &impl ConnectionTrait, switch: Switch) -> Result<Option<Model>> {
    Ok(row_of(switch).one(db).await?)
}

fn row_of(switch: Switch) -> Select<Entity> {
    Entity::find().filter(Column::Name.eq(switch.name()))
}
