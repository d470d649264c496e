//! What Prometheus reads. Counters and times are noted where the thing happens, in whichever process that is; gauges are
//! looked up in the database when somebody asks, so that every process says the same. README.md lists all of them.

use std::time::Duration;

use loco_rs::{Result, app::AppContext};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use sea_orm::Iterable;

use super::{backups, clock, provider_keys, room, standing, storage_objects::size, text};

/// Accounts whose balance is told, the emptiest first.
const BALANCES: usize = 200;

/// What the names mean, for whoever reads `/metrics`.
pub fn describe() {
    describe_gauge!("nproxy_key_state", "Provider keys by provider and state");
    describe_counter!("nproxy_attempts_total", "Calls to providers by provider and how they ended");
    describe_histogram!("nproxy_attempt_seconds", "How long calls to providers took, by how they ended");
    describe_counter!("nproxy_failovers_total", "Calls after which another key was tried");
    describe_counter!("nproxy_runs_exhausted_total", "Pictures given up because every key was tried");
    describe_gauge!("nproxy_key_leases", "Calls under way");
    describe_histogram!("nproxy_pick_seconds", "How long it took to get a key");
    describe_counter!("nproxy_proxy_direct_total", "Calls made directly because the proxy failed");
    describe_gauge!("nproxy_pool_eligible", "Keys that can work now");
    describe_gauge!("nproxy_key_balance", "US dollars left on the account behind a key");
    describe_gauge!("nproxy_jobs_ready", "Jobs that are due");
    describe_gauge!("nproxy_jobs_dead", "Jobs that were given up");
    describe_gauge!("nproxy_queue_age_seconds", "Since when the oldest job is due");
    describe_gauge!("nproxy_payment_age_seconds", "Since when the oldest news of a payment waits");
    describe_gauge!("nproxy_backup_age_seconds", "How old the last backup is");
    describe_gauge!("nproxy_backup_bytes", "How large the last backup is");
    describe_gauge!("nproxy_stored_objects", "Objects in the store");
    describe_gauge!("nproxy_stored_bytes", "Bytes in the store");
    describe_gauge!("nproxy_disk_free_bytes", "Room left on the disk beneath a folder of this process");
    describe_gauge!("nproxy_disk_bytes", "Size of the disk beneath a folder of this process");
    describe_counter!("nproxy_requests_total", "Requests to the site by the class of their answer");
}

pub(super) fn called(provider: &str, class: &'static str, took: Duration) {
    counter!("nproxy_attempts_total", "provider" => provider.to_owned(), "class" => class).increment(1);
    histogram!("nproxy_attempt_seconds", "class" => class).record(took);
}

pub(super) fn failed_over() {
    counter!("nproxy_failovers_total").increment(1);
}

pub(super) fn exhausted() {
    counter!("nproxy_runs_exhausted_total").increment(1);
}

pub(super) fn picked(took: Duration) {
    histogram!("nproxy_pick_seconds").record(took);
}

pub(super) fn went_direct() {
    counter!("nproxy_proxy_direct_total").increment(1);
}

/// `class`: `2xx`, `4xx`, …
pub fn answered(status: u16) {
    let class = match status {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    };
    counter!("nproxy_requests_total", "class" => class).increment(1);
}

/// Looks the gauges up.
///
/// # Errors
/// The database does not answer.
pub async fn look(ctx: &AppContext) -> Result<()> {
    let db = &ctx.db;
    let now = clock::now(db).await?;
    let keys = standing::keys(db).await?;
    let mut providers: Vec<_> = keys.states.iter().map(|(provider, ..)| provider.clone()).collect();
    providers.dedup();
    for provider in providers {
        // Also those that no key is in any more.
        for state in provider_keys::State::iter().map(text) {
            let of_both = keys.states.iter().find(|row| row.0 == provider && row.1 == state);
            set("nproxy_key_state", of_both.map_or(0, |row| row.2), &[("provider", &provider), ("state", &state)]);
        }
    }
    set("nproxy_key_leases", count(keys.leases), &[]);
    set("nproxy_pool_eligible", count(keys.eligible), &[]);
    for key in provider_keys::emptiest(db, BALANCES).await? {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        let dollars = key.balance_micros.unwrap_or_default() as f64 / 1e6;
        gauge!("nproxy_key_balance", "provider" => key.provider, "key" => key.label).set(dollars);
    }
    let queue = standing::queue(db).await?;
    set("nproxy_jobs_ready", count(queue.ready), &[]);
    set("nproxy_jobs_dead", count(queue.dead), &[]);
    let age =
        |since: Option<chrono::DateTime<chrono::Utc>>| since.map_or(0, |since| (now - since).num_seconds().max(0));
    set("nproxy_queue_age_seconds", age(queue.waits_since), &[]);
    set("nproxy_payment_age_seconds", age(queue.payment_since), &[]);
    if let Some(last) = backups::standing(ctx, db).await?.and_then(|backups| backups.last) {
        set("nproxy_backup_age_seconds", age(Some(last.taken_at)), &[]);
        set("nproxy_backup_bytes", last.bytes, &[]);
    }
    if let Some(stored) = size::last(db).await? {
        set("nproxy_stored_objects", stored.objects, &[]);
        set("nproxy_stored_bytes", stored.bytes, &[]);
    }
    for room in room::look(ctx).await.into_iter().filter_map(|(_, room)| room.ok()) {
        let folder = room.folder.display().to_string();
        set("nproxy_disk_free_bytes", count(room.free), &[("folder", &folder)]);
        set("nproxy_disk_bytes", count(room.all), &[("folder", &folder)]);
    }
    Ok(())
}

fn count(many: u64) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}

fn set(name: &'static str, value: i64, labels: &[(&'static str, &str)]) {
    let labels: Vec<_> = labels.iter().map(|(name, value)| metrics::Label::new(*name, (*value).to_owned())).collect();
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    gauge!(name, labels).set(value as f64);
}
