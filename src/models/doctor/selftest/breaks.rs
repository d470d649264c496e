//! Every way to break the story that there is a rule against: what only somebody with the keys to the database could do,
//! and what is left when processes die.

mod people;

use super::ENTRY;

/// One way to break it.
pub(super) struct Break {
    /// The rule that must fail.
    pub rule: &'static str,
    /// The row that it must name.
    pub row: String,
    pub sql: Sql,
    /// Rules that cannot but fail with it.
    pub with: &'static [&'static str],
}

pub(super) enum Sql {
    /// With the guards of history out of the way; how many rows change is counted.
    Rows(Vec<String>),
    /// Changes the schema; none = this cannot be done on that database.
    Schema { sqlite: Vec<String>, postgres: Vec<String> },
}

fn by(rule: &'static str, row: &str, lines: &[&str]) -> Break {
    with(rule, row, lines, &[])
}

fn with(rule: &'static str, row: &str, lines: &[&str], with: &'static [&'static str]) -> Break {
    let sql = Sql::Rows(lines.iter().map(|line| (*line).to_owned()).collect());
    Break { rule, row: row.to_owned(), sql, with }
}

pub(super) fn all() -> Vec<Break> {
    [
        balances(),
        holds(),
        debts(),
        people::operators(),
        people::accounts(),
        studio(),
        pool(),
        billing(),
        jobs(),
        store(),
        history(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn balances() -> Vec<Break> {
    vec![
        by(
            "balances_are_the_sums_of_the_entries",
            "allowance 2",
            &["UPDATE allowances SET available = available + 1, posted = posted + 1 WHERE id = 2"],
        ),
        with(
            "what_is_not_available_is_held",
            "allowance 2",
            &["UPDATE allowances SET posted = posted + 1 WHERE id = 2"],
            &["balances_are_the_sums_of_the_entries"],
        ),
        by(
            "running_balances_follow_the_deltas",
            "ledger entry 6",
            &["UPDATE ledger_entries SET available_after = 101, posted_after = 101 WHERE id = 6"],
        ),
        with(
            "a_grant_has_its_entry",
            "allowance 2",
            &["UPDATE allowances SET granted = granted + 1 WHERE id = 2"],
            &[],
        ),
        with(
            "an_entry_moves_as_its_kind",
            "ledger entry 8",
            &["UPDATE ledger_entries SET reason = '' WHERE id = 8"],
            &[],
        ),
        by(
            "nothing_expires_before_its_end",
            "ledger entry 10",
            &["UPDATE allowances SET expires_at = AGO(70000) WHERE id = 4"],
        ),
    ]
}

fn holds() -> Vec<Break> {
    vec![
        with(
            "a_hold_has_its_entry",
            "hold 2",
            &["UPDATE ledger_entries SET available_delta = -2, available_after = 0 WHERE id = 5"],
            &["balances_are_the_sums_of_the_entries"],
        ),
        with(
            "a_settled_hold_has_its_entries",
            "hold 1",
            &["UPDATE holds SET captured_amount = 2 WHERE id = 1"],
            &["only_delivered_pictures_are_charged"],
        ),
        with(
            "an_open_hold_has_not_moved",
            "hold 1",
            &["UPDATE holds SET state = 'open', settled_at = NULL, captured_amount = 0 WHERE id = 1"],
            &[
                "a_finished_run_has_no_open_hold",
                "only_delivered_pictures_are_charged",
                "what_is_not_available_is_held",
            ],
        ),
        with(
            "a_finished_run_has_no_open_hold",
            "run 2",
            &[
                "UPDATE runs SET state = 'failed', failure = 'deadline', finished_at = AGO(1) WHERE id = 2",
                "UPDATE outputs SET state = 'failed', failure = 'deadline', finished_at = AGO(1) WHERE run_id = 2",
            ],
            &[],
        ),
        with(
            "a_live_run_is_held",
            "run 1",
            &["UPDATE runs SET state = 'running', finished_at = NULL, deadline_at = AGO(-60) WHERE id = 1"],
            &[],
        ),
        with("only_delivered_pictures_are_charged", "run 3", &["UPDATE runs SET state = 'canceled' WHERE id = 3"], &[]),
        with(
            "an_entry_and_its_hold_are_of_one_allowance",
            "ledger entry 4",
            &["UPDATE ledger_entries SET hold_id = 3 WHERE id = 4"],
            &["a_settled_hold_has_its_entries"],
        ),
        with(
            "a_run_is_paid_by_its_own_person",
            "hold 1",
            &["UPDATE generations SET user_id = 2, client_token = 'x' WHERE id = 1"],
            &["what_belongs_together_is_of_one_person"],
        ),
        by("nothing_is_held_outside_its_time", "hold 2", &["UPDATE holds SET created_at = AGO(99999) WHERE id = 2"]),
        with(
            "nothing_is_held_in_debt",
            "hold 3",
            &["UPDATE holds SET created_at = AGO(4000) WHERE id = 3"],
            &["nothing_is_held_outside_its_time"],
        ),
    ]
}

fn debts() -> Vec<Break> {
    vec![
        by(
            "a_debt_is_paid_or_forgiven",
            "debt 1",
            &["UPDATE debts SET outstanding = 0, cleared_at = AGO(4000) WHERE id = 1"],
        ),
        by("a_debt_is_paid_by_its_own_person", "debt 1", &["UPDATE debts SET unit = 'tokens' WHERE id = 1"]),
        with(
            "what_was_used_of_a_revoked_allowance_is_owed",
            "allowance 5",
            &["UPDATE debts SET amount = 3, outstanding = 2 WHERE id = 1"],
            &[],
        ),
        with("only_what_was_revoked_is_owed", "debt 1", &["UPDATE allowances SET revoked_at = NULL WHERE id = 5"], &[]),
    ]
}

fn studio() -> Vec<Break> {
    vec![
        by(
            "what_belongs_together_is_of_one_person",
            "generation 2",
            &["UPDATE generations SET conversation_id = 2 WHERE id = 2"],
        ),
        by("what_belongs_together_is_of_one_person", "material 1", &["UPDATE materials SET asset_id = 2 WHERE id = 1"]),
        by("what_belongs_together_is_of_one_person", "output 1", &["UPDATE outputs SET asset_id = 3 WHERE id = 1"]),
        by("what_belongs_together_is_of_one_person", "share 1", &["UPDATE shares SET asset_id = 2 WHERE id = 1"]),
        by(
            "a_finished_run_waits_for_nothing",
            "run 1",
            &["UPDATE outputs SET state = 'waiting', failure = NULL, finished_at = NULL WHERE id = 2"],
        ),
        with(
            "what_was_delivered_is_there",
            "run 2",
            &["UPDATE runs SET outputs_delivered = 1 WHERE id = 2"],
            &[],
        ),
        by(
            "no_run_outlives_its_deadline",
            "run 2",
            &["UPDATE runs SET created_at = AGO(900), deadline_at = AGO(720) WHERE id = 2"],
        ),
        by(
            "a_finished_run_calls_nobody",
            "attempt 1",
            &["UPDATE attempts SET outcome = 'open', finished_at = NULL WHERE id = 1"],
        ),
        by(
            "one_output_is_on_one_key",
            "run 2 place 1",
            &["INSERT INTO attempts (id, run_id, position, provider_key_id, epoch, via, outcome, maybe_billed, created_at)
               VALUES (9, 2, 1, 1, 2, 'direct', 'open', false, AGO(19))"],
        ),
    ]
}

fn pool() -> Vec<Break> {
    vec![
        by("a_lease_is_given_back", "lease 1", &["UPDATE key_leases SET expires_at = AGO(600) WHERE id = 1"]),
        by(
            "a_key_carries_no_more_than_it_may",
            "key main",
            &[
                "INSERT INTO key_leases (id, run_id, position, provider_key_id, epoch, expires_at, created_at)
                 VALUES (9, 1, 1, 1, 2, AGO(-60), AGO(20))",
                "UPDATE provider_keys SET max_concurrency = 1 WHERE id = 1",
            ],
        ),
        with(
            "a_rest_ends",
            "key main",
            &["UPDATE provider_keys SET state = 'cooldown', cooldown_until = AGO(7200) WHERE id = 1"],
            &["a_key_is_as_its_story_says"],
        ),
        by("a_key_is_as_its_story_says", "key main", &["UPDATE provider_keys SET state = 'disabled' WHERE id = 1"]),
        with(
            "only_an_admin_brings_a_key_back",
            "activity 5",
            &["UPDATE activities SET actor_type = 'system' WHERE id = 5"],
            &["the_audit_log_is_whole"],
        ),
        by(
            "what_is_sealed_opens",
            "provider_keys 1",
            &["UPDATE provider_keys SET secret_enc = 'v1.other.AAAA' WHERE id = 1"],
        ),
        by(
            "what_is_sealed_opens",
            "proxies 1",
            &["UPDATE proxies SET url_enc = (SELECT secret_enc FROM provider_keys WHERE id = 1) WHERE id = 1"],
        ),
        by(
            "what_is_sealed_opens",
            "second_factors 1",
            &["UPDATE second_factors SET secret_enc = 'v1.other.AAAA' WHERE id = 1"],
        ),
    ]
}

fn billing() -> Vec<Break> {
    vec![
        by("a_paid_month_was_given", "invoice 1", &["UPDATE allowances SET source = 'seed:2' WHERE id = 2"]),
        by(
            "a_given_month_was_paid",
            "allowance 2",
            &["UPDATE invoices SET state = 'expired', paid_at = NULL WHERE id = 1"],
        ),
        by("a_given_month_was_paid", "allowance 2", &["UPDATE invoices SET user_id = 1 WHERE id = 1"]),
        by("what_was_paid_is_the_price", "invoice 1", &["UPDATE invoices SET paid_minor = 900 WHERE id = 1"]),
        by("an_open_invoice_is_asked_for", "invoice 2", &["UPDATE invoices SET next_poll_at = AGO(3600) WHERE id = 2"]),
        by("an_open_invoice_will_be_asked_for", "invoice 2", &["UPDATE invoices SET next_poll_at = NULL WHERE id = 2"]),
        with(
            "one_month_waits",
            "user 2",
            &[
                "UPDATE allowances SET starts_at = AGO(-1000) WHERE id = 2",
                "INSERT INTO allowances (id, user_id, kind, granted, available, posted, starts_at, expires_at, source, created_at)
                 VALUES (9, 2, 'quota', 1, 1, 1, AGO(-2000), AGO(-9000), 'invoice:9', AGO(1))",
                "INSERT INTO ledger_entries (id, allowance_id, kind, available_delta, posted_delta, available_after, posted_after, actor, reason, idempotency_key, created_at)
                 VALUES (99, 9, 'grant', 1, 1, 1, 1, 'system:nproxy', 'a paid month', 'grant:9', AGO(1))",
            ],
            &["a_given_month_was_paid"],
        ),
        by("who_is_on_the_plan_had_a_month", "subscription 1", &["UPDATE subscriptions SET user_id = 1 WHERE id = 1"]),
        by("a_webhook_is_worked_off", "job 4", &["UPDATE jobs SET created_at = AGO(3600) WHERE id = 4"]),
    ]
}

fn jobs() -> Vec<Break> {
    vec![
        by("a_due_job_runs", "job 1", &["UPDATE jobs SET run_at = AGO(3600) WHERE id = 1"]),
        by("a_running_job_is_kept_alive", "job 2", &["UPDATE jobs SET lease_expires_at = AGO(300) WHERE id = 2"]),
        by("no_job_was_given_up", "job 3", &["UPDATE jobs SET state = 'dead', last_error = 'no luck' WHERE id = 3"]),
        by("the_timetable_is_kept", &format!("entry {ENTRY}"), &["UPDATE job_ticks SET last_tick = AGO(7200)"]),
        by("the_timetable_is_kept", &format!("entry {ENTRY}"), &["DELETE FROM job_ticks"]),
    ]
}

fn store() -> Vec<Break> {
    vec![
        by("a_picture_has_its_files", "asset 1", &["DELETE FROM storage_objects WHERE storage_key = 't1'"]),
        by(
            "a_picture_has_its_files",
            "asset 2",
            &["UPDATE storage_objects SET state = 'doomed', changed_at = AGO(9) WHERE storage_key = 'p2'"],
        ),
        by(
            "what_lies_in_the_store_is_somebodys",
            "object p4",
            &["UPDATE storage_objects SET state = 'live' WHERE storage_key = 'p4'"],
        ),
        by("what_lies_in_the_store_is_somebodys", "object e1", &["UPDATE exports SET state = 'gone' WHERE id = 1"]),
        by("an_archive_has_its_files", "export 1", &["DELETE FROM storage_objects WHERE storage_key = 'e1'"]),
        by("an_archive_is_made_and_let_go", "export 1", &["UPDATE exports SET expires_at = AGO(200000) WHERE id = 1"]),
        with(
            "an_archive_is_made_and_let_go",
            "export 1",
            &["UPDATE exports SET state = 'preparing', created_at = AGO(9000) WHERE id = 1"],
            &["what_lies_in_the_store_is_somebodys"],
        ),
        by(
            "what_is_doomed_goes",
            "object p4",
            &["UPDATE storage_objects SET changed_at = AGO(200000) WHERE storage_key = 'p4'"],
        ),
    ]
}

fn history() -> Vec<Break> {
    let schema = |sqlite: &[&str], postgres: &[&str]| Sql::Schema {
        sqlite: sqlite.iter().map(|line| (*line).to_owned()).collect(),
        postgres: postgres.iter().map(|line| (*line).to_owned()).collect(),
    };
    vec![
        by("the_audit_log_is_whole", "activity 2", &["UPDATE activities SET actor_id = 'somebody' WHERE id = 2"]),
        with(
            "the_audit_log_is_whole",
            "activity 3",
            &["DELETE FROM activities WHERE id = 2"],
            &["an_operators_change_has_its_activity"],
        ),
        by("the_audit_log_is_whole", "the audit log", &["UPDATE activity_heads SET length = length + 1"]),
        Break {
            rule: "history_is_guarded",
            row: "trigger activity_heads_follow".into(),
            sql: schema(&["DROP TRIGGER activity_heads_follow"], &["DROP TRIGGER activity_heads_follow ON activities"]),
            with: &[],
        },
        Break {
            rule: "history_is_guarded",
            row: "trigger ledger_entries_append_only".into(),
            sql: schema(&[], &["DROP TRIGGER ledger_entries_append_only ON ledger_entries"]),
            with: &[],
        },
        Break {
            rule: "history_is_guarded",
            row: "trigger ledger_entries_no_update".into(),
            sql: schema(&["DROP TRIGGER ledger_entries_no_update"], &[]),
            with: &[],
        },
        Break {
            rule: "a_row_points_at_a_row",
            row: "links 1".into(),
            sql: schema(
                &["PRAGMA defer_foreign_keys = ON", "UPDATE links SET user_id = 99 WHERE id = 1"],
                &[
                    "ALTER TABLE links DROP CONSTRAINT links_user_id_fkey",
                    "UPDATE links SET user_id = 99 WHERE id = 1",
                    "ALTER TABLE links ADD CONSTRAINT links_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID",
                ],
            ),
            with: &[],
        },
    ]
}
