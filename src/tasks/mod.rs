//! Operator tasks: `nproxy task NAME key:value …`. Doors: parse, one verb, say what came of it.

pub mod account_cleanup;
pub mod activity_list;
pub mod admin_create;
pub mod alert_check;
pub mod allowance_adjust;
pub mod allowance_expiry;
pub mod allowance_list;
pub mod allowance_revoke;
pub mod audit_check;
pub mod backup;
pub mod backup_identity;
pub mod debt_clear;
pub mod doctor;
pub mod grant;
pub mod invoice_check;
pub mod invoice_mark_paid;
pub mod invoice_poll;
pub mod invoice_reconcile;
pub mod invoice_refund;
pub mod job_discard;
pub mod job_list;
pub mod job_retry;
pub mod jobs_tidy;
pub mod key_activate;
pub mod key_add;
pub mod key_balance;
pub mod key_cooldown_recovery;
pub mod key_disable;
pub mod key_edit;
pub mod key_list;
pub mod key_rotate;
pub mod key_test;
mod keys;
pub mod landing_build;
pub mod ledger_check;
pub mod object_check;
pub mod object_sweep;
pub mod pair;
pub mod pair_cleanup;
pub mod pair_list;
pub mod pair_revoke;
pub mod provider_balance_refresh;
pub mod proxy_add;
pub mod proxy_list;
pub mod proxy_switch;
pub mod proxy_test;
pub mod renewal_invoices;
pub mod restore;
pub mod role_change;
mod roles;
pub mod run_show;
pub mod second_factor_reset;
mod secret;
pub mod secrets_rotate;
pub mod stuck_run_recovery;
pub mod subscription_expiry_warnings;
pub mod subscription_give;
pub mod switch_list;
pub mod switch_set;
pub mod user_activate;
pub mod user_block;
pub mod user_find;
pub mod user_unblock;

use loco_rs::{
    Error, Result,
    app::AppContext,
    task::{Tasks, Vars},
};
use serde_json::json;

use crate::models::{invoices, users};

/// Every task there is.
pub fn register(tasks: &mut Tasks) {
    tasks.register(account_cleanup::AccountCleanup);
    tasks.register(activity_list::ActivityList);
    tasks.register(admin_create::AdminCreate);
    tasks.register(alert_check::AlertCheck);
    tasks.register(allowance_adjust::AllowanceAdjust);
    tasks.register(allowance_expiry::AllowanceExpiry);
    tasks.register(allowance_list::AllowanceList);
    tasks.register(allowance_revoke::AllowanceRevoke);
    tasks.register(audit_check::AuditCheck);
    tasks.register(backup::Backup);
    tasks.register(backup_identity::BackupIdentity);
    tasks.register(debt_clear::DebtClear);
    tasks.register(doctor::Doctor);
    tasks.register(grant::Grant);
    tasks.register(invoice_check::InvoiceCheck);
    tasks.register(invoice_mark_paid::InvoiceMarkPaid);
    tasks.register(invoice_poll::InvoicePoll);
    tasks.register(invoice_reconcile::InvoiceReconcile);
    tasks.register(invoice_refund::InvoiceRefund);
    tasks.register(job_discard::JobDiscard);
    tasks.register(job_list::JobList);
    tasks.register(job_retry::JobRetry);
    tasks.register(jobs_tidy::JobsTidy);
    tasks.register(key_activate::KeyActivate);
    tasks.register(key_add::KeyAdd);
    tasks.register(key_balance::KeyBalance);
    tasks.register(key_cooldown_recovery::KeyCooldownRecovery);
    tasks.register(key_disable::KeyDisable);
    tasks.register(key_edit::KeyEdit);
    tasks.register(key_list::KeyList);
    tasks.register(key_rotate::KeyRotate);
    tasks.register(key_test::KeyTest);
    tasks.register(landing_build::LandingBuild);
    tasks.register(ledger_check::LedgerCheck);
    tasks.register(object_check::ObjectCheck);
    tasks.register(object_sweep::ObjectSweep);
    tasks.register(pair::Pair);
    tasks.register(pair_cleanup::PairCleanup);
    tasks.register(pair_list::PairList);
    tasks.register(pair_revoke::PairRevoke);
    tasks.register(provider_balance_refresh::ProviderBalanceRefresh);
    tasks.register(proxy_add::ProxyAdd);
    tasks.register(proxy_list::ProxyList);
    tasks.register(proxy_switch::ProxySwitch { on: false });
    tasks.register(proxy_switch::ProxySwitch { on: true });
    tasks.register(proxy_test::ProxyTest);
    tasks.register(renewal_invoices::RenewalInvoices);
    tasks.register(restore::Restore);
    tasks.register(role_change::RoleChange);
    tasks.register(run_show::RunShow);
    tasks.register(second_factor_reset::SecondFactorReset);
    tasks.register(secrets_rotate::SecretsRotate);
    tasks.register(stuck_run_recovery::StuckRunRecovery);
    tasks.register(subscription_expiry_warnings::SubscriptionExpiryWarnings);
    tasks.register(subscription_give::SubscriptionGive);
    tasks.register(switch_list::SwitchList);
    tasks.register(switch_set::SwitchSet);
    tasks.register(user_activate::UserActivate);
    tasks.register(user_block::UserBlock);
    tasks.register(user_find::UserFind);
    tasks.register(user_unblock::UserUnblock);
}

/// The value of `key:`, or the usage of the task.
fn required<'a>(vars: &'a Vars, key: &str, usage: &str) -> Result<&'a str> {
    optional(vars, key).ok_or_else(|| Error::Message(format!("{key}: is missing\nusage: {usage}")))
}

fn optional<'a>(vars: &'a Vars, key: &str) -> Option<&'a str> {
    vars.cli_arg(key).ok().filter(|value| !value.is_empty())
}

/// The value of `key:` as a whole number, or the usage of the task.
fn number(vars: &Vars, key: &str, usage: &str) -> Result<i64> {
    let value = required(vars, key, usage)?.parse().ok();
    value.ok_or_else(|| Error::Message(format!("{key}: takes a whole number\nusage: {usage}")))
}

/// The invoice of `invoice:`, by its number here or the one on its page.
async fn named_invoice(ctx: &AppContext, vars: &Vars, usage: &str) -> Result<invoices::Model> {
    let name = required(vars, "invoice", usage)?;
    invoices::by_name(&ctx.db, name).await?.ok_or_else(|| Error::Message(format!("invoice {name}: there is none")))
}

/// `json:true` asks for output that a script reads.
fn wants_json(vars: &Vars) -> bool {
    is_true(vars, "json")
}

fn is_true(vars: &Vars, key: &str) -> bool {
    optional(vars, key) == Some("true")
}

/// What an account is now, or that there is none.
fn say_person(vars: &Vars, email: &str, found: Option<users::Model>) -> Result<()> {
    let Some(user) = found else { return Err(Error::Message(format!("there is no account {email}"))) };
    if wants_json(vars) {
        say(json!({ "id": user.id, "email": user.email, "status": user.status }));
    } else {
        say(format_args!("{email} is {}", user.status));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a task answers on the console")]
fn say(text: impl std::fmt::Display) {
    println!("{text}");
}
