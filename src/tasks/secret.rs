//! Secrets come through the environment or a file, never through the command line, which other people on the machine can
//! read.

use loco_rs::{Error, Result, task::Vars};
use secrecy::SecretString;

use super::optional;

/// What `NAME_env:VARIABLE` or `NAME_file:PATH` holds; exactly one of them.
pub fn given(vars: &Vars, name: &str, usage: &str) -> Result<SecretString> {
    match (optional(vars, &format!("{name}_env")), optional(vars, &format!("{name}_file"))) {
        (Some(variable), None) => from_env(variable),
        (None, Some(path)) => from_file(path),
        _ => Err(Error::Message(format!("give {name}_env: or {name}_file:\nusage: {usage}"))),
    }
}

#[expect(clippy::disallowed_methods, reason = "the operator names the variable that holds the secret")]
pub fn from_env(name: &str) -> Result<SecretString> {
    match std::env::var(name) {
        Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned().into()),
        _ => Err(Error::Message(format!("the environment variable {name} is not set"))),
    }
}

fn from_file(path: &str) -> Result<SecretString> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::Message(format!("{path}: {e}")))?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(Error::Message(format!("{path} is empty")));
    }
    Ok(secret.to_owned().into())
}
