//! Pictures on their way, the keys that make them, and the store where they lie.

use super::{
    Look::{Each, Rows, Seals},
    Rule, moving, rule,
};

pub(super) const STUDIO: &[Rule] = &[
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
             WHERE a.user_id <> g.user_id
             UNION ALL
             SELECT 'share ' || s.id, 'a picture of user ' || a.user_id || ' shared by user ' || s.user_id
             FROM shares s JOIN assets a ON a.id = s.asset_id WHERE a.user_id <> s.user_id",
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

pub(super) const POOL: &[Rule] = &[
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

pub(super) const STORE: &[Rule] = &[
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
            "SELECT 'object ' || o.storage_key AS row_name, 'live, and neither a picture nor an archive names it' AS says
             FROM storage_objects o
             WHERE o.state = 'live'
               AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.storage_key = o.storage_key)
               AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.thumb_key = o.storage_key)
               AND NOT EXISTS (SELECT 1 FROM exports e
                               WHERE e.state = 'ready' AND CAST(e.parts AS TEXT) LIKE '%\"' || o.storage_key || '\"%')",
        ),
        "nproxy task object_check all:true; then set the row to doomed, and the sweep removes the bytes",
    ),
    rule(
        "an_archive_has_its_files",
        Each {
            sqlite: "SELECT 'export ' || e.id AS row_name,
                            (p.value ->> 'key') || ' is ' || COALESCE(o.state, 'unknown to the store') AS says
                     FROM exports e JOIN json_each(e.parts) p
                          LEFT JOIN storage_objects o ON o.storage_key = p.value ->> 'key'
                     WHERE e.state = 'ready' AND e.expires_at > AGO(0) AND COALESCE(o.state, '') <> 'live'",
            postgres: "SELECT 'export ' || e.id AS row_name,
                              (p.value ->> 'key') || ' is ' || COALESCE(o.state, 'unknown to the store') AS says
                       FROM exports e CROSS JOIN LATERAL jsonb_array_elements(CAST(e.parts AS JSONB)) AS p(value)
                            LEFT JOIN storage_objects o ON o.storage_key = p.value ->> 'key'
                       WHERE e.state = 'ready' AND e.expires_at > AGO(0) AND COALESCE(o.state, '') <> 'live'",
        },
        "set the row to gone: its person orders another archive",
    ),
    moving(
        "an_archive_is_made_and_let_go",
        Rows(
            "SELECT 'export ' || id AS row_name, 'ordered at ' || created_at || ', and not packed yet' AS says
             FROM exports WHERE state = 'preparing' AND created_at < AGO(7200)
             UNION ALL
             SELECT 'export ' || id, 'still there, though its time ended at ' || expires_at
             FROM exports WHERE state = 'ready' AND expires_at < AGO(93600)",
        ),
        "nproxy task job_list says why one is not packed; nproxy task object_sweep lets go what is old, and what was not \
         packed for two days",
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
