//! Models that a key may not use for a while. One that no key may use is retired by its vendor, or forbidden: nobody gets a
//! picture of it, although every key looks well.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use loco_rs::{Result, app::AppContext};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, Query, SelectStatement},
};

use super::{Column, Entity, Leased, Model, State};
use crate::{
    context::Nproxy,
    models::{
        _entities::key_exclusions,
        alerts::{self, Kind, Trouble},
        begin, clock, insert_new, text,
    },
};

/// A model that a key may not use today it will hardly use in five minutes.
const MODEL_ACCESS_REST: TimeDelta = TimeDelta::hours(12);

/// A model of the catalogue, and what the keys in service are to it.
#[derive(Debug)]
pub struct Offered {
    pub provider: String,
    pub wire_model: String,
    /// Keys that may use it, as far as we know.
    pub served_by: u64,
    /// Keys that it was refused to.
    pub refused_to: u64,
}

impl Offered {
    /// Nobody gets a picture of it. Where no key is in service at all, that says nothing of the model.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.served_by == 0 && self.refused_to > 0
    }

    fn gone(&self) -> Trouble<'_> {
        Trouble::ModelGone { provider: &self.provider, wire_model: &self.wire_model }
    }
}

/// The models of the catalogue, each once.
///
/// # Errors
/// The database does not answer.
pub async fn of_catalogue(ctx: &AppContext, db: &impl ConnectionTrait) -> Result<Vec<Offered>> {
    let parts = ctx.parts();
    let models = parts.catalogue().models.iter().map(|it| (it.provider.clone(), it.wire_model.clone()));
    let models: BTreeSet<(String, String)> = models.collect();
    let now = clock::now(db).await?;
    let mut all = Vec::new();
    for (provider, wire_model) in models {
        let refused = || excluded(&wire_model, now);
        let refused_to = in_service(&provider).filter(Column::Id.in_subquery(refused())).count(db).await?;
        let served_by = in_service(&provider).filter(Column::Id.not_in_subquery(refused())).count(db).await?;
        all.push(Offered { provider, wire_model, served_by, refused_to });
    }
    Ok(all)
}

/// Admins hear of the models that nobody gets a picture of, and of the end. Asked when a key is refused a model, and by the
/// clock: exclusions end by themselves, and of two keys that are refused at once neither transaction sees the other.
///
/// # Errors
/// The database does not answer.
pub(in crate::models) async fn follow(ctx: &AppContext, txn: &DatabaseTransaction) -> Result<()> {
    let models = of_catalogue(ctx, txn).await?;
    let gone: Vec<_> = models.iter().filter(|it| it.is_gone()).map(Offered::gone).collect();
    alerts::only(txn, Kind::ModelGone, &gone).await
}

/// A picture has come, whatever was said of its model before: the key that made it may use it, and somebody gets pictures.
pub(super) async fn served(ctx: &AppContext, leased: &Leased) -> Result<()> {
    let txn = begin(&ctx.db).await?;
    let now = clock::now(&txn).await?;
    key_exclusions::Entity::update_many()
        .col_expr(key_exclusions::Column::Until, Expr::value(now))
        .filter(key_exclusions::Column::ProviderKeyId.eq(leased.key.id))
        .filter(key_exclusions::Column::WireModel.eq(&leased.wire_model))
        .filter(key_exclusions::Column::Until.gt(now))
        .exec(&txn)
        .await?;
    let gone = Trouble::ModelGone { provider: &leased.key.provider, wire_model: &leased.wire_model };
    alerts::when(&txn, false, &gone).await?;
    Ok(txn.commit().await?)
}

impl Model {
    /// Not asked for this model for a while; other models it serves.
    pub(super) async fn exclude(
        &self,
        ctx: &AppContext,
        txn: &DatabaseTransaction,
        wire_model: &str,
        now: DateTimeUtc,
    ) -> Result<()> {
        let until = now + MODEL_ACCESS_REST;
        let row = key_exclusions::ActiveModel {
            provider_key_id: Set(self.id),
            wire_model: Set(wire_model.to_owned()),
            until: Set(until),
            created_at: Set(now),
            ..Default::default()
        };
        if !insert_new(txn, row).await? {
            key_exclusions::Entity::update_many()
                .col_expr(key_exclusions::Column::Until, Expr::value(until))
                .filter(key_exclusions::Column::ProviderKeyId.eq(self.id))
                .filter(key_exclusions::Column::WireModel.eq(wire_model))
                .exec(txn)
                .await?;
        }
        tracing::warn!(key.id = self.id, wire_model, %until, state = text(self.state()), "a key may not use a model");
        follow(ctx, txn).await
    }
}

/// Keys that work, or will again by themselves.
fn in_service(provider: &str) -> Select<Entity> {
    Entity::find().filter(Column::Provider.eq(provider)).filter(Column::State.is_in([State::Active, State::Cooldown]))
}

/// The keys that this model is refused to.
fn excluded(wire_model: &str, now: DateTimeUtc) -> SelectStatement {
    Query::select()
        .column(key_exclusions::Column::ProviderKeyId)
        .from(key_exclusions::Entity)
        .and_where(key_exclusions::Column::WireModel.eq(wire_model))
        .and_where(key_exclusions::Column::Until.gt(now))
        .to_owned()
}
