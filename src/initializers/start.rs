//! `nproxy start`: which processes a server has. Loco's own command does not come by `App::boot`, where the schema is looked
//! after and the timetable given to our jobs, and it has no `--server`. Its flags are understood as it does.

use loco_rs::{
    Result,
    app::Hooks,
    boot::{self, ServeParams, StartMode},
    environment::{Environment, resolve_from_env},
    logger,
};

use crate::app::App;

/// A queue without jobs: who takes only those keeps the timetable and nothing else.
const TIMETABLE_ONLY: &str = "timetable";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    mode: StartMode,
    environment: Option<String>,
    binding: Option<String>,
    port: Option<i32>,
    quiet: bool,
}

impl Start {
    /// Reads a whole command line; `None` when it is another command, or one that Loco has to explain.
    #[must_use]
    pub fn read(words: &[String]) -> Option<Self> {
        let (mut server, mut worker, mut all, mut command) = (false, None, false, None);
        let (mut environment, mut binding, mut port, mut quiet) = (None, None, None, false);
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let (flag, value) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
            let mut value = || value.or_else(|| words.next()).map(str::to_owned);
            match (command, flag) {
                (_, "-e" | "--environment") => environment = Some(value()?),
                (None, "start" | "scheduler") => command = Some(word),
                (Some("start"), "--server") => server = true,
                (Some("start"), "-a" | "--all") => all = true,
                (Some("start"), "-s" | "--server-and-worker") => (server, worker) = (true, Some(Vec::new())),
                // The workers keep the timetable.
                (Some("start"), "--scheduler") => {}
                (Some("start"), "-w" | "--worker") => {
                    let listed = word.split_once('=').map(|(_, tags)| tags);
                    let listed = listed.or_else(|| words.next_if(|next| !next.starts_with('-')));
                    worker = Some(listed.into_iter().flat_map(|tags| tags.split(',')).map(str::to_owned).collect());
                }
                (Some("start"), "-b" | "--binding") => binding = Some(value()?),
                (Some("start"), "-p" | "--port") => port = Some(value()?.parse().ok()?),
                (Some("start"), "-n" | "--no-banner") => quiet = true,
                _ => return None,
            }
        }
        let mode = match (command?, all, server, worker) {
            ("scheduler", ..) => StartMode::WorkerOnly { tags: vec![TIMETABLE_ONLY.to_owned()] },
            (_, true, false, None) | (_, false, true, Some(_)) => StartMode::ServerAndWorker,
            (_, false, _, None) => StartMode::ServerOnly,
            (_, false, false, Some(tags)) => StartMode::WorkerOnly { tags },
            _ => return None,
        };
        Some(Self { mode, environment, binding, port, quiet })
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn run(self) -> Result<()> {
        let environment: Environment = self.environment.unwrap_or_else(resolve_from_env).into();
        let mut config = App::load_config(&environment).await?;
        logger::init::<App>(&config.logger)?;
        config.server.port = self.port.unwrap_or(config.server.port);
        config.server.binding = self.binding.unwrap_or(config.server.binding);
        let params = ServeParams { port: config.server.port, binding: config.server.binding.clone() };
        // A picture has no place among lines of JSON.
        let quiet = self.quiet || environment == Environment::Production;
        let booted = App::boot(self.mode, &environment, config).await?;
        boot::start::<App>(booted, params, quiet).await
    }
}

#[cfg(test)]
mod tests {
    use loco_rs::boot::StartMode;

    use super::Start;

    fn mode(line: &str) -> Option<StartMode> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Start::read(&words).map(|start| start.mode)
    }

    fn worker(tags: &[&str]) -> Option<StartMode> {
        Some(StartMode::WorkerOnly { tags: tags.iter().map(|tag| (*tag).to_owned()).collect() })
    }

    #[test]
    fn what_is_asked_for_is_started() {
        for line in ["start", "start --server", "-e production start -n", "start --scheduler"] {
            assert_eq!(mode(line), Some(StartMode::ServerOnly), "{line}");
        }
        for line in ["start --all", "start -a", "start -s", "start --server --worker", "start --server-and-worker"] {
            assert_eq!(mode(line), Some(StartMode::ServerAndWorker), "{line}");
        }
        for line in ["start --worker", "start -w --port 80", "start --worker --scheduler"] {
            assert_eq!(mode(line), worker(&[]), "{line}");
        }
        assert_eq!(mode("start --worker=mail,low -b ::1"), worker(&["mail", "low"]));
        assert_eq!(mode("start -w mail,low -p=5151"), worker(&["mail", "low"]));
        assert_eq!(mode("scheduler"), worker(&["timetable"]));
        for line in ["", "task", "start --help", "start --port many", "start --all --worker", "scheduler --list", "bot"]
        {
            assert_eq!(mode(line), None, "{line}");
        }
    }
}
