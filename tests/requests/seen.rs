//! What people see, word for word.

use sandbox::Fault;

use crate::support::{TestApp, redacted};

/// F67: the pages before somebody is logged in.
#[tokio::test]
async fn account_pages() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    let (register, login) = (visitor.get("/register").await.html(), visitor.get("/login").await.html());
    let check_mail =
        visitor.post("/register", &[("email", "nora@example.com"), ("password", "four quiet otters")]).await;
    app.idle().await;
    let _redacted = redacted();
    insta::assert_snapshot!(register.lines("main"), @r"
    Create your account
    Three pictures are on the house. No card needed.
    Email
    Password
    Long is better than complicated: three or four words make a good one.
    Create account
    With an account you agree to the
    terms of service
    ;
    privacy
    says what we keep.
    Already have an account?
    Log in
    ");
    insta::assert_snapshot!(login.lines("main"), @r"
    Welcome back
    Email
    Password
    Log in
    Forgot your password?
    Create an account
    ");
    insta::assert_snapshot!(check_mail.html().lines("main"), @r"
    Check your mail
    We sent a link to
    nora@example.com
    . Open it to activate your account.
    The link works for 24 hours. Nothing there? Look in the spam folder, and check that the address is right.
    Back to log in
    ");
    app.finish().await;
}

/// F67: the studio before the first prompt.
#[tokio::test]
async fn an_empty_studio() {
    let app = TestApp::start().await;
    let page = app.sign_in("ada").await.get("/app/conversations").await.html();
    let _redacted = redacted();
    insta::assert_snapshot!(page.lines("main"), @r"
    What would you like to see?
    What should the picture show?
    The picture to start from
    Start from a picture
    PNG, JPEG or WebP up to 20 MB
    Strength
    Balanced
    Closer to the picture
    Closer to your words
    Start from a picture
    Settings:
    Square · ×1 · 1K
    Start from
    Words
    A picture
    Shape
    1:1
    4:3
    3:4
    16:9
    9:16
    Pictures
    1
    2
    3
    4
    Resolution
    1K
    2K
    Model
    Nano Banana
    Create
    Uses 1 of your 3 free pictures
    ·
    Only you can see your pictures
    ·
    Ctrl
    Enter
    to create
    Ideas to start from
    A lighthouse on a cliff at dusk, long exposure, soft mist over the sea
    A cosy reading corner in autumn light, watercolour
    Snowy mountains under northern lights, reflected in a still lake
    A paper-cut city at night with warm windows
    Botanical poster of wild ferns, muted greens on cream
    A tiny robot gardener among giant tulips, studio light
    ");
    app.finish().await;
}

/// F67: a conversation with pictures, one of which did not come.
#[tokio::test]
async fn a_conversation() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let bo = app.sign_in("bo").await;
    let conversation = bo.ask("a boat in the fog", &[]).await;
    bo.settled(&conversation).await;
    app.sandbox.gemini().fault_times("*", Fault::RefusedPrompt, 1);
    let form = bo.get(&conversation).await.html().form("#composer").fill("prompt", "two boats").fill("batch_size", "2");
    bo.submit(&form).await;
    let page = bo.settled(&conversation).await;
    // Which of the two places was refused is up to chance.
    let turns: Vec<_> = ["#feed > :nth-child(1)", "#feed > :nth-child(2)"].map(|turn| page.lines(turn)).into();
    let mut second: Vec<_> = turns[1].lines().collect();
    second.sort_unstable();
    let _redacted = redacted();
    insta::assert_snapshot!(turns[0], @r"
    a boat in the fog
    Nano Banana
    ·
    1K
    ·
    1:1
    ·
    1 picture
    ·
    TIME
    Copy prompt
    Use this prompt and these settings again
    Run again
    Your picture is ready
    Use as input
    Download
    ");
    insta::assert_snapshot!(second.join("\n"), @r"
    1 of 2 pictures are ready
    1:1
    1K
    2 pictures
    TIME
    Copy prompt
    Declined, not charged
    Download
    Edit and try again
    Nano Banana
    One picture did not come. You were not charged for it.
    Run again
    Use as input
    Use this prompt and these settings again
    two boats
    ·
    ·
    ·
    ·
    ");
    app.finish().await;
}

/// F67: the dashboard and the billing page, on the trial, on a plan, and after it.
#[tokio::test]
async fn dashboard_and_billing() {
    let app = TestApp::start().await;
    let mut seen = Vec::new();
    for (name, path) in
        [("ada", "/app"), ("bo", "/app"), ("dee", "/app"), ("bo", "/app/billing"), ("dee", "/app/billing")]
    {
        seen.push(app.sign_in(name).await.get(path).await.html().lines("main"));
    }
    let _redacted = redacted();
    insta::assert_snapshot!(seen[0], @r"
    Good to see you
    ada@example.com
    Make a picture
    What you have left
    3 free pictures left
    Yours to try the studio with. They do not expire.
    Your plan
    Monthly
    $9.99 a month
    Not active.
    Pay for a month and it begins at once. Nothing renews by itself.
    Pay for a month
    Recent conversations
    Nothing here yet
    Your first conversation starts with one sentence about a picture.
    ");
    insta::assert_snapshot!(seen[1], @r"
    Good to see you
    bo@example.com
    Make a picture
    What you have left
    About 100 % left
    Counts until TIME. The number is rounded; each paid month starts full.
    After it: 3 free pictures.
    Your plan
    Monthly
    $9.99 a month
    Active until TIME – about 100 % left.
    It ends by itself, and nothing is charged. Pay for the next month now and it begins on TIME, in full.
    Renew
    Recent conversations
    Nothing here yet
    Your first conversation starts with one sentence about a picture.
    ");
    insta::assert_snapshot!(seen[2], @r"
    Good to see you
    dee@example.com
    Renew
    What you have left
    Plan ended
    On TIME. Each paid month starts full.
    Your plan
    Monthly
    $9.99 a month
    Your plan ended on TIME. What you made stays yours.
    Pay for a month and it begins at once. Nothing renews by itself.
    Renew
    Recent conversations
    Nothing here yet
    Your first conversation starts with one sentence about a picture.
    ");
    insta::assert_snapshot!(seen[3], @r"
    Plan and billing
    What you have left
    About 100 % left
    Counts until TIME. The number is rounded; each paid month starts full.
    After it: 3 free pictures.
    Your plan
    Monthly
    $9.99 a month
    Active until TIME – about 100 % left.
    A month of pictures in every shape and size, from words or from your own pictures.
    On this plan since DAY.
    Renew
    It ends by itself, and nothing is charged. Pay for the next month now and it begins on TIME, in full. You pay in crypto, once; nobody can take anything from you later.
    Pay with crypto: Bitcoin or Lightning
    On our own BTCPay Server
    Pay with crypto: Other coins
    At NOWPayments
    With a payment you agree to the
    terms of service
    .
    Invoices
    No invoices yet
    What you pay for is listed here, with a receipt.
    On your receipts
    Your email alone. Add a name, a company or a tax number.
    Change
    History
    Everything that added to what you have left, or took from it.
    What came and went
    ");
    insta::assert_snapshot!(seen[4], @r"
    Plan and billing
    What you have left
    Plan ended
    On TIME. Each paid month starts full.
    Your plan
    Monthly
    $9.99 a month
    Your plan ended on TIME. What you made stays yours.
    A month of pictures in every shape and size, from words or from your own pictures.
    Renew
    Pay for a month and it begins at once. Nothing renews by itself. You pay in crypto, once; nobody can take anything from you later.
    Pay with crypto: Bitcoin or Lightning
    On our own BTCPay Server
    Pay with crypto: Other coins
    At NOWPayments
    With a payment you agree to the
    terms of service
    .
    Invoices
    No invoices yet
    What you pay for is listed here, with a receipt.
    On your receipts
    Your email alone. Add a name, a company or a tax number.
    Change
    History
    Everything that added to what you have left, or took from it.
    What came and went
    ");
    app.finish().await;
}

/// F67: an error, for a person and for a program.
#[tokio::test]
async fn an_error() {
    let app = TestApp::start().await;
    let page = app.visitor().get("/nothing").await.html();
    let json = reqwest::get(format!("{}/nothing", app.url)).await.unwrap().text().await.unwrap();
    let _redacted = redacted();
    insta::assert_snapshot!(page.lines("main"), @r"
    404
    There is nothing here
    The address is wrong, or what it showed was deleted.
    To the start page
    Reference
    REFERENCE
    ");
    insta::assert_snapshot!(json, @r#"{"error":{"code":"not_found","message":"The address is wrong, or what it showed was deleted.","reference":"REFERENCE"}}"#);
    app.finish().await;
}

/// F67: the three mails.
#[tokio::test]
async fn mails() {
    let app = TestApp::start().await;
    let visitor = app.visitor();
    for email in ["nora@example.com", "ada@example.com"] {
        visitor.post("/register", &[("email", email), ("password", "four quiet otters")]).await;
    }
    visitor.post("/password/forgot", &[("email", "bo@example.com")]).await;
    let mut seen = Vec::new();
    for email in ["nora@example.com", "ada@example.com", "bo@example.com"] {
        let mail = app.mail(email, 1).await;
        assert!(mail.html.contains(&mail.links()[0]), "both parts lead to the same place");
        let from =
            String::from_utf8_lossy(&mail.raw).lines().find(|line| line.starts_with("From:")).unwrap().to_owned();
        seen.push(format!("{from}\nSubject: {}\n\n{}", mail.subject, mail.text.replace('\r', "")));
    }
    let _redacted = redacted();
    insta::assert_snapshot!(seen[0], @r"
    From: nproxy <studio@nproxy.localhost>
    Subject: Activate your nproxy account

    Welcome to nproxy.

    Open this link and press the button to activate your account:

    http://localhost:PORT/activation?token=TOKEN

    The link works once, for 24 hours. Three free pictures are waiting for you.

    If you did not sign up at localhost, ignore this mail and press nothing: the account would have a password that somebody else chose. Without the button nothing happens.
    ");
    insta::assert_snapshot!(seen[1], @r"
    From: nproxy <studio@nproxy.localhost>
    Subject: You already have an nproxy account

    Somebody tried to sign up at localhost with this address, which already has an account.

    If it was you, log in here:

    http://localhost:PORT/login

    If you have forgotten your password, choose a new one here; the link works once, for 24 hours:

    http://localhost:PORT/password/reset?token=TOKEN

    If it was not you, there is nothing to do: nothing was changed.
    ");
    insta::assert_snapshot!(seen[2], @r"
    From: nproxy <studio@nproxy.localhost>
    Subject: Set a new nproxy password

    Somebody asked to set a new password for your nproxy account.

    If it was you, open this link and choose one:

    http://localhost:PORT/password/reset?token=TOKEN

    The link works once, for 24 hours. Setting a new password signs you out everywhere.

    If it was not you, ignore this mail: your password stays as it is.
    ");
    app.finish().await;
}
