//! The main job, through the real router.

use crate::support::TestApp;

/// F27: text to image — the picture on the page is, byte for byte, the one the provider drew.
#[tokio::test]
async fn a_prompt_becomes_a_picture() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada").await;

    let page = ada.make("a lighthouse at dusk", &[]).await;

    let picture = page.attribute(".cell img", "src").replace("/thumbnail", "");
    let answer = ada.get(&picture).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "image/jpeg");
    let calls = app.sandbox.gemini().calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].prompt, "a lighthouse at dusk");
    assert_eq!(calls[0].picture.as_ref(), Some(&answer.bytes));
    app.finish().await;
}
