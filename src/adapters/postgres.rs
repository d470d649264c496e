//! `pg_dump` and `pg_restore`, as they are found on PATH. The password goes through the environment: others on the host
//! can read the words of a command.

use std::{path::Path, process::Stdio};

use tokio::process::Command;
use url::Url;

/// Writes the database into a file of its own format.
///
/// # Errors
/// The program is missing, older than the server, or was refused; in its own words.
pub async fn dump(uri: &str, into: &Path) -> Result<(), String> {
    let mut command = command("pg_dump", uri)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--exclude-schema=nproxy_*", "--file"]).arg(into);
    run("pg_dump", command).await
}

/// Brings a dump into a database whose schema `public` is empty, all of it or nothing.
///
/// # Errors
/// The program is missing, or the server refuses; in its own words.
pub async fn restore(uri: &str, from: &Path) -> Result<(), String> {
    let mut command = command("pg_restore", uri)?;
    let name = database_of(uri)?;
    // What is in the schema, not the schema: a dump of a database that was restored before would make it a second time.
    command.args(["--schema=public", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]);
    command.args(["--dbname", &name]).arg(from);
    run("pg_restore", command).await
}

fn parse(uri: &str) -> Result<Url, String> {
    uri.parse().map_err(|error| format!("DATABASE_URL is no address: {error}"))
}

fn plain(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn database_of(uri: &str) -> Result<String, String> {
    Ok(plain(parse(uri)?.path().trim_start_matches('/')))
}

fn command(program: &str, uri: &str) -> Result<Command, String> {
    let url = parse(uri)?;
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).kill_on_drop(true).arg("--no-password");
    command.env("PGDATABASE", database_of(uri)?).env("PGCONNECT_TIMEOUT", "15");
    if let Some(host) = url.host_str() {
        command.env("PGHOST", host.trim_matches(['[', ']']));
    }
    if let Some(port) = url.port() {
        command.env("PGPORT", port.to_string());
    }
    if !url.username().is_empty() {
        command.env("PGUSER", plain(url.username()));
    }
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", plain(password));
    }
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" | "ssl-mode" => command.env("PGSSLMODE", &*value),
            "sslrootcert" | "ssl-root-cert" => command.env("PGSSLROOTCERT", &*value),
            "host" => command.env("PGHOST", &*value),
            _ => &mut command,
        };
    }
    Ok(command)
}

async fn run(program: &str, mut command: Command) -> Result<(), String> {
    let output = command.output().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!(
                "{program} is not on PATH: install the client programs of PostgreSQL, of the server's version or newer"
            )
        }
        _ => format!("{program}: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::{database_of, plain};

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(database_of("postgres://u:p@h:5432/nproxy?sslmode=require").unwrap(), "nproxy");
        assert_eq!(plain("p%40ss%2Bword+&x=1"), "p@ss+word+&x=1");
    }
}
