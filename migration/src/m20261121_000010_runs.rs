//! One launch of a generation. `version` moves with every change that a page shows, so that a poll is one row.

use sea_orm_migration::prelude::*;

use crate::columns::{
    at, at_null, big, big_null, check, drop_table, id, json, one_of, partial, pid, references, table, text, text_null,
    unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table("runs")
                .col(id())
                .col(pid())
                .col(big("generation_id"))
                .col(big("number"))
                .col(text("state"))
                .col(json("inputs_snapshot"))
                .col(big("outputs_requested"))
                .col(big("outputs_delivered"))
                .col(text_null("failure"))
                .col(text_null("provider_job_id"))
                .col(big_null("hold_id"))
                .col(big("version"))
                .col(at("deadline_at"))
                .col(at("created_at"))
                .col(at_null("started_at"))
                .col(at_null("finished_at"))
                .check(one_of("state", &["queued", "running", "succeeded", "failed", "canceled"]))
                .check(check("outputs_requested > 0"))
                .check(check("outputs_delivered BETWEEN 0 AND outputs_requested"))
                .check(check("(state IN ('succeeded', 'failed', 'canceled')) = (finished_at IS NOT NULL)"))
                .check(check("state <> 'succeeded' OR outputs_delivered > 0"))
                .foreign_key(&mut references("generation_id", "generations"))
                .take(),
        )
        .await?;
        unique(m, "runs", &["generation_id", "number"]).await?;
        partial(m, "CREATE UNIQUE INDEX uq_runs_one_live ON runs (generation_id) WHERE state IN ('queued', 'running')")
            .await?;
        partial(m, "CREATE INDEX idx_runs_live_deadline ON runs (deadline_at) WHERE state IN ('queued', 'running')")
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_table(m, "runs").await
    }
}
