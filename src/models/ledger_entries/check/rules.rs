//! What must hold, rule by rule.

/// `(rule, SQL)`; each query answers `(row, says)` for every row that breaks the rule, in the dialect both databases share.
pub(super) const RULES: &[(&str, &str)] = &[
    (
        "balances_are_the_sums_of_the_entries",
        "SELECT 'allowance ' || a.id AS row_name,
                'available ' || a.available || ', entries say ' || COALESCE(SUM(e.available_delta), 0) ||
                '; posted ' || a.posted || ', entries say ' || COALESCE(SUM(e.posted_delta), 0) AS says
         FROM allowances a LEFT JOIN ledger_entries e ON e.allowance_id = a.id
         GROUP BY a.id, a.available, a.posted
         HAVING a.available <> COALESCE(SUM(e.available_delta), 0) OR a.posted <> COALESCE(SUM(e.posted_delta), 0)",
    ),
    (
        "what_is_not_available_is_held",
        "SELECT 'allowance ' || a.id AS row_name,
                'posted - available is ' || (a.posted - a.available) || ', open holds are ' || COALESCE(SUM(h.amount), 0) AS says
         FROM allowances a LEFT JOIN holds h ON h.allowance_id = a.id AND h.state = 'open'
         GROUP BY a.id, a.posted, a.available
         HAVING a.posted - a.available <> COALESCE(SUM(h.amount), 0)",
    ),
    (
        "running_balances_follow_the_deltas",
        "SELECT 'ledger entry ' || id AS row_name, 'available_after or posted_after does not follow the entry before' AS says
         FROM (SELECT id, available_delta, posted_delta, available_after, posted_after,
                      LAG(available_after, 1, 0) OVER (PARTITION BY allowance_id ORDER BY id) AS available_before,
                      LAG(posted_after, 1, 0) OVER (PARTITION BY allowance_id ORDER BY id) AS posted_before
               FROM ledger_entries) AS story
         WHERE available_after <> available_before + available_delta OR posted_after <> posted_before + posted_delta",
    ),
    (
        "a_hold_has_its_entry",
        "SELECT 'hold ' || h.id AS row_name, 'the entry of the hold is missing or differs' AS says
         FROM holds h LEFT JOIN ledger_entries e ON e.hold_id = h.id AND e.kind = 'hold'
         WHERE e.id IS NULL OR e.available_delta <> -h.amount OR e.allowance_id <> h.allowance_id",
    ),
    (
        "a_settled_hold_has_its_entries",
        "SELECT 'hold ' || h.id AS row_name,
                'captured ' || h.captured_amount || ' of ' || h.amount || ', entries say captured ' ||
                COALESCE(-SUM(e.posted_delta), 0) || ' and released ' ||
                COALESCE(SUM(CASE WHEN e.kind = 'release' THEN e.available_delta ELSE 0 END), 0) AS says
         FROM holds h LEFT JOIN ledger_entries e ON e.hold_id = h.id AND e.kind IN ('capture', 'release')
         WHERE h.state <> 'open'
         GROUP BY h.id, h.captured_amount, h.amount
         HAVING COALESCE(-SUM(e.posted_delta), 0) <> h.captured_amount
             OR COALESCE(SUM(CASE WHEN e.kind = 'release' THEN e.available_delta ELSE 0 END), 0) <> h.amount - h.captured_amount",
    ),
    (
        "an_open_hold_has_not_moved",
        "SELECT 'hold ' || h.id AS row_name, 'open, yet the ledger settled it' AS says
         FROM holds h JOIN ledger_entries e ON e.hold_id = h.id AND e.kind IN ('capture', 'release')
         WHERE h.state = 'open'",
    ),
    (
        "a_finished_run_has_no_open_hold",
        "SELECT 'run ' || r.id AS row_name, r.state || ' with an open hold' AS says
         FROM runs r JOIN holds h ON h.run_id = r.id
         WHERE r.state IN ('succeeded', 'failed', 'canceled') AND h.state = 'open'",
    ),
    (
        "a_live_run_is_held",
        "SELECT 'run ' || r.id AS row_name, r.state || ' without an open hold' AS says
         FROM runs r LEFT JOIN holds h ON h.run_id = r.id AND h.state = 'open'
         WHERE r.state IN ('queued', 'running') AND h.id IS NULL",
    ),
    (
        "only_delivered_pictures_are_charged",
        "SELECT 'run ' || r.id AS row_name,
                r.state || ': charged ' || h.captured_amount || ' of ' || h.amount || ' for ' || COUNT(o.id) ||
                ' of ' || r.outputs_requested || ' pictures' AS says
         FROM runs r JOIN holds h ON h.run_id = r.id LEFT JOIN outputs o ON o.run_id = r.id AND o.state = 'done'
         WHERE r.state IN ('succeeded', 'failed', 'canceled')
         GROUP BY r.id, r.state, r.outputs_requested, r.outputs_delivered, h.captured_amount, h.amount
         HAVING h.captured_amount * r.outputs_requested > h.amount * COUNT(o.id)
             OR (r.state = 'succeeded' AND h.captured_amount * r.outputs_requested <> h.amount * r.outputs_delivered)
             OR (r.state IN ('failed', 'canceled') AND h.captured_amount <> 0)",
    ),
    (
        "a_grant_has_its_entry",
        "SELECT 'allowance ' || a.id AS row_name, 'granted ' || a.granted || ', its grant entry is missing or differs' AS says
         FROM allowances a LEFT JOIN ledger_entries e ON e.allowance_id = a.id AND e.kind = 'grant'
         WHERE e.id IS NULL OR e.posted_delta <> a.granted",
    ),
    (
        "an_entry_moves_as_its_kind",
        "SELECT 'ledger entry ' || id AS row_name,
                kind || ' moved available by ' || available_delta || ' and posted by ' || posted_delta AS says
         FROM ledger_entries
         WHERE NOT CASE kind
                   WHEN 'grant' THEN available_delta > 0 AND posted_delta = available_delta
                   WHEN 'hold' THEN available_delta < 0 AND posted_delta = 0 AND hold_id IS NOT NULL
                   WHEN 'capture' THEN available_delta = 0 AND posted_delta < 0 AND hold_id IS NOT NULL
                   WHEN 'release' THEN available_delta > 0 AND posted_delta = 0 AND hold_id IS NOT NULL
                   WHEN 'adjust' THEN posted_delta = available_delta AND reason <> ''
                   ELSE available_delta < 0 AND posted_delta = available_delta END",
    ),
    (
        "an_entry_and_its_hold_are_of_one_allowance",
        "SELECT 'ledger entry ' || e.id AS row_name,
                'of allowance ' || e.allowance_id || ', its hold is on allowance ' || h.allowance_id AS says
         FROM ledger_entries e JOIN holds h ON h.id = e.hold_id
         WHERE e.allowance_id <> h.allowance_id",
    ),
    (
        "a_run_is_paid_by_its_own_person",
        "SELECT 'hold ' || h.id AS row_name,
                'the run is of user ' || g.user_id || ', the allowance of user ' || a.user_id AS says
         FROM holds h JOIN allowances a ON a.id = h.allowance_id
              JOIN runs r ON r.id = h.run_id JOIN generations g ON g.id = r.generation_id
         WHERE g.user_id <> a.user_id",
    ),
    (
        "nothing_is_held_outside_its_time",
        "SELECT 'hold ' || h.id AS row_name,
                'made at ' || h.created_at || ', the allowance counts from ' || a.starts_at || ' until ' ||
                COALESCE(CAST(COALESCE(a.revoked_at, a.expires_at) AS TEXT), 'for ever') AS says
         FROM holds h JOIN allowances a ON a.id = h.allowance_id
         WHERE h.created_at < a.starts_at OR h.created_at >= a.expires_at OR h.created_at > a.revoked_at",
    ),
    (
        "nothing_expires_before_its_end",
        "SELECT 'ledger entry ' || e.id AS row_name,
                'expired at ' || e.created_at || ', the allowance counts until ' ||
                COALESCE(CAST(a.expires_at AS TEXT), 'for ever') AS says
         FROM ledger_entries e JOIN allowances a ON a.id = e.allowance_id
         WHERE e.kind = 'expire' AND (a.expires_at IS NULL OR e.created_at < a.expires_at)",
    ),
    (
        "nothing_is_held_in_debt",
        "SELECT 'hold ' || h.id AS row_name, 'made at ' || h.created_at || ', while debt ' || d.id || ' was open' AS says
         FROM debts d JOIN allowances a ON a.user_id = d.user_id JOIN holds h ON h.allowance_id = a.id
         WHERE h.created_at > d.created_at AND (d.cleared_at IS NULL OR h.created_at < d.cleared_at)",
    ),
    (
        "a_debt_is_paid_or_forgiven",
        "SELECT 'debt ' || d.id AS row_name,
                d.outstanding || ' of ' || d.amount || ' outstanding, ' || d.forgiven || ' forgiven, entries paid ' ||
                COALESCE(-SUM(e.posted_delta), 0) AS says
         FROM debts d LEFT JOIN ledger_entries e ON e.debt_id = d.id
         GROUP BY d.id, d.amount, d.outstanding, d.forgiven
         HAVING d.amount <> d.outstanding + d.forgiven + COALESCE(-SUM(e.posted_delta), 0)",
    ),
    (
        "a_debt_is_paid_by_its_own_person",
        "SELECT 'debt ' || d.id AS row_name,
                'of user ' || d.user_id || ', paid by allowance ' || a.id || ' of user ' || a.user_id AS says
         FROM debts d JOIN ledger_entries e ON e.debt_id = d.id JOIN allowances a ON a.id = e.allowance_id
         WHERE a.user_id <> d.user_id OR (d.unit = 'tokens') <> (a.kind = 'tokens')",
    ),
    (
        "what_was_used_of_a_revoked_allowance_is_owed",
        "SELECT 'allowance ' || a.id AS row_name, 'revoked: ' || used.units || ' used, ' || owed.units || ' owed' AS says
         FROM allowances a
              JOIN (SELECT a.id, COALESCE(-SUM(e.posted_delta), 0) AS units
                    FROM allowances a LEFT JOIN ledger_entries e
                         ON e.allowance_id = a.id AND (e.kind = 'capture' OR e.debt_id IS NOT NULL)
                    WHERE a.revoked_at IS NOT NULL GROUP BY a.id) AS used ON used.id = a.id
              JOIN (SELECT a.id, COALESCE(SUM(d.amount), 0) AS units
                    FROM allowances a LEFT JOIN debts d ON d.allowance_id = a.id
                    WHERE a.revoked_at IS NOT NULL GROUP BY a.id) AS owed ON owed.id = a.id
         WHERE used.units <> owed.units",
    ),
    (
        "only_what_was_revoked_is_owed",
        "SELECT 'debt ' || d.id AS row_name, 'allowance ' || a.id || ' was not revoked, or is of somebody else' AS says
         FROM debts d JOIN allowances a ON a.id = d.allowance_id
         WHERE a.revoked_at IS NULL OR a.user_id <> d.user_id",
    ),
    (
        "an_operators_change_has_its_activity",
        "SELECT 'ledger entry ' || e.id AS row_name, e.idempotency_key || ': the audit log has no such adjustment' AS says
         FROM ledger_entries e LEFT JOIN activities t
              ON t.id = CAST(CASE WHEN e.idempotency_key LIKE 'adjust:%' THEN SUBSTR(e.idempotency_key, 8) ELSE '0' END AS BIGINT)
             AND t.activity_type = 'adjust_allowance' AND t.resource_id = CAST(e.allowance_id AS TEXT)
         WHERE e.idempotency_key LIKE 'adjust:%' AND t.id IS NULL
         UNION ALL
         SELECT 'allowance ' || a.id, a.source || ': the audit log has no such grant'
         FROM allowances a LEFT JOIN activities t
              ON t.id = CAST(CASE WHEN a.source LIKE 'admin:%' THEN SUBSTR(a.source, 7) ELSE '0' END AS BIGINT)
             AND t.activity_type = 'grant_allowance' AND t.resource_id = CAST(a.user_id AS TEXT)
         WHERE a.source LIKE 'admin:%' AND t.id IS NULL
         UNION ALL
         SELECT 'debt ' || d.id, d.forgiven || ' forgiven, yet nobody did so according to the audit log'
         FROM debts d LEFT JOIN activities t
              ON t.resource_type = 'debt' AND t.resource_id = CAST(d.id AS TEXT) AND t.activity_type = 'forgive_debt'
         WHERE d.forgiven > 0 AND t.id IS NULL",
    ),
];
