//! The file of offers and models, as the start of the program reads it.

use std::path::Path;

use crate::support::{Finished, TestApp};

/// F71: a catalogue with a mistake stops the start, and the message names file and line or entry; the good one starts.
#[tokio::test]
async fn a_broken_catalogue_stops_the_start() {
    let app = TestApp::start().await;
    let home = app.folder.path().join("home");
    std::fs::create_dir_all(home.join("config")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(root.join("config/test.yaml"), home.join("config/test.yaml")).unwrap();
    let good = std::fs::read_to_string(root.join("config/catalogue.yaml")).unwrap();

    for (from, to, named) in [
        ("", "", None),
        ("price: 999", "price: nine", Some("line ")),
        ("price: 999", "price: 0", Some("offer monthly: price is 0")),
        ("default: true", "default: false", Some("exactly one model with default: true is needed, found 0")),
    ] {
        std::fs::write(home.join("config/catalogue.yaml"), good.replacen(from, to, 1)).unwrap();
        let mut command = app.command();
        let end = Finished::of(command.current_dir(&home).args(["task", "key_list"])).await;
        match named {
            None => assert_eq!(end.code, Some(0), "{}", end.said()),
            Some(named) => {
                assert_eq!(end.code, Some(1), "{}", end.said());
                assert!(end.said().contains("catalogue config/catalogue.yaml: "), "{}", end.said());
                assert!(end.said().contains(named), "{named}: {}", end.said());
            }
        }
    }
    app.finish().await;
}
