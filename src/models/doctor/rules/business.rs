//! Money, jobs, and the history of both.

use super::{
    Look::{Chain, Each, GivenUp, References, Rows, Timetable},
    Rule, moving, rule,
};

const RUNNER: &str = "nproxy start --worker: no process works on jobs, or all of them hang";

pub(super) const BILLING: &[Rule] = &[
    rule(
        "a_paid_month_was_given",
        Rows(
            "SELECT 'invoice ' || i.id AS row_name, 'paid at ' || i.paid_at || ', yet nothing was given for it' AS says
             FROM invoices i LEFT JOIN allowances a ON a.source = 'invoice:' || i.id
             WHERE i.state = 'paid' AND a.id IS NULL",
        ),
        "nproxy task invoice_check invoice:ID; nproxy task subscription_give gives the month by hand",
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

pub(super) const JOBS: &[Rule] = &[
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
        GivenUp,
        "nproxy task job_retry job:ID once its reason is gone; nproxy task job_discard job:ID lets it go",
    ),
    moving("the_timetable_is_kept", Timetable, RUNNER),
];

pub(super) const HISTORY: &[Rule] = &[
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
                       ('debts_no_update'), ('debts_no_delete'), ('notes_no_update'), ('notes_no_delete'),
                       ('activity_heads_follow'), ('activity_heads_go_on'), ('activity_heads_stay'))
                     SELECT 'trigger ' || name AS row_name, 'is missing: rows can be changed' AS says FROM due
                     WHERE name NOT IN (SELECT name FROM sqlite_master WHERE type = 'trigger')",
            postgres: "SELECT 'trigger ' || due.name AS row_name, 'is missing or off: rows can be changed' AS says
                       FROM (VALUES
                         ('activities_append_only'), ('activities_no_truncate'),
                         ('ledger_entries_append_only'), ('ledger_entries_no_truncate'),
                         ('payment_events_append_only'), ('payment_events_no_truncate'),
                         ('payment_event_keys_append_only'), ('payment_event_keys_no_truncate'),
                         ('debts_stay'), ('debts_no_truncate'), ('notes_append_only'), ('notes_no_truncate'),
                         ('activity_heads_follow'), ('activity_heads_go_on'), ('activity_heads_no_truncate')) AS due(name)
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
