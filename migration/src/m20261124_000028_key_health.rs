//! What the pool remembers of a key beyond its state: its ramp after a rest, its last strike and success, the incident that
//! holds a strike. Balances get the unit that prices have: millionths of a dollar.

use sea_orm_migration::prelude::*;

use crate::columns::{add_column, at_null, big_null, drop_column, index, rename_column, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

const KEYS: &str = "provider_keys";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            big_null("ramp"),
            at_null("struck_at"),
            text_null("struck_class"),
            at_null("succeeded_at"),
            big_null("incident_id"),
            text_null("balance_source"),
        ] {
            add_column(m, KEYS, column).await?;
        }
        rename_column(m, KEYS, "balance_minor", "balance_micros").await?;
        rename_column(m, "attempts", "cost_minor", "cost_micros").await?;
        // The round robin reads the first and the last turn; the window of an incident the newest success.
        index(m, KEYS, &["provider", "turn"]).await?;
        index(m, KEYS, &["provider", "succeeded_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for index in ["idx_provider_keys_provider_turn", "idx_provider_keys_provider_succeeded_at"] {
            m.drop_index(Index::drop().name(index).table(Alias::new(KEYS)).to_owned()).await?;
        }
        rename_column(m, "attempts", "cost_micros", "cost_minor").await?;
        rename_column(m, KEYS, "balance_micros", "balance_minor").await?;
        for column in ["balance_source", "incident_id", "succeeded_at", "struck_class", "struck_at", "ramp"] {
            drop_column(m, KEYS, column).await?;
        }
        Ok(())
    }
}
