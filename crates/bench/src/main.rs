//! What nproxy costs: the real release binary, the sandbox as vendor, and people who ask. `bin/bench` builds and starts what
//! this needs, and passes it on.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "rules for nproxy itself: a driver has a clock and a terminal of its own"
)]

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use bench::{
    Effort, Result,
    figures::{self, Figure},
    house::{Mode, Place, megabytes},
    rooms::{Part, Stay},
    seeds,
};
use clap::Parser;
use sandbox::Sandbox;
use serde_json::{Value, json};

/// Measures nproxy.
#[derive(Debug, Parser)]
struct Words {
    /// The release binary.
    #[arg(long)]
    binary: PathBuf,
    /// An empty folder.
    #[arg(long)]
    folder: PathBuf,
    /// A `PostgreSQL` server, without the name of a database.
    #[arg(long)]
    postgres: Option<String>,
    /// Its first process.
    #[arg(long)]
    postgres_pid: Option<u32>,
    #[arg(long)]
    redis: Option<String>,
    #[arg(long)]
    redis_pid: Option<u32>,
    /// Only these: sqlite, postgres.
    #[arg(long, value_delimiter = ',', default_value = "sqlite,postgres")]
    modes: Vec<String>,
    /// Only these parts.
    #[arg(long, value_delimiter = ',', default_value = "paced,pictures,sustained,polls,broken,growth")]
    parts: Vec<Part>,
    /// Three minutes instead of fifteen, and less certain.
    #[arg(long)]
    quick: bool,
    /// Prompts in a second that are offered when it shall bear what it can.
    #[arg(long, default_value_t = 170.0)]
    rate: f64,
    /// Runs of the past.
    #[arg(long)]
    runs: Option<i64>,
    /// Instruction counts of hot paths, as `name=count`.
    #[arg(long)]
    instructions: Vec<String>,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Recorded figures, to compare with.
    #[arg(long)]
    baseline: PathBuf,
    /// Ends with 1 when a figure that can be compared is worse than recorded.
    #[arg(long)]
    check: bool,
    /// Records the figures that can be compared.
    #[arg(long)]
    record: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measured(Words::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `false` when `--check` finds something worse than recorded.
async fn measured(words: Words) -> Result<bool> {
    let effort = if words.quick {
        Effort {
            repeats: 1,
            lasting: Duration::from_secs(6),
            samples: 40,
            rate: words.rate,
            runs: words.runs.unwrap_or(50_000),
        }
    } else {
        let runs = words.runs.unwrap_or(1_000_000);
        Effort { repeats: 3, lasting: Duration::from_secs(10), samples: 100, rate: words.rate, runs }
    };
    let sandbox = Sandbox::start(sandbox::Options { latency: Duration::ZERO, ..Default::default() }).await?;
    let size = Figure::new("binary", "the release binary", "both", megabytes(&words.binary), "MB");
    let mut figures = vec![size.at_most(45.0).compared(0.1)];
    let mut notes = Vec::new();
    for mode in [Mode::Embedded, Mode::Served] {
        if !words.modes.iter().any(|it| it == mode.short()) {
            continue;
        }
        if mode == Mode::Served && words.postgres.is_none() {
            notes.push(format!("not run: {}", mode.name()));
            continue;
        }
        let live = place(&words, &sandbox, mode, "live").await?;
        let mut stay = Stay { place: &live, mode, sandbox: &sandbox, effort, figures: Vec::new(), notes: Vec::new() };
        if words.parts.iter().any(|part| Part::LIVE.contains(part)) {
            eprintln!("== {}", mode.name());
            stay.live(&words.parts).await?;
        }
        if words.parts.contains(&Part::Growth) {
            eprintln!("== {}: growth", mode.name());
            stay.grow(&place(&words, &sandbox, mode, "growth").await?).await?;
        }
        figures.append(&mut stay.figures);
        notes.append(&mut stay.notes);
    }
    for count in &words.instructions {
        let (name, count) = count.split_once('=').ok_or("--instructions takes name=count")?;
        let millions = count.parse::<f64>()? / 1e6;
        let figure = Figure::new(name, &format!("instructions: {name}"), "both", millions, "million");
        figures.push(figure.compared(0.1));
    }
    println!("{}", figures::table(&figures));
    for note in &notes {
        println!("{note}");
    }
    let about = json!({ "quick": words.quick, "version": env!("CARGO_PKG_VERSION"), "notes": notes });
    if let Some(path) = &words.json {
        fs::write(path, serde_json::to_string_pretty(&figures::to_json(&figures, &about))?)?;
    }
    if words.record {
        fs::write(&words.baseline, serde_json::to_string_pretty(&figures::recorded(&figures))? + "\n")?;
    }
    let baseline: Value =
        fs::read_to_string(&words.baseline).ok().map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
    if words.check && baseline.is_null() {
        return Err(format!("nothing is recorded in {}: bin/bench --record", words.baseline.display()).into());
    }
    let worse = figures::worse(&figures, &baseline);
    for line in &worse {
        println!("WORSE than recorded: {line}");
    }
    Ok(!words.check || worse.is_empty())
}

async fn place(words: &Words, sandbox: &Sandbox, mode: Mode, name: &str) -> Result<Place> {
    let folder = words.folder.join(format!("{}-{name}", mode.short()));
    fs::create_dir_all(&folder)?;
    let database = match (mode, &words.postgres) {
        (Mode::Served, Some(server)) => {
            let database = format!("bench_{name}");
            let books = seeds::Books::open(&format!("{server}/postgres")).await?;
            books.run(&format!("DROP DATABASE IF EXISTS {database}")).await?;
            books.run(&format!("CREATE DATABASE {database}")).await?;
            books.db.close().await?;
            format!("{server}/{database}")
        }
        _ => format!("sqlite://{}?mode=rwc", folder.join("nproxy.sqlite3").display()),
    };
    Ok(Place {
        binary: words.binary.clone(),
        folder,
        database,
        redis: words.redis.clone().filter(|_| mode == Mode::Served),
        postgres_pid: words.postgres_pid.filter(|_| mode == Mode::Served),
        redis_pid: words.redis_pid.filter(|_| mode == Mode::Served),
        upstream: sandbox.url(),
        smtp_port: sandbox.smtp_addr().port(),
    })
}
