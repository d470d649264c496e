//! Three people and what became of them, told in rows: ada makes pictures, bo pays, cleo has left. Nothing in it is wrong.

use loco_rs::Result;
use sea_orm::DatabaseTransaction;
use serde_json::json;

use super::ENTRY;
use crate::models::{
    activities::{self, Actor},
    vault::Vault,
};

/// One statement each; `AGO(60)` is a minute ago.
pub(super) fn lines(vault: &Vault) -> Result<Vec<String>> {
    let key = vault.seal("provider_keys|secret_enc|1", &"nobody's key".to_owned().into())?;
    let proxy = vault.seal("proxies|url_enc|1", &"http://nobody@localhost:1".to_owned().into())?;
    let mut lines: Vec<String> = LINES.iter().map(|line| (*line).to_owned()).collect();
    lines.push(format!(
        "INSERT INTO proxies (id, label, url_enc, state, created_at, updated_at) \
         VALUES (1, 'one', '{proxy}', 'active', AGO(9000), AGO(9000))"
    ));
    lines.push(format!(
        "INSERT INTO provider_keys (id, provider, label, secret_enc, secret_hint, proxy_id, state, epoch, \
         consecutive_failures, max_concurrency, turn, successes, failures, created_at, updated_at) \
         VALUES (1, 'gemini', 'main', '{key}', '…', 1, 'active', 2, 0, 4, 1, 3, 1, AGO(9000), AGO(900))"
    ));
    let factor = vault.seal("second_factors|secret_enc|1", &"nobody's secret".to_owned().into())?;
    lines.push(format!(
        "INSERT INTO second_factors (id, user_id, secret_enc, last_step, recovery_hashes, created_at) \
         VALUES (1, 2, '{factor}', 1, '', AGO(9000))"
    ));
    let signing = vault.seal("push_keys|private_enc|1", &"nobody's key".to_owned().into())?;
    lines.push(format!(
        "INSERT INTO push_keys (id, public_key, private_enc, created_at) VALUES (1, 'B', '{signing}', AGO(9000))"
    ));
    lines.push(format!("INSERT INTO job_ticks (name, last_tick) VALUES ('{ENTRY}', AGO(0))"));
    lines.extend(LATER_LINES.iter().map(|line| (*line).to_owned()));
    Ok(lines)
}

/// The audit log, by the hand that writes it in earnest: its hashes must be right. Numbered from 1, and the rows above name
/// the first three, the breaks some of the others.
pub(super) async fn history(txn: &DatabaseTransaction) -> Result<()> {
    let tell = async |actor: &Actor, activity: &str, resource: (&str, i64), detail| {
        activities::record(txn, actor, activity, resource, detail).await
    };
    let moved = |from: &str, to: &str| json!({ "from": from, "to": to, "reason": "a story" });
    tell(&Actor::Cli, "grant_allowance", ("user", 2), json!({})).await?;
    tell(&Actor::Cli, "adjust_allowance", ("allowance", 3), json!({})).await?;
    tell(&Actor::Cli, "grant_allowance", ("user", 2), json!({})).await?;
    tell(&Actor::System, "change_provider_key_state", ("provider_key", 1), moved("active", "manual_review")).await?;
    tell(&Actor::Cli, "change_provider_key_state", ("provider_key", 1), moved("manual_review", "active")).await?;
    for (activity, resource) in [
        ("create_provider_key", ("provider_key", 1)),
        ("create_proxy", ("proxy", 1)),
        ("revoke_allowance", ("allowance", 5)),
        ("delete_user", ("user", 3)),
        ("enrol_second_factor", ("user", 2)),
        ("pair_telegram_admin", ("telegram_admin", 1)),
        ("put_up_banner", ("switch", 1)),
    ] {
        tell(&Actor::Cli, activity, resource, json!({})).await?;
    }
    Ok(())
}

const LINES: &[&str] = &[
    // Ada and bo are here, cleo has left.
    "INSERT INTO users (id, pid, email, password_hash, status, role, activated_at, session_epoch, created_at, updated_at)
     VALUES (1, '00000000-0000-7000-8000-000000000101', 'ada@example.com', '$argon2id$v=19$a', 'activated', 'user', AGO(90000), 3, AGO(90000), AGO(90000)),
            (2, '00000000-0000-7000-8000-000000000102', 'bo@example.com', '$argon2id$v=19$b', 'activated', 'user', AGO(90000), 0, AGO(90000), AGO(90000))",
    "INSERT INTO users (id, pid, status, role, activated_at, session_epoch, deleted_at, created_at, updated_at)
     VALUES (3, '00000000-0000-7000-8000-000000000103', 'blocked', 'user', AGO(90000), 1, AGO(600), AGO(90000), AGO(600))",
    "INSERT INTO sessions (id, user_id, token_hash, epoch, ip, user_agent, created_at, last_seen_at, expires_at)
     VALUES (1, 1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 3, '127.0.0.1', 'story', AGO(900), AGO(9), AGO(-90000))",
    "INSERT INTO links (id, user_id, purpose, token_hash, expires_at, created_at)
     VALUES (1, 2, 'reset', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', AGO(-900), AGO(900))",
    // Three conversations' worth of pictures.
    "INSERT INTO conversations (id, pid, user_id, title, created_at, updated_at)
     VALUES (1, '00000000-0000-7000-8000-000000000201', 1, 'boats', AGO(8000), AGO(30)),
            (2, '00000000-0000-7000-8000-000000000202', 2, 'hills', AGO(8000), AGO(8000))",
    "INSERT INTO generations (id, pid, user_id, conversation_id, kind, mode, model, prompt, params, client_token, request_hash, state, created_at)
     VALUES (1, '00000000-0000-7000-8000-000000000301', 1, 1, 'image', 'text_to_image', 'm', 'a boat', '{}', 'one', 'h', 'ready', AGO(7000)),
            (2, '00000000-0000-7000-8000-000000000302', 1, 1, 'image', 'image_to_image', 'm', 'another', '{}', 'two', 'h', 'ready', AGO(30)),
            (3, '00000000-0000-7000-8000-000000000303', 2, 2, 'image', 'text_to_image', 'm', 'a hill', '{}', 'one', 'h', 'ready', AGO(7000))",
    "INSERT INTO runs (id, pid, generation_id, number, state, inputs_snapshot, outputs_requested, outputs_delivered, version, deadline_at, created_at, started_at, finished_at)
     VALUES (1, '00000000-0000-7000-8000-000000000401', 1, 1, 'succeeded', '{}', 2, 1, 3, AGO(6820), AGO(7000), AGO(7000), AGO(6990)),
            (3, '00000000-0000-7000-8000-000000000403', 3, 1, 'succeeded', '{}', 2, 2, 3, AGO(6820), AGO(7000), AGO(7000), AGO(6990))",
    "INSERT INTO runs (id, pid, generation_id, number, state, inputs_snapshot, outputs_requested, outputs_delivered, version, deadline_at, created_at, started_at)
     VALUES (2, '00000000-0000-7000-8000-000000000402', 2, 1, 'running', '{}', 1, 0, 1, AGO(-150), AGO(30), AGO(29))",
    "INSERT INTO assets (id, pid, user_id, storage_key, thumb_key, mime, bytes, sha256, width, height, origin, favorite, created_at)
     VALUES (1, '00000000-0000-7000-8000-000000000501', 1, 'p1', 't1', 'image/png', 1, 's', 1, 1, 'output', false, AGO(6990)),
            (2, '00000000-0000-7000-8000-000000000502', 2, 'p2', 't2', 'image/png', 1, 's', 1, 1, 'output', false, AGO(6990)),
            (3, '00000000-0000-7000-8000-000000000503', 2, 'p3', 't3', 'image/png', 1, 's', 1, 1, 'output', false, AGO(6990))",
    "INSERT INTO storage_objects (storage_key, state, created_at, changed_at)
     VALUES ('p1', 'live', AGO(6990), AGO(6990)), ('t1', 'live', AGO(6990), AGO(6990)),
            ('p2', 'live', AGO(6990), AGO(6990)), ('t2', 'live', AGO(6990), AGO(6990)),
            ('p3', 'live', AGO(6990), AGO(6990)), ('t3', 'live', AGO(6990), AGO(6990)),
            ('p4', 'doomed', AGO(9000), AGO(3600))",
    "INSERT INTO outputs (id, run_id, position, state, asset_id, failure, finished_at)
     VALUES (1, 1, 1, 'done', 1, NULL, AGO(6990)), (2, 1, 2, 'failed', NULL, 'refused', AGO(6990)),
            (3, 2, 1, 'waiting', NULL, NULL, NULL),
            (4, 3, 1, 'done', 2, NULL, AGO(6990)), (5, 3, 2, 'done', 3, NULL, AGO(6990))",
    "INSERT INTO exports (id, pid, user_id, kind, state, pictures, parts, created_at, ready_at, expires_at)
     VALUES (1, '00000000-0000-7000-8000-000000000801', 1, 'pictures', 'ready', '[]', '[{\"key\": \"e1\", \"bytes\": 1, \"pictures\": 1}]', AGO(900), AGO(890), AGO(-90000))",
    "INSERT INTO storage_objects (storage_key, state, created_at, changed_at) VALUES ('e1', 'live', AGO(890), AGO(890))",
    "INSERT INTO shares (id, pid, user_id, asset_id, shows_prompt, created_at, expires_at)
     VALUES (1, '00000000-0000-7000-8000-000000000901', 1, 1, false, AGO(900), AGO(-90000))",
    // The house: an admin of the bot, somebody who wants to be one, a banner, a mail on its way.
    "INSERT INTO telegram_admins (id, telegram_id, name, paired_at) VALUES (1, 42, 'Cy', AGO(9000))",
    "INSERT INTO telegram_pairings (id, telegram_id, name, code_hash, state, created_at, expires_at)
     VALUES (1, 43, 'Dee', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'pending', AGO(60), AGO(-540))",
    "INSERT INTO telegram_confirmations (id, telegram_id, token_hash, deed, created_at, expires_at)
     VALUES (1, 42, 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', '{}', AGO(60), AGO(-540))",
    "INSERT INTO switches (id, name, says, reason, actor, thrown_at)
     VALUES (1, 'banner', 'Tonight at ten we rest.', '', 'cli:console', AGO(900))",
    "INSERT INTO notifications (id, kind, dedupe_key, channel, user_id, detail, created_at)
     VALUES (1, 'receipt', 'receipt:1', 'mail', 2, '{}', AGO(60))",
    "INSERT INTO materials (id, generation_id, asset_id, role, position) VALUES (1, 2, 1, 'source', 1)",
    // Ada: three free pictures, one used, one held. Bo: a paid month, tokens by hand, a month that ended, a gift that was
    // taken back after two were used, and one more picture that has paid half of that debt.
    "INSERT INTO invoices (id, pid, user_id, kind, offer_code, offer_snapshot, price_minor, currency, processor, processor_ref, checkout_url, state, paid_minor, late, overpaid, marked, payments, version, created_at, expires_at, paid_at)
     VALUES (1, '00000000-0000-7000-8000-000000000601', 2, 'subscription', 'monthly', '{}', 999, 'USD', 'btcpay', 'r1', 'u1', 'paid', 995, false, false, false, '[]', 3, AGO(9000), AGO(5400), AGO(8900))",
    "INSERT INTO invoices (id, pid, user_id, kind, offer_code, offer_snapshot, price_minor, currency, processor, processor_ref, checkout_url, state, paid_minor, late, overpaid, marked, payments, version, created_at, expires_at, next_poll_at)
     VALUES (2, '00000000-0000-7000-8000-000000000602', 1, 'subscription', 'monthly', '{}', 999, 'USD', 'btcpay', 'r2', 'u2', 'pending', 0, false, false, false, '[]', 1, AGO(600), AGO(-3000), AGO(-20))",
    "INSERT INTO payment_events (id, processor, kind, reference, invoice_id, body, created_at)
     VALUES (1, 'btcpay', 'InvoiceSettled', 'r1', 1, '{}', AGO(8900))",
    "INSERT INTO payment_event_keys (id, processor, dedupe_key, payment_event_id) VALUES (1, 'btcpay', 'd1', 1)",
    "INSERT INTO allowances (id, user_id, kind, granted, available, posted, starts_at, expires_at, expired_at, revoked_at, source, created_at)
     VALUES (1, 1, 'trial', 3, 1, 2, AGO(90000), NULL, NULL, NULL, 'trial:ada', AGO(90000)),
            (2, 2, 'quota', 100, 100, 100, AGO(8900), AGO(-2600000), NULL, NULL, 'invoice:1', AGO(8900)),
            (4, 2, 'quota', 5, 0, 0, AGO(90000), AGO(80000), AGO(79000), NULL, 'seed:4', AGO(90000)),
            (5, 2, 'trial', 3, 0, 0, AGO(90000), NULL, NULL, AGO(5000), 'trial:bo', AGO(90000))",
    "INSERT INTO debts (id, user_id, allowance_id, unit, amount, outstanding, forgiven, source, reason, created_at)
     VALUES (1, 2, 5, 'pictures', 2, 1, 0, 'revoke:5', 'refunded', AGO(5000))",
    "INSERT INTO subscriptions (id, pid, user_id, plan_code, activated_at, created_at)
     VALUES (1, '00000000-0000-7000-8000-000000000701', 2, 'monthly', AGO(8900), AGO(8900))",
];

/// What points at the lines before.
const LATER_LINES: &[&str] = &[
    "INSERT INTO allowances (id, user_id, kind, granted, available, posted, starts_at, expires_at, source, created_at)
     VALUES (3, 2, 'tokens', 500, 400, 400, AGO(8800), NULL, 'admin:1', AGO(8800)),
            (6, 2, 'quota', 1, 0, 0, AGO(4900), AGO(-2600000), 'admin:3', AGO(4900))",
    "INSERT INTO holds (id, allowance_id, run_id, amount, captured_amount, state, created_at, settled_at)
     VALUES (1, 1, 1, 2, 1, 'captured', AGO(7000), AGO(6990)),
            (2, 1, 2, 1, 0, 'open', AGO(30), NULL),
            (3, 5, 3, 2, 2, 'captured', AGO(7000), AGO(6990))",
    "INSERT INTO ledger_entries (id, allowance_id, kind, available_delta, posted_delta, available_after, posted_after, hold_id, invoice_id, debt_id, actor, reason, idempotency_key, created_at)
     VALUES (1, 1, 'grant', 3, 3, 3, 3, NULL, NULL, NULL, 'system:nproxy', 'free pictures', 'grant:1', AGO(90000)),
            (2, 1, 'hold', -2, 0, 1, 3, 1, NULL, NULL, 'user:1', '', 'hold:1', AGO(7000)),
            (3, 1, 'capture', 0, -1, 1, 2, 1, NULL, NULL, 'system:nproxy', '', 'capture:1', AGO(6990)),
            (4, 1, 'release', 1, 0, 2, 2, 1, NULL, NULL, 'system:nproxy', '', 'release:1', AGO(6990)),
            (5, 1, 'hold', -1, 0, 1, 2, 2, NULL, NULL, 'user:1', '', 'hold:2', AGO(30)),
            (6, 2, 'grant', 100, 100, 100, 100, NULL, 1, NULL, 'system:nproxy', 'a paid month', 'grant:2', AGO(8900)),
            (7, 3, 'grant', 500, 500, 500, 500, NULL, NULL, NULL, 'cli:console', 'thanks', 'grant:3', AGO(8800)),
            (8, 3, 'adjust', -100, -100, 400, 400, NULL, NULL, NULL, 'cli:console', 'a slip', 'adjust:2', AGO(8700)),
            (9, 4, 'grant', 5, 5, 5, 5, NULL, NULL, NULL, 'system:nproxy', 'a month', 'grant:4', AGO(90000)),
            (10, 4, 'expire', -5, -5, 0, 0, NULL, NULL, NULL, 'system:nproxy', '', 'expire:4', AGO(79000)),
            (11, 5, 'grant', 3, 3, 3, 3, NULL, NULL, NULL, 'system:nproxy', 'free pictures', 'grant:5', AGO(90000)),
            (12, 5, 'hold', -2, 0, 1, 3, 3, NULL, NULL, 'user:2', '', 'hold:3', AGO(7000)),
            (13, 5, 'capture', 0, -2, 1, 1, 3, NULL, NULL, 'system:nproxy', '', 'capture:3', AGO(6990)),
            (14, 5, 'adjust', -1, -1, 0, 0, NULL, NULL, NULL, 'cli:console', 'refunded', 'revoke:5', AGO(5000)),
            (15, 6, 'grant', 1, 1, 1, 1, NULL, NULL, NULL, 'cli:console', 'sorry', 'grant:6', AGO(4900)),
            (16, 6, 'adjust', -1, -1, 0, 0, NULL, NULL, 1, 'cli:console', 'pays a debt', 'debt:1:2', AGO(4900))",
    // A call is under way, jobs wait and run.
    "INSERT INTO attempts (id, run_id, position, provider_key_id, epoch, via, outcome, maybe_billed, created_at, finished_at)
     VALUES (1, 1, 1, 1, 0, 'proxy', 'image', false, AGO(6999), AGO(6990)), (2, 2, 1, 1, 2, 'proxy', 'open', false, AGO(20), NULL)",
    "INSERT INTO key_leases (id, run_id, position, provider_key_id, epoch, expires_at, created_at)
     VALUES (1, 2, 1, 1, 2, AGO(-60), AGO(20))",
    "INSERT INTO jobs (id, class, args, queue, priority, state, run_at, attempts, max_attempts, created_at)
     VALUES (1, 'FulfilRun', '{}', 'default', 0, 'queued', AGO(1), 0, 5, AGO(1))",
    "INSERT INTO jobs (id, class, args, queue, priority, state, run_at, attempts, max_attempts, lease_token, lease_owner, lease_expires_at, created_at)
     VALUES (2, 'FulfilRun', '{}', 'default', 0, 'running', AGO(30), 1, 5, 1, 'story', AGO(-20), AGO(30))",
    "INSERT INTO jobs (id, class, args, queue, priority, state, run_at, attempts, max_attempts, created_at, finished_at)
     VALUES (3, 'ApplyPayment', '{}', 'default', 0, 'done', AGO(8900), 1, 10, AGO(8900), AGO(8899))",
    "INSERT INTO jobs (id, class, args, queue, priority, state, run_at, attempts, max_attempts, created_at)
     VALUES (4, 'ApplyPayment', '{}', 'default', 0, 'queued', AGO(-60), 1, 10, AGO(90))",
];
