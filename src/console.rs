//! The commands that are ours. `start`: Loco's own does not come by `App::boot`, where the schema is looked after, the bot
//! begun and the timetable given to our jobs, and it has no `--server`; its flags are understood as it does. Then
//! `scheduler`, `bot`, `pair`, `health`, and `doctor` in place of Loco's. Everything else is Loco's command line over our
//! application.

use clap::{Parser, Subcommand};
use loco_rs::{
    Error, Result,
    app::{AppContext, Hooks},
    boot::{self, ServeParams, StartMode},
    cli,
    environment::{Environment, resolve_from_env},
    task::Vars,
};
use migration::Migrator;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    bot,
    context::Nproxy,
    initializers::{health, logging, schema},
    settings,
};

/// A queue without jobs: who takes only those keeps the timetable and nothing else.
const TIMETABLE_ONLY: &str = "timetable";

#[derive(Parser)]
#[command(name = "nproxy", version)]
struct Ours {
    #[command(subcommand)]
    command: Command,
    /// development, test or production; otherwise `LOCO_ENV`
    #[arg(short, long, global = true)]
    environment: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the web server, and with a flag what else there is
    #[command(alias = "s")]
    Start {
        /// The web server: what is started without a flag
        #[arg(long, conflicts_with = "all")]
        server: bool,
        /// Run jobs, of these tags where some are named (--worker=tag1,tag2)
        #[arg(short, long, value_delimiter = ',', num_args = 0.., conflicts_with_all = ["server_and_worker", "all"])]
        worker: Option<Vec<String>>,
        /// The web server and jobs in one process
        #[arg(short, long, conflicts_with = "all")]
        server_and_worker: bool,
        /// The web server, jobs and the bot in one process
        #[arg(short, long)]
        all: bool,
        /// Taken and of no effect: jobs keep the timetable
        #[arg(long, conflicts_with = "all")]
        scheduler: bool,
        /// The address to listen on
        #[arg(short, long)]
        binding: Option<String>,
        /// The port to listen on
        #[arg(short, long)]
        port: Option<i32>,
        /// Print no banner
        #[arg(short, long)]
        no_banner: bool,
    },
    /// Keep the timetable and do nothing else
    Scheduler,
    /// Does the process on this machine live? For the container's health check
    Health,
    /// Is everything as it should be? What is not is named, with the command that mends it
    Doctor {
        /// For scripts
        #[arg(long)]
        json: bool,
        /// Break a scratch database in every way there is a rule against: is each seen?
        #[arg(long)]
        selftest: bool,
    },
    /// Run the admins' Telegram bot
    Bot,
    /// Pair an admin of the bot: pair CODE [--yes], pair list, pair revoke ID, pair cleanup
    Pair {
        /// The code that the bot gave, or list, revoke, cleanup
        what: String,
        /// The admin's id at Telegram, to revoke
        id: Option<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// For scripts
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// What the command says.
pub async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !is_ours(&words) {
        return cli::main::<App, Migrator>().await;
    }
    let Ours { command, environment } = Ours::parse();
    let environment: Environment = environment.unwrap_or_else(resolve_from_env).into();
    let mode = command.mode();
    match command {
        Command::Start { binding, port, no_banner, .. } => start(mode, &environment, binding, port, no_banner).await,
        Command::Scheduler => start(mode, &environment, None, None, false).await,
        Command::Health => ask_for_health(),
        Command::Doctor { json, selftest } => Box::pin(consult_doctor(&environment, json, selftest)).await,
        Command::Bot => Box::pin(run_bot(&context(&environment).await?)).await,
        Command::Pair { what, id, yes, json } => pair(&context(&environment).await?, &what, id, yes, json).await,
    }
}

/// Whether the first word that is no option and no option's value is a command of ours; `scheduler` with words of its own
/// is Loco's, which prints the timetable.
fn is_ours(words: &[String]) -> bool {
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "-e" | "--environment" => drop(rest.next()),
            "start" | "s" | "bot" | "pair" | "health" | "doctor" => return true,
            "scheduler" => return rest.next().is_none(),
            option if option.starts_with('-') => {}
            _ => return false,
        }
    }
    false
}

impl Command {
    fn mode(&self) -> StartMode {
        match self {
            Self::Start { all: true, .. } => StartMode::All,
            Self::Start { server_and_worker: true, .. } | Self::Start { server: true, worker: Some(_), .. } => {
                StartMode::ServerAndWorker
            }
            Self::Start { worker: Some(tags), .. } => StartMode::WorkerOnly { tags: tags.clone() },
            Self::Scheduler => StartMode::WorkerOnly { tags: vec![TIMETABLE_ONLY.to_owned()] },
            Self::Start { worker: None, .. } | Self::Health | Self::Doctor { .. } | Self::Bot | Self::Pair { .. } => {
                StartMode::ServerOnly
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "an operator reads it")]
fn ask_for_health() -> Result<()> {
    println!("{}", settings::port().and_then(health::ask).map_err(Error::Message)?);
    Ok(())
}

async fn start(
    mode: StartMode,
    environment: &Environment,
    binding: Option<String>,
    port: Option<i32>,
    no_banner: bool,
) -> Result<()> {
    let mut config = App::load_config(environment).await?;
    logging::begin(&config.logger);
    config.server.port = port.unwrap_or(config.server.port);
    config.server.binding = binding.unwrap_or(config.server.binding);
    let serve = ServeParams { port: config.server.port, binding: config.server.binding.clone() };
    // A picture has no place among lines of JSON.
    let quiet = no_banner || *environment == Environment::Production;
    let booted = App::boot(mode, environment, config).await?;
    boot::start::<App>(booted, serve, quiet).await
}

/// The task `doctor`. It looks at the schema as it is, whichever release that is of, and changes nothing of it.
async fn consult_doctor(environment: &Environment, json: bool, selftest: bool) -> Result<()> {
    let config = App::load_config(environment).await?;
    logging::begin(&config.logger);
    let uri = config.database.uri.clone();
    let ctx = boot::create_context::<App>(environment, config).await.map_err(|error| match error {
        Error::DB(error) => schema::unreachable(&uri, &error.to_string()),
        other => other,
    })?;
    run_task(&ctx, "doctor", vec![("json", json), ("selftest", selftest)], Vec::new()).await
}

async fn context(environment: &Environment) -> Result<AppContext> {
    let config = App::load_config(environment).await?;
    logging::begin(&config.logger);
    schema::settle(&config.database).await?;
    boot::create_context::<App>(environment, config).await
}

/// Until it is told to stop: neither Telegram nor a database that is away ends it.
async fn run_bot(ctx: &AppContext) -> Result<()> {
    if ctx.parts().telegram().is_none() {
        // No failure: whoever keeps processes running would start this one again and again.
        tracing::warn!("there is no bot: set TELEGRAM_BOT_TOKEN to the token of one");
        return Ok(());
    }
    let stop = CancellationToken::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let work = bot::run(ctx, &stop);
    let ask = async {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::info!("the bot stops");
        stop.cancel();
    };
    tokio::join!(work, ask);
    Ok(())
}

/// The tasks `pair`, `pair_list`, `pair_revoke` and `pair_cleanup`, in fewer words.
async fn pair(ctx: &AppContext, what: &str, id: Option<String>, yes: bool, json: bool) -> Result<()> {
    let (task, words) = match what {
        "list" => ("pair_list", None),
        "cleanup" => ("pair_cleanup", None),
        "revoke" => ("pair_revoke", id.map(|id| ("id", id))),
        code => ("pair", Some(("code", code.to_owned()))),
    };
    run_task(ctx, task, vec![("yes", yes), ("json", json)], words.into_iter().collect()).await
}

/// A task with its flags and words, as `nproxy task NAME flag:true word:…` runs it.
async fn run_task(ctx: &AppContext, task: &str, flags: Vec<(&str, bool)>, words: Vec<(&str, String)>) -> Result<()> {
    let flags = flags.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| (name, "true".to_owned()));
    let vars = flags.chain(words).map(|(name, value)| (name.to_owned(), value)).collect();
    boot::run_task::<App>(ctx, Some(&task.to_owned()), &Vars::from_cli_args(vars)).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use loco_rs::boot::StartMode;

    use super::{Ours, is_ours};

    fn mode(line: &str) -> Option<StartMode> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let read = Ours::try_parse_from(std::iter::once("nproxy".to_owned()).chain(words.clone()));
        read.ok().filter(|_| is_ours(&words)).map(|it| it.command.mode())
    }

    fn worker(tags: &[&str]) -> Option<StartMode> {
        Some(StartMode::WorkerOnly { tags: tags.iter().map(|tag| (*tag).to_owned()).collect() })
    }

    #[test]
    fn what_is_asked_for_is_started() {
        for line in ["start", "start --server", "-e production start -n", "start --scheduler"] {
            assert_eq!(mode(line), Some(StartMode::ServerOnly), "{line}");
        }
        for line in ["start -s", "start --server --worker", "start --server-and-worker", "start -s --scheduler"] {
            assert_eq!(mode(line), Some(StartMode::ServerAndWorker), "{line}");
        }
        for line in ["start --all", "start -a"] {
            assert_eq!(mode(line), Some(StartMode::All), "{line}");
        }
        for line in ["start --worker", "start -w --port 80", "start --worker --scheduler"] {
            assert_eq!(mode(line), worker(&[]), "{line}");
        }
        assert_eq!(mode("start --worker=mail,low -b ::1"), worker(&["mail", "low"]));
        assert_eq!(mode("start -w mail,low -p=5151"), worker(&["mail", "low"]));
        assert_eq!(mode("scheduler"), worker(&["timetable"]));
        assert_eq!(mode("doctor --json --selftest"), Some(StartMode::ServerOnly));
        for line in ["", "task", "start --port many", "start --all --worker", "scheduler --list"] {
            assert_eq!(mode(line), None, "{line}");
        }
    }
}
