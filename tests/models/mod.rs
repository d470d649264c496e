mod activities;
mod alerts;
#[cfg(debug_assertions)]
mod allowances;
mod catalogue;
#[cfg(debug_assertions)]
mod invoices;
mod key_incidents;
mod key_pool;
mod key_states;
#[cfg(debug_assertions)]
mod ledger;
mod ledger_check;
#[cfg(debug_assertions)]
mod ledger_life;
mod ledger_races;
mod ledger_scale;
#[cfg(debug_assertions)]
mod ledger_walk;
mod lists_scale;
mod notifications;
mod pairings;
mod pool_broken;
mod pool_lost;
mod pool_race;
mod pool_walk;
mod proxy_health;
#[cfg(debug_assertions)]
mod refunds;
#[cfg(debug_assertions)]
mod renewals;
mod runs;
mod storage_objects;
#[cfg(debug_assertions)]
mod subscriptions;
mod vault;
#[cfg(debug_assertions)]
mod warnings;
