//! What the main kinds of pages say, from the first word to the last.

use super::admin;
use crate::support::{Html, Setup, TestApp};

/// The words of a page without its menu; days and times are none of its own.
fn words(page: &Html) -> String {
    let is_day = |word: &str| word.len() == 10 && word.bytes().filter(|it| *it == b'-').count() == 2;
    let is_time = |word: &str| word.len() == 5 && word.as_bytes()[2] == b':';
    let still = |word: &str| match word {
        word if is_day(word) => "DAY".to_owned(),
        word if is_time(word) => "TIME".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(still).collect::<Vec<_>>().join(" ");
    page.lines("main").lines().map(line).collect::<Vec<_>>().join("\n")
}

/// F47, F51: a list, a page about a row, a form that asks before something cannot be undone, and one for several rows.
#[tokio::test]
async fn pages_say_what_they_say() {
    let app = TestApp::with(Setup { keys: vec!["sandbox-k1", "sandbox-k2"], jobs: false, ..Setup::default() }).await;
    let cy = admin(&app).await;
    insta::assert_snapshot!(words(&cy.get("/admin/keys").await.html()), @r"
    Provider keys
    The pool that requests run over, in turn. A secret is never shown again.
    Add a key
    Add many
    CSV
    All
    2
    In service
    2
    Resting
    0
    Waiting for you
    0
    Disabled
    0
    Search by id, label
    State
    Any
    Active
    Cooldown
    Out of funds
    Manual review
    Disabled
    Order
    Newest first
    Oldest first
    Label
    On a page
    20 rows
    50 rows
    100 rows
    200 rows
    Show
    With those that are ticked
    Test
    Activate
    Disable
    Continue
    All 2 that fit, on every page
    Tick
    Label
    State
    Secret
    Proxy
    Success
    Balance
    Next try
    Actions
    sandbox-k2
    In service
    …
    none
    –
    –
    –
    Test
    sandbox-k2
    Disable
    sandbox-k2
    sandbox-k1
    In service
    …
    none
    –
    –
    –
    Test
    sandbox-k1
    Disable
    sandbox-k1
    ");
    insta::assert_snapshot!(words(&cy.get("/admin/keys/1").await.html()), @r"
    sandbox-k1
    Test
    Disable
    Edit
    Replace the secret…
    Enter the balance
    How it stands
    State
    In service
    Failures in a row
    0
    Provider
    gemini
    Secret ends in
    …
    Goes out
    directly
    Calls at once
    4
    What it does and costs
    Successes
    0
    Failures
    0
    Latest calls
    It was never called.
    What was done
    All of it
    What
    By
    Why
    When
    Create provider key
    system:nproxy
    –
    DAY TIME UTC
    ");
    insta::assert_snapshot!(words(&cy.get("/admin/keys/1/secret").await.html()), @r"
    Replace the secret: sandbox-k1
    What follows
    The next call uses the new secret. Calls under way end with the old one.
    The old secret is gone from here. It stays valid at the provider until you revoke it there.
    Secret
    Kept encrypted. Nobody can read it here again.
    Why
    Stands in the audit log, for good.
    Type sandbox-k1
    This cannot be undone.
    Replace the secret
    Cancel
    ");
    let several = cy.get("/admin/keys/batch?noun=deactivation&id=1&id=2").await.html();
    insta::assert_snapshot!(words(&several), @r"
    Disable: 2 rows
    For these
    sandbox-k1
    sandbox-k2
    What follows
    It gets no more calls until it is activated. Calls under way end as they end.
    Why
    Stands in the audit log, for good.
    Disable
    Cancel
    ");
    app.finish().await;
}
