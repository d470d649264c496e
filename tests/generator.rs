//! Adding a table to the admin is one command: Loco's generator with the project's own templates.

use std::{fs, path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::Finished;

/// What the generator reads and writes.
const COPIED: [&str; 7] = [
    ".loco-templates/model/model.t",
    ".loco-templates/model/test.t",
    ".loco-templates/scaffold/api/controller.t",
    ".loco-templates/scaffold/api/dto.t",
    "migration/src/lib.rs",
    "src/models/admin.rs",
    "tests/requests/admin/mod.rs",
];

async fn generated(arguments: &[&str]) -> (TempDir, Finished) {
    let (root, copy) = (Path::new(env!("CARGO_MANIFEST_DIR")), TempDir::new().unwrap());
    let mut files: Vec<_> = COPIED.iter().map(|file| (*file).to_owned()).collect();
    files.push("src/models/mod.rs".into());
    files.push("config/catalogue.yaml".into());
    files.push("config/test.yaml".into());
    for migration in fs::read_dir(root.join("migration/src")).unwrap().flatten() {
        let name = migration.file_name().into_string().unwrap();
        if name.starts_with("m20") {
            files.push(format!("migration/src/{name}"));
        }
    }
    for file in &files {
        let to = copy.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root.join(file), to).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_nproxy"));
    command
        .current_dir(copy.path())
        .envs([("LOCO_ENV", "test"), ("SKIP_MIGRATION", "1"), ("SANDBOX", "off")])
        .env("DATABASE_URL", format!("sqlite://{}/unused.sqlite?mode=rwc", copy.path().display()))
        .env("STORAGE_DIR", copy.path().join("files"))
        .args(["generate", "scaffold", "--without-tz"])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let end = Finished::of(&mut command).await;
    (copy, end)
}

/// What `rustfmt` cannot read is no Rust.
async fn is_rust(file: &Path) {
    let mut rustfmt = Command::new("rustfmt");
    let read = Finished::of(rustfmt.args(["--edition", "2024", "--emit", "stdout"]).arg(file)).await;
    assert_eq!(read.code, Some(0), "{}: {}", file.display(), read.said());
}

/// F47 (DC-8): one command writes migration, noun, description and test, and puts each where it is found.
#[tokio::test]
async fn a_table_joins_the_admin_by_one_command() {
    let (copy, end) =
        generated(&["coupon", "code:string!", "amount:big_int!", "used_at:tstz", "user:references"]).await;
    assert_eq!(end.code, Some(0), "{}", end.said());
    let read = |file: &str| {
        fs::read_to_string(copy.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}\n{}", end.said()))
    };
    let migrations = fs::read_dir(copy.path().join("migration/src")).unwrap().flatten();
    let migration =
        migrations.map(|file| file.file_name().into_string().unwrap()).find(|name| name.ends_with("_coupons.rs"));
    let migration = migration.expect("a migration");
    let module = migration.trim_end_matches(".rs");
    let list = read("migration/src/lib.rs");
    assert!(
        list.contains(&format!("mod {module};")) && list.contains(&format!("Box::new({module}::Migration)")),
        "{list}"
    );
    let table = read(&format!("migration/src/{migration}"));
    for column in [
        "text(\"code\")",
        "big(\"amount\")",
        "at_null(\"used_at\")",
        "big(\"user_id\")",
        "references(\"user_id\", \"users\")",
        "fn down(",
    ] {
        assert!(table.contains(column), "{column}: {table}");
    }
    assert!(!table.contains("compile_error"), "{table}");
    let admin = read("src/models/admin.rs");
    assert!(admin.contains("pub mod coupons;") && admin.contains("    &coupons::Coupons,"), "{admin}");
    let description = read("src/models/admin/coupons.rs");
    for part in
        ["path: \"coupons\"", "Column::new(\"code\", \"Code\"", "Cell::Number(row.amount)", "Cell::moment(row.used_at)"]
    {
        assert!(description.contains(part), "{part}: {description}");
    }
    assert!(read("src/models/mod.rs").contains("pub mod coupons;"));
    assert!(read("tests/requests/admin/mod.rs").contains("mod coupons;"));
    assert!(read("tests/requests/admin/coupons.rs").contains("/admin/coupons"));
    assert!(!copy.path().join("src/dtos").exists() && !copy.path().join("src/controllers").exists());
    for file in [
        format!("migration/src/{migration}"),
        "src/models/coupons.rs".into(),
        "src/models/admin/coupons.rs".into(),
        "tests/requests/admin/coupons.rs".into(),
    ] {
        is_rust(&copy.path().join(file)).await;
    }
}

/// F47 (DC-8): a table that is there already gets everything but another migration, and asked twice nothing is written over.
#[tokio::test]
async fn a_table_that_is_there_gets_no_second_migration() {
    let (copy, end) = generated(&["debt", "reason:string!"]).await;
    assert_eq!(end.code, Some(0), "{}", end.said());
    let migrations = fs::read_dir(copy.path().join("migration/src")).unwrap().flatten();
    let debts = migrations.filter(|file| file.file_name().to_string_lossy().ends_with("_debts.rs")).count();
    assert_eq!(debts, 1);
    assert!(copy.path().join("src/models/admin/debts.rs").exists());
}

/// F47 (DC-8): what the generator writes compiles as it is, and its pages are there: the generated test, the guard of the
/// lists and that of the layers pass in a copy of this tree. Shares what is built already.
#[tokio::test]
#[ignore = "builds the whole application anew"]
async fn a_generated_resource_compiles_and_its_test_passes() {
    let (root, copy) = (Path::new(env!("CARGO_MANIFEST_DIR")), TempDir::new().unwrap());
    let mut git = Command::new("git");
    let files = Finished::of(git.current_dir(root).args(["ls-files"])).await;
    assert_eq!(files.code, Some(0), "{}", files.said());
    for file in files.out.lines().filter(|file| root.join(file).is_file()) {
        let to = copy.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root.join(file), to).unwrap();
    }
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root.join("target"), Into::into);
    let run = async |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.current_dir(copy.path()).env("CARGO_TARGET_DIR", &target).env_remove("CARGO_MANIFEST_DIR");
        let database = format!("sqlite://{}/unused.sqlite?mode=rwc", copy.path().display());
        command.envs([("LOCO_ENV", "test"), ("SKIP_MIGRATION", "1"), ("SANDBOX", "off"), ("DATABASE_URL", &database)]);
        let end = Finished::of(command.args(arguments).stdin(Stdio::null()).kill_on_drop(true)).await;
        assert_eq!(end.code, Some(0), "{program:?} {arguments:?}: {}", end.said());
        end
    };
    let columns = [
        "code:string!",
        "note:text",
        "amount:big_int!",
        "rest:big_int",
        "is_open:bool!",
        "used_at:tstz",
        "user:references",
    ];
    let generate = [&["generate", "scaffold", "--without-tz", "coupon"], columns.as_slice()].concat();
    run(Path::new(env!("CARGO_BIN_EXE_nproxy")), &generate).await;
    run(&copy.path().join("bin/entities"), &[]).await;
    let cargo = Path::new(env!("CARGO"));
    run(cargo, &["test", "--locked", "--workspace", "--test", "architecture"]).await;
    let filters = ["requests::admin::coupons", "models::lists_scale::every_list_has_its_index"];
    let tests = run(cargo, &[&["test", "--locked", "--workspace", "--test", "all", "--"], &filters[..]].concat()).await;
    assert!(tests.out.contains("test result: ok. 2 passed"), "{}", tests.said());
}
