//! Walks a hot path so many times, for somebody who counts instructions: `hot NAME TIMES`. With `--time` it says how long
//! each took instead, in the middle of many. Without anything it lists the paths.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods, reason = "a tool of the bench")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bench::{
    Result,
    figures::{median, quantile},
    paths::{ALL, HotPath},
};

/// So long each path is walked when it is timed, after a tenth of that to get warm.
const TIMED: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::temp_dir().join(format!("nproxy-hot-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            println!("{}", ALL.join("\n"));
            Ok(())
        }
        ["--time"] => ALL.iter().try_for_each(|name| time(name, &folder)),
        [name, times] => {
            HotPath::of(name, &folder).and_then(|path| (0..times.parse::<u32>()?).try_for_each(|_| path.walk()))
        }
        _ => Err("hot [NAME TIMES | --time]".into()),
    };
    std::fs::remove_dir_all(&folder)?;
    done
}

fn time(name: &str, folder: &Path) -> Result<()> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder)?;
    let path = HotPath::of(name, &folder)?;
    let mut took = Vec::new();
    let begins = Instant::now();
    while begins.elapsed() < TIMED {
        let began = Instant::now();
        path.walk()?;
        if begins.elapsed() > TIMED / 10 {
            took.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let (middle, slow) = (median(&took), quantile(&took, 0.9));
    println!("{name:<10} {middle:>9.3} ms in the middle, {slow:>9.3} ms one in ten, {} times", took.len());
    Ok(())
}
