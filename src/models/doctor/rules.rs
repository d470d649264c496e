//! What must hold in the data, rule by rule. Each query answers `(row_name, says)` for every row that breaks the rule.

use super::super::ledger_entries::check as ledger;

/// One rule of the data.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable, for scripts and for the selftest.
    pub name: &'static str,
    pub look: Look,
    /// The command that mends it, or the first thing to do.
    pub mend: &'static str,
    /// Depends on processes that run: after a restore, or while everything is stopped, it says nothing about the data.
    pub moves: bool,
}

/// How rows that break a rule are found.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// In the dialect that both databases share; `AGO(60)` is a minute ago.
    Rows(&'static str),
    Each {
        sqlite: &'static str,
        postgres: &'static str,
    },
    /// Follows the hashes of the audit log from its first row.
    Chain,
    /// Opens what lies sealed.
    Seals,
    /// Rows that point at rows which are not there.
    References,
    /// Entries of the timetable that have not ticked.
    Timetable,
}

const fn rule(name: &'static str, look: Look, mend: &'static str) -> Rule {
    Rule { name, look, mend, moves: false }
}

const fn moving(name: &'static str, look: Look, mend: &'static str) -> Rule {
    Rule { name, look, mend, moves: true }
}

use Look::{Chain, Each, References, Rows, Seals, Timetable};

const LEDGER_MEND: &str = "nproxy task ledger_check names every row; nproxy task allowance_adjust puts a balance right, \
                           nproxy task restore brings back what was there";

const RUNNER: &str = "nproxy start --worker: no process works on jobs, or all of them hang";

const ACCOUNTS: &[Rule] = &[
    rule(
        "a_session_is_of_somebody_who_may_sign_in",
        Rows(
            "SELECT 'session ' || s.id AS row_name,
                    'of user ' || u.id || ' (' || u.status || '), epoch ' || s.epoch || ' of ' || u.session_epoch AS says
             FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.epoch > u.session_epoch
                OR (s.revoked_at IS NULL AND s.expires_at > AGO(0) AND s.epoch = u.session_epoch
                    AND (u.status <> 'activated' OR u.deleted_at IS NOT NULL))",
        ),
        "nproxy task user_block email:ADDRESS ends every session of an account",
    ),
    rule(
        "a_token_lies_hashed",
        Rows(
            "SELECT 'session ' || id AS row_name, 'its token is no SHA-256' AS says FROM sessions
             WHERE LENGTH(token_hash) <> 64 OR token_hash <> LOWER(token_hash)
             UNION ALL
             SELECT 'link ' || id, 'its token is no SHA-256' FROM links
             WHERE LENGTH(token_hash) <> 64 OR token_hash <> LOWER(token_hash)",
        ),
        "delete the row: who reads the database could use it. Then find what wrote it",
    ),
    rule(
        "a_password_lies_hashed",
        Rows(
            "SELECT 'user ' || id AS row_name, 'the password is not an Argon2id hash' AS says FROM users
             WHERE password_hash IS NOT NULL AND password_hash NOT LIKE '$argon2id$%'",
        ),
        "set password_hash to NULL: the person chooses a new one by /password/forgot",
    ),
    rule(
        "who_left_has_left_no_name",
        Rows(
            "SELECT 'user ' || id AS row_name, 'deleted, yet ' || status || ' or with a name' AS says FROM users
             WHERE deleted_at IS NOT NULL
               AND (email IS NOT NULL OR unconfirmed_email IS NOT NULL OR password_hash IS NOT NULL OR status <> 'blocked')",
        ),
        "set email, unconfirmed_email and password_hash of the row to NULL, status to blocked",
    ),
    rule(
        "an_open_account_was_opened",
        Rows(
            "SELECT 'user ' || id AS row_name, 'activated, but nobody knows when' AS says FROM users
             WHERE status = 'activated' AND activated_at IS NULL",
        ),
        "nproxy task user_block email:ADDRESS until it is known who opened it, then nproxy task user_unblock",
    ),
];

const STUDIO: &[Rule] = &[
    rule(
        "what_belongs_together_is_of_one_person",
        Rows(
            "SELECT 'generation ' || g.id AS row_name,
                    'of user ' || g.user_id || ', in a conversation of user ' || c.user_id AS says
             FROM generations g JOIN conversations c ON c.id = g.conversation_id WHERE c.user_id <> g.user_id
             UNION ALL
             SELECT 'material ' || m.id, 'a picture of user ' || a.user_id || ' in a generation of user ' || g.user_id
             FROM materials m JOIN generations g ON g.id = m.generation_id JOIN assets a ON a.id = m.asset_id
             WHERE a.user_id <> g.user_id
             UNION ALL
             SELECT 'output ' || o.id, 'a picture of user ' || a.user_id || ' from a generation of user ' || g.user_id
             FROM outputs o JOIN assets a ON a.id = o.asset_id
                  JOIN runs r ON r.id = o.run_id JOIN generations g ON g.id = r.generation_id
             WHERE a.user_id <> g.user_id",
        ),
        "nproxy task user_block email:ADDRESS for who sees too much; then give the row its owner back",
    ),
    rule(
        "a_finished_run_waits_for_nothing",
        Rows(
            "SELECT 'run ' || r.id AS row_name, r.state || ', yet ' || COUNT(o.id) || ' of its places wait' AS says
             FROM runs r JOIN outputs o ON o.run_id = r.id
             WHERE r.state IN ('succeeded', 'failed', 'canceled') AND o.state = 'waiting' GROUP BY r.id, r.state",
        ),
        "nproxy task ledger_check says whether anything was charged; then set the places to failed",
    ),
    rule(
        "what_was_delivered_is_there",
        Rows(
            "SELECT 'run ' || r.id AS row_name,
                    r.outputs_delivered || ' delivered, ' || COUNT(o.id) || ' places done' AS says
             FROM runs r LEFT JOIN outputs o ON o.run_id = r.id AND o.state = 'done'
             GROUP BY r.id, r.outputs_delivered HAVING r.outputs_delivered <> COUNT(o.id)",
        ),
        "nproxy task ledger_check says whether too much was charged; nproxy task allowance_adjust gives it back",
    ),
    moving(
        "no_run_outlives_its_deadline",
        Rows(
            "SELECT 'run ' || id AS row_name, state || ' since ' || created_at || ', to end by ' || deadline_at AS says
             FROM runs WHERE state IN ('queued', 'running') AND deadline_at < AGO(180)",
        ),
        "nproxy task stuck_run_recovery",
    ),
    moving(
        "a_finished_run_calls_nobody",
        Rows(
            "SELECT 'attempt ' || t.id AS row_name, 'open, though run ' || r.id || ' is ' || r.state AS says
             FROM attempts t JOIN runs r ON r.id = t.run_id
             WHERE t.outcome = 'open' AND r.state IN ('succeeded', 'failed', 'canceled') AND r.finished_at < AGO(300)",
        ),
        "nproxy task stuck_run_recovery",
    ),
    rule(
        "one_output_is_on_one_key",
        Rows(
            "SELECT 'run ' || run_id || ' place ' || position AS row_name, COUNT(id) || ' calls are open at once' AS says
             FROM attempts WHERE outcome = 'open' GROUP BY run_id, position HAVING COUNT(id) > 1",
        ),
        "nproxy task stuck_run_recovery; a call too many may have been billed: compare with the vendor",
    ),
];

const POOL: &[Rule] = &[
    moving(
        "a_lease_is_given_back",
        Rows(
            "SELECT 'lease ' || id AS row_name, 'of key ' || provider_key_id || ', over since ' || expires_at AS says
             FROM key_leases WHERE expires_at < AGO(180)",
        ),
        "nproxy task stuck_run_recovery",
    ),
    rule(
        "a_key_carries_no_more_than_it_may",
        Rows(
            "SELECT 'key ' || k.label AS row_name, COUNT(l.id) || ' calls at once, ' || k.max_concurrency || ' allowed' AS says
             FROM provider_keys k JOIN key_leases l ON l.provider_key_id = k.id AND l.expires_at > AGO(0)
             GROUP BY k.id, k.label, k.max_concurrency HAVING COUNT(l.id) > k.max_concurrency",
        ),
        "wait a minute: leases end by themselves. If it comes again, nproxy task key_disable key:LABEL",
    ),
    moving(
        "a_rest_ends",
        Rows(
            "SELECT 'key ' || label AS row_name, 'in cooldown, which ended at ' || cooldown_until AS says
             FROM provider_keys WHERE state = 'cooldown' AND cooldown_until < AGO(900)",
        ),
        "nproxy task key_cooldown_recovery",
    ),
    rule(
        "a_key_is_as_its_story_says",
        Rows(
            "SELECT 'key ' || k.label AS row_name,
                    k.state || ', the audit log last said ' || (a.detail ->> 'to') AS says
             FROM provider_keys k JOIN activities a
                  ON a.id = (SELECT MAX(b.id) FROM activities b
                             WHERE b.resource_type = 'provider_key' AND b.resource_id = CAST(k.id AS TEXT)
                               AND b.activity_type = 'change_provider_key_state')
             WHERE (a.detail ->> 'to') <> k.state",
        ),
        "nproxy task key_disable key:LABEL, then nproxy task key_activate key:LABEL",
    ),
    rule(
        "only_an_admin_brings_a_key_back",
        Rows(
            "SELECT 'activity ' || id AS row_name,
                    actor_type || ' brought key ' || resource_id || ' back from ' || (detail ->> 'from') AS says
             FROM activities
             WHERE activity_type = 'change_provider_key_state' AND actor_type IN ('system', 'user', 'tenant')
               AND (detail ->> 'from') IN ('out_of_funds', 'manual_review')
               AND (detail ->> 'to') IN ('active', 'cooldown')",
        ),
        "nproxy task key_disable key:ID, and look at what the vendor says of it: nproxy task key_test key:ID",
    ),
    rule(
        "what_is_sealed_opens",
        Seals,
        "nproxy task secrets_rotate with NPROXY_SECRET_KEY_PREVIOUS set to the key it was sealed under",
    ),
];

const BILLING: &[Rule] = &[
    rule(
        "a_paid_month_was_given",
        Rows(
            "SELECT 'invoice ' || i.id AS row_name, 'paid at ' || i.paid_at || ', yet nothing was given for it' AS says
             FROM invoices i LEFT JOIN allowances a ON a.source = 'invoice:' || i.id
             WHERE i.state = 'paid' AND a.id IS NULL",
        ),
        "nproxy task grant email:ADDRESS kind:quota amount:NUMBER reason:\"invoice ID\"",
    ),
    rule(
        "a_given_month_was_paid",
        Rows(
            "SELECT 'allowance ' || a.id AS row_name,
                    a.source || ' is ' || COALESCE(i.state, 'not there') || ', of user ' || COALESCE(i.user_id, 0) AS says
             FROM allowances a LEFT JOIN invoices i ON a.source = 'invoice:' || i.id
             WHERE a.source LIKE 'invoice:%'
               AND (i.id IS NULL OR i.state NOT IN ('paid', 'refunded') OR i.user_id <> a.user_id)",
        ),
        "nproxy task invoice_reconcile asks the processor; nproxy task allowance_revoke allowance:ID takes it back",
    ),
    rule(
        "what_was_paid_is_the_price",
        Rows(
            "SELECT 'invoice ' || id AS row_name, paid_minor || ' of ' || price_minor || ' paid, and nobody marked it' AS says
             FROM invoices WHERE state = 'paid' AND NOT marked AND paid_minor * 1000 < price_minor * 990",
        ),
        "nproxy task invoice_reconcile asks the processor what came",
    ),
    moving(
        "an_open_invoice_is_asked_for",
        Rows(
            "SELECT 'invoice ' || id AS row_name, state || ', to be looked at by ' || next_poll_at AS says
             FROM invoices WHERE next_poll_at < AGO(600)",
        ),
        "nproxy task invoice_poll",
    ),
    rule(
        "an_open_invoice_will_be_asked_for",
        Rows(
            "SELECT 'invoice ' || id AS row_name, state || ', and nobody will ask the processor for it' AS says
             FROM invoices
             WHERE state IN ('new', 'pending', 'confirming', 'underpaid') AND next_poll_at IS NULL AND expires_at > AGO(518400)",
        ),
        "set next_poll_at to now: nproxy task invoice_poll asks within a minute",
    ),
    rule(
        "one_month_waits",
        Rows(
            "SELECT 'user ' || user_id AS row_name, COUNT(id) || ' paid months wait to begin' AS says FROM allowances
             WHERE source LIKE 'invoice:%' AND starts_at > AGO(0) AND revoked_at IS NULL
             GROUP BY user_id HAVING COUNT(id) > 1",
        ),
        "talk to the person: nproxy task allowance_revoke allowance:ID takes one back, after its money went back",
    ),
    rule(
        "who_is_on_the_plan_had_a_month",
        Rows(
            "SELECT 'subscription ' || s.id AS row_name, 'user ' || s.user_id || ' never had a month' AS says
             FROM subscriptions s LEFT JOIN allowances a ON a.user_id = s.user_id AND a.kind = 'quota'
             WHERE a.id IS NULL",
        ),
        "nproxy task invoice_reconcile; the row says only since when, and may go when nothing was paid",
    ),
    moving(
        "a_webhook_is_worked_off",
        Rows(
            "SELECT 'job ' || id AS row_name, 'what a processor told at ' || created_at || ' is not applied yet' AS says
             FROM jobs WHERE class = 'ApplyPayment' AND state IN ('queued', 'running') AND created_at < AGO(1200)",
        ),
        "nproxy task invoice_poll; if the processor does not answer, see the line `processors`",
    ),
];

const JOBS: &[Rule] = &[
    moving(
        "a_due_job_runs",
        Rows(
            "SELECT 'job ' || id AS row_name, class || ', due since ' || run_at AS says
             FROM jobs WHERE state = 'queued' AND run_at < AGO(300)",
        ),
        RUNNER,
    ),
    moving(
        "a_running_job_is_kept_alive",
        Rows(
            "SELECT 'job ' || id AS row_name, class || ', its lease ended at ' || lease_expires_at AS says
             FROM jobs WHERE state = 'running' AND lease_expires_at < AGO(60)",
        ),
        RUNNER,
    ),
    rule(
        "no_job_was_given_up",
        Rows(
            "SELECT 'job ' || id AS row_name, class || ' after ' || attempts || ' attempts: ' ||
                    SUBSTR(COALESCE(last_error, 'no reason'), 1, 120) AS says
             FROM jobs j
             WHERE state = 'dead' AND COALESCE(last_error, '') <> 'cancelled'
               AND NOT EXISTS (SELECT 1 FROM jobs later WHERE later.class = j.class AND later.args = j.args
                               AND later.id > j.id AND later.state = 'done')",
        ),
        "nproxy jobs retry --id ID once its reason is gone; nproxy jobs purge --status failed lets all of them go",
    ),
    moving("the_timetable_is_kept", Timetable, RUNNER),
];

const STORE: &[Rule] = &[
    rule(
        "a_picture_has_its_files",
        Rows(
            "SELECT 'asset ' || a.id AS row_name, k.which || ' is ' || COALESCE(o.state, 'unknown to the store') AS says
             FROM assets a
                  JOIN (SELECT id, 'its picture' AS which, storage_key AS path FROM assets
                        UNION ALL SELECT id, 'its thumbnail', thumb_key FROM assets) AS k ON k.id = a.id
                  LEFT JOIN storage_objects o ON o.storage_key = k.path
             WHERE a.deleted_at IS NULL AND COALESCE(o.state, '') <> 'live'",
        ),
        "nproxy task object_check all:true says whether the bytes are there; nproxy task restore brings them back",
    ),
    rule(
        "what_lies_in_the_store_is_somebodys",
        Rows(
            "SELECT 'object ' || o.storage_key AS row_name, 'live, and no picture names it' AS says
             FROM storage_objects o
             WHERE o.state = 'live'
               AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.storage_key = o.storage_key OR a.thumb_key = o.storage_key)",
        ),
        "nproxy task object_check all:true; then set the row to doomed, and the sweep removes the bytes",
    ),
    moving(
        "what_is_doomed_goes",
        Rows(
            "SELECT 'object ' || storage_key AS row_name, state || ' since ' || changed_at AS says
             FROM storage_objects WHERE state IN ('pending', 'doomed') AND changed_at < AGO(93600)",
        ),
        "nproxy task object_sweep",
    ),
];

const HISTORY: &[Rule] = &[
    rule(
        "the_audit_log_is_whole",
        Chain,
        "somebody has edited history: keep the database as it is and compare with a backup (nproxy task restore into \
         another database)",
    ),
    rule(
        "history_is_guarded",
        Each {
            sqlite: "WITH due(name) AS (VALUES
                       ('activities_no_update'), ('activities_no_delete'),
                       ('ledger_entries_no_update'), ('ledger_entries_no_delete'),
                       ('payment_events_no_update'), ('payment_events_no_delete'),
                       ('payment_event_keys_no_update'), ('payment_event_keys_no_delete'),
                       ('debts_no_update'), ('debts_no_delete'))
                     SELECT 'trigger ' || name AS row_name, 'is missing: rows can be changed' AS says FROM due
                     WHERE name NOT IN (SELECT name FROM sqlite_master WHERE type = 'trigger')",
            postgres: "SELECT 'trigger ' || due.name AS row_name, 'is missing or off: rows can be changed' AS says
                       FROM (VALUES
                         ('activities_append_only'), ('activities_no_truncate'),
                         ('ledger_entries_append_only'), ('ledger_entries_no_truncate'),
                         ('payment_events_append_only'), ('payment_events_no_truncate'),
                         ('payment_event_keys_append_only'), ('payment_event_keys_no_truncate'),
                         ('debts_stay'), ('debts_no_truncate')) AS due(name)
                       WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                                         WHERE t.tgname = due.name AND t.tgenabled <> 'D'
                                           AND c.relnamespace = CAST(current_schema() AS regnamespace))",
        },
        "look first who took it away; nproxy task restore into a new database has all of them",
    ),
    rule(
        "a_row_points_at_a_row",
        References,
        "nproxy task restore: a reference is broken only by editing the database by hand",
    ),
];

/// Every rule, with its area.
pub(super) fn all() -> Vec<(&'static str, Rule)> {
    let ledger = ledger::queries().into_iter().map(|(name, sql)| rule(name, Rows(sql), LEDGER_MEND));
    let areas = [
        ("accounts", ACCOUNTS),
        ("studio", STUDIO),
        ("pool", POOL),
        ("billing", BILLING),
        ("jobs", JOBS),
        ("store", STORE),
        ("history", HISTORY),
    ];
    ledger
        .map(|rule| ("ledger", rule))
        .chain(areas.into_iter().flat_map(|(area, rules)| rules.iter().map(move |rule| (area, *rule))))
        .collect()
}
