//! What only somebody with the keys to the database does to accounts, and in the name of operators.

use super::{Break, by, with};

pub(super) fn operators() -> Vec<Break> {
    vec![
        by(
            "an_operators_change_has_its_activity",
            "ledger entry 8",
            &["UPDATE ledger_entries SET idempotency_key = 'adjust:999' WHERE id = 8"],
        ),
        by(
            "an_operators_change_has_its_activity",
            "allowance 6",
            &["UPDATE allowances SET source = 'admin:999' WHERE id = 6"],
        ),
        by("a_person_is_as_the_audit_log_says", "user 2", &["UPDATE users SET role = 'owner' WHERE id = 2"]),
        by("a_person_is_as_the_audit_log_says", "user 2", &["UPDATE users SET status = 'blocked' WHERE id = 2"]),
        by(
            "what_serves_was_added_by_somebody",
            "key other",
            &["INSERT INTO provider_keys (id, provider, label, secret_enc, secret_hint, state, epoch, consecutive_failures, max_concurrency, turn, successes, failures, created_at, updated_at)
               VALUES (9, 'gemini', 'other', '', '…', 'active', 0, 0, 4, 2, 0, 0, AGO(900), AGO(900))"],
        ),
        by(
            "what_serves_was_added_by_somebody",
            "proxy other",
            &["INSERT INTO proxies (id, label, url_enc, state, created_at, updated_at)
               VALUES (9, 'other', '', 'active', AGO(900), AGO(900))"],
        ),
        by(
            "what_serves_was_added_by_somebody",
            "bot admin 99",
            &["INSERT INTO telegram_admins (id, telegram_id, name, paired_at) VALUES (9, 99, 'Mallory', AGO(9))"],
        ),
        by(
            "what_serves_was_added_by_somebody",
            "second factor 9",
            &["INSERT INTO second_factors (id, user_id, secret_enc, last_step, recovery_hashes, created_at)
               VALUES (9, 1, '', 1, '', AGO(9))"],
        ),
        by("a_proxy_is_as_its_story_says", "proxy one", &["UPDATE proxies SET state = 'disabled' WHERE id = 1"]),
        by("money_moved_by_hand_is_told", "invoice 1", &["UPDATE invoices SET marked = true WHERE id = 1"]),
        by("money_moved_by_hand_is_told", "invoice 1", &["UPDATE invoices SET state = 'refunded' WHERE id = 1"]),
        with(
            "money_moved_by_hand_is_told",
            "allowance 5",
            &["UPDATE activities SET resource_id = '4' WHERE id = 8"],
            &["the_audit_log_is_whole"],
        ),
        by(
            "a_switch_was_thrown_by_somebody",
            "switch sign_ups_closed",
            &["INSERT INTO switches (id, name, says, reason, actor, thrown_at)
               VALUES (9, 'sign_ups_closed', 'Closed.', '', 'cli:console', AGO(9))"],
        ),
        by("a_code_to_pair_ends", "pairing 1", &["UPDATE telegram_pairings SET expires_at = AGO(9000) WHERE id = 1"]),
        by(
            "what_there_is_to_tell_is_told",
            "notification 1",
            &["UPDATE notifications SET created_at = AGO(9000) WHERE id = 1"],
        ),
    ]
}

pub(super) fn accounts() -> Vec<Break> {
    vec![
        with(
            "a_session_is_of_somebody_who_may_sign_in",
            "session 1",
            &["UPDATE users SET status = 'blocked' WHERE id = 1"],
            &["a_person_is_as_the_audit_log_says"],
        ),
        by("a_session_is_of_somebody_who_may_sign_in", "session 1", &["UPDATE sessions SET epoch = 9 WHERE id = 1"]),
        by("a_token_lies_hashed", "link 1", &["UPDATE links SET token_hash = 'npx_in_the_clear' WHERE id = 1"]),
        by("a_token_lies_hashed", "session 1", &["UPDATE sessions SET token_hash = 'in_the_clear' WHERE id = 1"]),
        by("a_token_lies_hashed", "pairing 1", &["UPDATE telegram_pairings SET code_hash = 'ABCD2345' WHERE id = 1"]),
        by(
            "a_token_lies_hashed",
            "confirmation 1",
            &["UPDATE telegram_confirmations SET token_hash = 'in_the_clear' WHERE id = 1"],
        ),
        by("a_password_lies_hashed", "user 1", &["UPDATE users SET password_hash = 'hunter2' WHERE id = 1"]),
        by("who_left_has_left_no_name", "user 3", &["UPDATE users SET email = 'cleo@example.com' WHERE id = 3"]),
        by("who_left_has_left_no_name", "user 3", &["UPDATE users SET billed_to = 'Cleo Ltd' WHERE id = 3"]),
        with(
            "who_left_has_left_no_name",
            "second factor 1",
            &["UPDATE second_factors SET user_id = 3 WHERE id = 1"],
            &["what_serves_was_added_by_somebody"],
        ),
        by("an_open_account_was_opened", "user 2", &["UPDATE users SET activated_at = NULL WHERE id = 2"]),
    ]
}
