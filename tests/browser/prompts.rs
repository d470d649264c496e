//! Prompts that would rather be something else.

use crate::support::{Browser, Screen, Scripts, TestApp};

const PROMPTS: [&str; 3] = [
    "<script>alert(1)</script>",
    r#""><img src=x onerror="alert(2)"><svg onload=alert(3)>"#,
    "{{7*7}} {% raw %} ${7*7}",
];

/// X38: whatever a prompt says, it is shown as it was typed and nothing of it runs, wherever it stands.
#[tokio::test]
async fn a_prompt_is_only_words() {
    let app = TestApp::start().await;
    app.sandbox.gemini().sketch(true);
    let browser = Browser::open(&app).await;
    let window = browser.stranger(Screen::Desk, Scripts::On).await;
    window.sign_in("ada").await;

    // The first opens a conversation, which is named after it; the others are sent by htmx.
    window.open("/app/conversations").await;
    for (at, prompt) in PROMPTS.iter().enumerate() {
        window.ask(prompt).await;
        window.sees_pictures(at + 1).await;
    }
    assert_eq!(window.texts(".bubble").await, PROMPTS);
    assert_eq!(window.texts("h1").await, [PROMPTS[0]]);
    let conversation = window.read("location.pathname").await.as_str().unwrap().to_owned();

    for turn in 1..=PROMPTS.len() {
        let prompt = PROMPTS[turn - 1];
        window.open(&conversation).await;
        // Once more in the composer, and beside the picture.
        window.click(&format!("#feed > article:nth-child({turn}) a[title^='Use this prompt']")).await;
        window
            .until(prompt, &format!("document.querySelector('#prompt').value === {}", serde_json::json!(prompt)))
            .await;
        assert_eq!(window.texts(".bubble").await, PROMPTS);
        window.click(&format!("#feed > article:nth-child({turn}) a.cell-frame")).await;
        window.until("the picture's page", "location.pathname.startsWith('/app/pictures/')").await;
        assert_eq!(window.texts("#prompt").await, [prompt]);
    }
    for prompt in PROMPTS {
        let query: String = url::form_urlencoded::byte_serialize(prompt.as_bytes()).collect();
        window.open(&format!("/app/conversations?prompt={query}")).await;
        assert_eq!(window.read("document.querySelector('#prompt').value").await, prompt);
    }
    window.assert_quiet();
    browser.close().await;
    app.finish().await;
}
