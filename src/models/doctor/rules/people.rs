//! Accounts, and what the people of the house did: a change that the audit log does not know was made by hand.

use super::{Look::Rows, Rule, moving, rule};

pub(super) const ACCOUNTS: &[Rule] = &[
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
             WHERE LENGTH(token_hash) <> 64 OR token_hash <> LOWER(token_hash)
             UNION ALL
             SELECT 'pairing ' || id, 'its code is no SHA-256' FROM telegram_pairings
             WHERE LENGTH(code_hash) <> 64 OR code_hash <> LOWER(code_hash)
             UNION ALL
             SELECT 'confirmation ' || id, 'its token is no SHA-256' FROM telegram_confirmations
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
               AND (email IS NOT NULL OR unconfirmed_email IS NOT NULL OR password_hash IS NOT NULL OR billed_to IS NOT NULL OR status <> 'blocked')
             UNION ALL
             SELECT 'second factor ' || f.id, 'of user ' || u.id || ', who is deleted'
             FROM second_factors f JOIN users u ON u.id = f.user_id WHERE u.deleted_at IS NOT NULL",
        ),
        "set email, unconfirmed_email, password_hash and billed_to of the row to NULL, status to blocked; delete the second factor",
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

pub(super) const OPERATORS: &[Rule] = &[
    rule(
        "a_person_is_as_the_audit_log_says",
        Rows(
            "SELECT 'user ' || u.id AS row_name,
                    u.role || ', the audit log last said ' || COALESCE(a.detail ->> 'to', a.detail ->> 'role', 'user') AS says
             FROM users u LEFT JOIN activities a
                  ON a.id = (SELECT MAX(b.id) FROM activities b
                             WHERE b.resource_type = 'user' AND b.resource_id = CAST(u.id AS TEXT)
                               AND b.activity_type IN ('change_role', 'create_admin'))
             WHERE u.role <> COALESCE(a.detail ->> 'to', a.detail ->> 'role', 'user')
             UNION ALL
             SELECT 'user ' || u.id, u.status || ', the audit log last said ' || COALESCE(a.activity_type, 'nothing')
             FROM users u LEFT JOIN activities a
                  ON a.id = (SELECT MAX(b.id) FROM activities b
                             WHERE b.resource_type = 'user' AND b.resource_id = CAST(u.id AS TEXT)
                               AND b.activity_type IN ('block_user', 'unblock_user', 'delete_user'))
             WHERE (u.status = 'blocked') <> (COALESCE(a.activity_type, '') IN ('block_user', 'delete_user'))
                OR (u.deleted_at IS NOT NULL) <> (COALESCE(a.activity_type, '') = 'delete_user')",
        ),
        "nproxy task role_change, user_block or user_unblock, by somebody who answers for it",
    ),
    rule(
        "what_serves_was_added_by_somebody",
        Rows(
            "SELECT 'key ' || k.label AS row_name, 'the audit log does not know where it is from' AS says
             FROM provider_keys k
             WHERE NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'provider_key'
                               AND a.resource_id = CAST(k.id AS TEXT) AND a.activity_type = 'create_provider_key')
             UNION ALL
             SELECT 'proxy ' || p.label, 'the audit log does not know where it is from' FROM proxies p
             WHERE NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'proxy'
                               AND a.resource_id = CAST(p.id AS TEXT) AND a.activity_type = 'create_proxy')
             UNION ALL
             SELECT 'bot admin ' || t.telegram_id, 'the audit log does not know who paired them' FROM telegram_admins t
             WHERE NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'telegram_admin'
                               AND a.resource_id = CAST(t.id AS TEXT) AND a.activity_type = 'pair_telegram_admin')
             UNION ALL
             SELECT 'second factor ' || f.id, 'the audit log does not know that user ' || f.user_id || ' set it up'
             FROM second_factors f
             WHERE NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'user'
                               AND a.resource_id = CAST(f.user_id AS TEXT) AND a.activity_type = 'enrol_second_factor')",
        ),
        "nproxy task key_disable, proxy_disable, pair_revoke or second_factor_reset, until it is known who put it there",
    ),
    rule(
        "a_proxy_is_as_its_story_says",
        Rows(
            "SELECT 'proxy ' || p.label AS row_name,
                    p.state || ', the audit log last said ' || COALESCE(a.detail ->> 'to', 'active') AS says
             FROM proxies p LEFT JOIN activities a
                  ON a.id = (SELECT MAX(b.id) FROM activities b
                             WHERE b.resource_type = 'proxy' AND b.resource_id = CAST(p.id AS TEXT)
                               AND b.activity_type = 'change_proxy_state')
             WHERE p.state <> COALESCE(a.detail ->> 'to', 'active')",
        ),
        "nproxy task proxy_disable proxy:LABEL, or nproxy task proxy_activate proxy:LABEL",
    ),
    rule(
        "money_moved_by_hand_is_told",
        Rows(
            "SELECT 'invoice ' || i.id AS row_name, 'marked as paid, and the audit log knows of nobody who did' AS says
             FROM invoices i
             WHERE i.marked AND NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'invoice'
                               AND a.resource_id = CAST(i.id AS TEXT) AND a.activity_type = 'mark_invoice_paid')
             UNION ALL
             SELECT 'invoice ' || i.id, 'refunded, and the audit log knows of nobody who did' FROM invoices i
             WHERE i.state = 'refunded' AND NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'invoice'
                               AND a.resource_id = CAST(i.id AS TEXT) AND a.activity_type = 'refund_invoice')
             UNION ALL
             SELECT 'allowance ' || l.id, 'taken back, and the audit log knows of nobody who did' FROM allowances l
             WHERE l.revoked_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'allowance'
                               AND a.resource_id = CAST(l.id AS TEXT) AND a.activity_type = 'revoke_allowance')
               AND NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'invoice'
                               AND l.source = 'invoice:' || a.resource_id AND a.activity_type = 'refund_invoice')",
        ),
        "nproxy task invoice_check asks the processor; nproxy task allowance_list shows what the person has, entry by entry",
    ),
    rule(
        "a_switch_was_thrown_by_somebody",
        Rows(
            "SELECT 'switch ' || s.name AS row_name, 'thrown, and the audit log knows of nobody who did' AS says FROM switches s
             WHERE NOT EXISTS (SELECT 1 FROM activities a WHERE a.resource_type = 'switch'
                               AND a.resource_id = CAST(s.id AS TEXT)
                               AND a.activity_type IN ('put_up_banner', 'close_sign_ups', 'pause_generation'))",
        ),
        "nproxy task switch_set switch:NAME on:no",
    ),
    moving(
        "a_code_to_pair_ends",
        Rows(
            "SELECT 'pairing ' || id AS row_name, 'open, though it ended at ' || expires_at AS says
             FROM telegram_pairings WHERE state = 'pending' AND expires_at < AGO(7200)",
        ),
        "nproxy pair cleanup",
    ),
    moving(
        "what_there_is_to_tell_is_told",
        Rows(
            "SELECT 'notification ' || id AS row_name, kind || ' by ' || channel || ', waiting since ' || created_at AS says
             FROM notifications WHERE sent_at IS NULL AND error IS NULL AND created_at < AGO(7200)",
        ),
        "nproxy task job_list says what keeps it; see the line `mail`, and TELEGRAM_BOT_TOKEN",
    ),
];
