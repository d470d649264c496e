use std::process::Command;

use crate::support::start;

/// Google's own Python client must be content with the stand-in.
///
/// `PYTHON` names the interpreter, `REQUIRE_GENAI=1` makes a missing `google-genai` a failure.
#[tokio::test]
async fn googles_own_client_is_content() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let there = Command::new(&python).args(["-c", "import google.genai"]).output().is_ok_and(|it| it.status.success());
    if !there {
        assert!(
            std::env::var_os("REQUIRE_GENAI").is_none_or(|it| it != "1"),
            "google-genai is not installed for {python}"
        );
        println!("skipped: google-genai is not installed for {python}");
        return;
    }
    let sandbox = start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_client.py");
    let url = sandbox.url();
    let run =
        tokio::task::spawn_blocking(move || Command::new(python).args([script, &url]).output()).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && out.trim_end().ends_with("ok"), "{out}\n{err}");
}
