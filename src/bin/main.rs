//! The `nproxy` binary: Loco's command line over our application, with commands of our own in front of it.

use std::{collections::BTreeMap, process::ExitCode};

use loco_rs::{
    Error,
    app::Hooks,
    boot, cli,
    environment::{Environment, resolve_from_env},
    task::Vars,
};
use migration::Migrator;
use nproxy::app::App;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "an operator reads it")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match Command::read(&words) {
        Some(command) => command.run().await,
        None => cli::main::<App, Migrator>().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nproxy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A task that has a name of its own on the command line, in front of Loco's command of the same name.
struct Command {
    task: &'static str,
    environment: Environment,
    vars: BTreeMap<String, String>,
}

/// Name, task, and the flags it takes: `--json` is `json:true`.
const COMMANDS: &[(&str, &str, &[&str])] = &[("doctor", "doctor", &["json", "selftest"])];

impl Command {
    /// `nproxy [-e ENVIRONMENT] NAME [--FLAG …]`; `None` = this is for Loco, which also says what is wrong with it.
    fn read(words: &[String]) -> Option<Self> {
        let (mut environment, mut rest) = (None, Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-e" | "--environment" => environment = Some(words.next()?.clone()),
                other => rest.push(other),
            }
        }
        let (name, flags) = rest.split_first()?;
        let (_, task, known) = COMMANDS.iter().find(|(known, ..)| known == name)?;
        let mut vars = BTreeMap::new();
        for flag in flags {
            let flag = flag.strip_prefix("--").filter(|flag| known.contains(flag))?;
            vars.insert(flag.to_owned(), "true".to_owned());
        }
        Some(Self { task, environment: environment.unwrap_or_else(resolve_from_env).into(), vars })
    }

    async fn run(self) -> loco_rs::Result<()> {
        let config = App::load_config(&self.environment).await?;
        let ctx = boot::create_context::<App>(&self.environment, config).await.map_err(|error| match error {
            Error::DB(error) => {
                Error::Message(format!("the database that DATABASE_URL names does not answer: {error}"))
            }
            other => other,
        })?;
        if !App::init_logger(&ctx)? {
            loco_rs::logger::init::<App>(&ctx.config.logger)?;
        }
        boot::run_task::<App>(&ctx, Some(&self.task.to_owned()), &Vars::from_cli_args(self.vars.into_iter().collect()))
            .await
    }
}
