//! Walks a hot path so many times, for somebody who counts instructions: `hot NAME TIMES`. With `--time` Criterion says how
//! long each takes instead. Without anything it lists the paths.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a tool of the bench"
)]

use std::{path::Path, time::Duration};

use bench::{
    Result,
    paths::{ALL, HotPath},
};
use criterion::Criterion;

/// So long each path is walked when it is timed, after a while to get warm.
const TIMED: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::temp_dir().join(format!("nproxy-hot-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            println!("{}", ALL.join("\n"));
            Ok(())
        }
        ["--time"] => {
            let mut criterion = Criterion::default().measurement_time(TIMED);
            let timed = ALL.iter().try_for_each(|name| time(&mut criterion, name, &folder));
            criterion.final_summary();
            timed
        }
        [name, times] => {
            HotPath::of(name, &folder).and_then(|path| (0..times.parse::<u32>()?).try_for_each(|_| path.walk()))
        }
        _ => Err("hot [NAME TIMES | --time]".into()),
    };
    std::fs::remove_dir_all(&folder)?;
    done
}

/// Criterion keeps what it found in `target/criterion`, and says at the next time what has changed.
fn time(criterion: &mut Criterion, name: &str, folder: &Path) -> Result<()> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder)?;
    let path = HotPath::of(name, &folder)?;
    path.walk()?;
    criterion.bench_function(name, |bencher| bencher.iter(|| path.walk().expect("it went well before")));
    Ok(())
}
