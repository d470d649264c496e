//! F65: the layout that ARCHITECTURE.md describes, held by reading the sources as text. Needs no database.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom inside `src/`, and the crates a folder must not name. Everybody may read `settings` and
/// `context`; `app.rs` and `initializers` wire things together and may import anything. Only `models` knows `_entities`.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("controllers", &["models", "views"], &["sea_orm"]),
    ("views", &["models"], &["sea_orm"]),
    ("models", &["adapters", "mailers", "workers"], &[]),
    ("mailers", &["models"], &["sea_orm"]),
    ("workers", &["models", "mailers", "tasks"], &[]),
    ("tasks", &["models"], &[]),
    ("bot", &["models"], &["sea_orm"]),
    ("adapters", &[], &["sea_orm"]),
];

/// What the design card asks for at the top level.
const CARD: &[&str] = &[
    "Cargo.toml",
    "src",
    "config",
    "migration",
    "assets",
    "tests",
    "examples",
    "bin",
    ".github",
    "docker-compose.yml",
];

const PACKAGES: &[&str] = &[
    "loco-rs",
    "sea-orm",
    "axum",
    "tokio",
    "tera",
    "reqwest",
    "validator",
    "insta",
    "aws-sdk-s3",
    "rusty-sidekiq",
    "teloxide",
];

/// The domains that must exist, and where each lives.
const DOMAINS: &[(&str, &[&str])] = &[
    ("auth", &["users.rs", "sessions.rs"]),
    ("quota ledger", &["allowances.rs", "holds.rs", "ledger_entries.rs"]),
    ("conversations and generations", &["conversations.rs", "generations.rs"]),
    ("provider routing", &["runs/fulfilment.rs", "provider_keys/lease.rs"]),
    ("provider key pool health", &["provider_keys/health.rs"]),
    ("asset storage", &["assets.rs"]),
    ("billing", &["invoices.rs", "payment_events.rs"]),
    ("subscriptions", &["subscriptions.rs"]),
    ("admin audit", &["activities.rs"]),
    ("notifications", &["notifications.rs"]),
];

#[test]
fn f65_the_card_the_packages_and_the_domains_are_there() {
    let mut wrong = Vec::new();
    for path in CARD.iter().filter(|path| !exists(path)) {
        wrong.push(format!("{path}: is missing at the top level"));
    }
    let manifest = read(&root().join("Cargo.toml"));
    let used = |package: &str| {
        manifest.lines().any(|line| {
            let rest = line.strip_prefix(package).unwrap_or_default();
            rest.starts_with(".workspace") || rest.trim_start().starts_with('=')
        })
    };
    for package in PACKAGES.iter().filter(|package| !used(package)) {
        wrong.push(format!("Cargo.toml: does not use {package}"));
    }
    for (domain, files) in DOMAINS {
        for file in files.iter().filter(|file| !exists(&format!("src/models/{file}"))) {
            wrong.push(format!("src/models/{file}: is missing, it is (part of) the domain {domain}"));
        }
    }
    report(&wrong);
}

#[test]
fn f65_imports_point_one_way() {
    let mut wrong = Vec::new();
    for (layer, others, foreign) in LAYERS {
        for file in rust_files(&format!("src/{layer}")) {
            let text = code(&file);
            for (line, module) in imports(&text) {
                let free = ["", "settings", "context", layer].contains(&module.as_str());
                if !free && exists(&format!("src/{module}")) && !others.contains(&module.as_str()) {
                    let others = if others.is_empty() { "only settings".into() } else { others.join(", ") };
                    wrong.push(at(&file, line, &format!("{layer} must not import {module} (it may: {others})")));
                }
            }
            for (line, name) in foreign.iter().flat_map(|name| naming(&text, name)) {
                wrong.push(at(&file, line, &format!("{layer} must not name {name}: give models a finder or a verb")));
            }
        }
    }
    for file in rust_files("src").into_iter().filter(|file| !file.starts_with(root().join("src/models"))) {
        for (line, _) in naming(&code(&file), "_entities") {
            wrong.push(at(&file, line, "only models may import _entities: give models a finder or a verb"));
        }
    }
    let measures = root().join("crates/bench");
    let beside = rust_files("crates").into_iter().filter(|file| !file.starts_with(&measures));
    for file in beside.chain(rust_files("migration")) {
        for (number, _) in code(&file).lines().enumerate().filter(|(_, line)| line.contains("nproxy::")) {
            wrong.push(at(&file, number + 1, "the crates beside the application know nothing of nproxy"));
        }
    }
    report(&wrong);
}

#[test]
fn f65_nothing_lies_where_nobody_would_look() {
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        let name = file.strip_prefix(root()).unwrap_or(&file).with_extension("").display().to_string();
        if let Some(place) = name.split('/').find(|part| ["services", "utils", "helpers"].contains(part)) {
            wrong.push(at(&file, 1, &format!("there is no `{place}` here: a verb belongs on its noun in models")));
        }
    }
    for folder in ["src", "crates", "migration", "tests"] {
        for file in rust_files(folder) {
            for mark in [concat!("TO", "DO"), concat!("FIX", "ME")] {
                for (line, _) in naming(&read(&file), mark) {
                    wrong.push(at(&file, line, &format!("{mark}: do it now, or open an issue")));
                }
            }
        }
    }
    report(&wrong);
}

#[test]
fn f65_a_migration_is_one_change_with_a_way_back() {
    let mut wrong = Vec::new();
    let list = read(&root().join("migration/src/lib.rs"));
    let is_migration = |file: &PathBuf| name_of(file).starts_with("m20");
    for file in rust_files("migration/src").into_iter().filter(is_migration) {
        let text = code(&file);
        let count = |part: &str| text.matches(part).count();
        if count("MigrationTrait for") != 1 || count("create_table(").max(count("CREATE TABLE")) > 1 {
            wrong.push(at(&file, 1, "one change per file: one migration, at most one new table"));
        }
        if count("fn down(") != 1 {
            wrong.push(at(&file, 1, "has no `down`: it must be possible to go back"));
        }
        if !list.contains(name_of(&file)) {
            wrong.push(at(&file, 1, "is not in the list of migration/src/lib.rs"));
        }
    }
    report(&wrong);
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n\n{}\n\nARCHITECTURE.md says why.\n", wrong.join("\n"));
}

fn at(file: &Path, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", file.strip_prefix(root()).unwrap_or(file).display())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn exists(path: &str) -> bool {
    root().join(path).exists() || root().join(format!("{path}.rs")).exists()
}

fn name_of(file: &Path) -> &str {
    file.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The file without its comments. A `//` inside a string is cut too, which hides nothing that matters here.
fn code(file: &Path) -> String {
    let without_comment = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).to_owned();
    read(file).lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

/// The Rust files of a folder and of the file beside it: `src/models/` and `src/models.rs`.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut waiting = vec![root().join(folder), root().join(format!("{folder}.rs"))];
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() && name_of(&path) != "target" {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// What follows each `crate::`, with its line: `models` and `views` of `use crate::{models::users, views};`.
fn imports(text: &str) -> Vec<(usize, String)> {
    let name = |path: &str| path.trim_start().chars().take_while(|c| is_name(*c)).collect::<String>();
    let mut found = Vec::new();
    for (position, start) in text.match_indices("crate::") {
        let line = text[..position].matches('\n').count() + 1;
        let rest = &text[position + start.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((line, name(rest)));
            continue;
        };
        let mut depth = 1;
        let outermost = group.chars().map_while(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (depth > 0).then_some(if depth == 1 { c } else { ' ' })
        });
        found.extend(outermost.collect::<String>().split(',').map(|path| (line, name(path))));
    }
    found
}

/// The lines that hold `name` as a whole word.
fn naming<'a>(text: &str, name: &'a str) -> Vec<(usize, &'a str)> {
    let holds = |line: &str| line.split(|c| !is_name(c)).any(|word| word == name);
    text.lines().enumerate().filter(|(_, line)| holds(line)).map(|(number, _)| (number + 1, name)).collect()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
