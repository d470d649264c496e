//! The `settings:` tree of `config/*.yaml`, read once at start. Every value has an environment variable there; nothing
//! else in the application reads the environment.

mod analytics;
mod networks;
mod stand_ins;

use std::{env, fs, path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use loco_rs::{Error, Result, config::Config, environment::Environment};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};
use url::Url;

use crate::adapters::{archive::Recipients, images, payments, push, telegram};

pub use analytics::GtmId;
pub use networks::{Networks, customer_of};
pub use stand_ins::Sandbox;

/// Shorter secrets are refused in production (interface: `NPROXY_SECRET_KEY`).
const SECRET_KEY_MIN_BYTES: usize = 32;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where people reach the application; the base of every mailed link.
    #[serde(deserialize_with = "url_from_text")]
    pub app_url: Url,
    /// Seals provider keys and proxy passwords at rest. At least 32 bytes in production.
    pub secret_key: SecretString,
    /// The key before that one, until `secrets_rotate` has sealed everything anew; empty = there is none.
    #[serde(default)]
    pub secret_key_previous: SecretString,
    /// `From` of every mail.
    pub mailer_from: String,
    /// A chat where people find help; empty = no link.
    #[serde(default)]
    pub support_bot_url: String,
    /// Where the built landing is served; empty = the application shows it itself.
    #[serde(default, deserialize_with = "url_if_any")]
    pub landing_url: Option<Url>,
    /// A container of Google Tag Manager; empty = nothing of it anywhere.
    #[serde(default)]
    pub gtm_id: GtmId,
    /// Offers and models, checked at start.
    pub catalogue: PathBuf,
    pub storage: Storage,
    pub images: images::Settings,
    #[serde(default)]
    pub payments: payments::Settings,
    #[serde(default)]
    pub telegram: telegram::Settings,
    #[serde(default)]
    pub push: push::Settings,
    #[serde(default)]
    pub pool: Pool,
    /// Jobs at a time in one process. Most of them wait for a provider.
    #[serde(default = "worker_concurrency")]
    pub worker_concurrency: usize,
    #[serde(default)]
    pub edge: Edge,
    #[serde(default)]
    pub backup: Backup,
    pub sandbox: Sandbox,
    /// Whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub trusted_proxies: Networks,
    /// Where Prometheus reads `/metrics`, apart from the site; 0 = nowhere.
    #[serde(default)]
    pub metrics_port: u16,
    /// Hints about jobs travel through this Redis; empty = inside the process.
    #[serde(default = "no_secret")]
    pub redis_url: SecretString,
}

fn no_secret() -> SecretString {
    String::new().into()
}

/// Where files lie: S3 when a bucket is named, otherwise a folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub dir: PathBuf,
    #[serde(default)]
    pub s3_endpoint: String,
    /// Where browsers reach that store; empty = at the endpoint.
    #[serde(default)]
    pub s3_public_endpoint: String,
    #[serde(default)]
    pub s3_region: String,
    #[serde(default)]
    pub s3_bucket: String,
    #[serde(default)]
    pub s3_access_key_id: String,
    pub s3_secret_access_key: SecretString,
}

/// How patient the key pool is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Rest of a key after a retryable failure, seconds. Default 300.
    pub cooldown_secs: u64,
    /// One call to a provider, seconds. Default 90.
    pub call_secs: u64,
    /// A run from submit to its last picture, seconds. Default 180.
    pub run_secs: u64,
    /// Runs of all people together that may wait for a worker. Default 10,000, which is more than can be served in time.
    pub waiting_max: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self { cooldown_secs: 300, call_secs: 90, run_secs: 180, waiting_max: 10_000 }
    }
}

impl Pool {
    #[must_use]
    pub const fn cooldown(&self) -> Duration {
        Duration::from_secs(self.cooldown_secs)
    }

    #[must_use]
    pub const fn call(&self) -> Duration {
        Duration::from_secs(self.call_secs)
    }

    #[must_use]
    pub const fn run(&self) -> Duration {
        Duration::from_secs(self.run_secs)
    }
}

/// Who is let in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// Names beside that of `app_url` under which the site answers, separated by commas.
    pub hosts: String,
    /// Connections at once in all. Each is an open file: `ulimit -n` must be well above.
    pub connections: usize,
    /// Connections at once from one address, but for loopback and trusted proxies.
    pub connections_per_address: usize,
}

impl Default for Edge {
    fn default() -> Self {
        Self { hosts: String::new(), connections: 512, connections_per_address: 64 }
    }
}

/// Where backups go and who can open them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Empty = none are taken.
    pub dir: PathBuf,
    /// The public half of an age key; the other half is needed only to restore.
    #[serde(deserialize_with = "recipients")]
    pub recipient: Recipients,
    pub keep_daily: usize,
    pub keep_weekly: usize,
}

impl Backup {
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.dir.as_os_str().is_empty()
    }

    /// Backups in the clear would hold every address and every prompt.
    fn check(&self) -> std::result::Result<(), String> {
        if self.is_on() && self.recipient.is_empty() {
            return Err(
                "BACKUP_DIR is set, so BACKUP_RECIPIENT must be too: nproxy task backup_identity makes one".into()
            );
        }
        Ok(())
    }
}

fn recipients<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Recipients, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|error| de::Error::custom(format!("BACKUP_RECIPIENT: {error}")))
}

/// A server has to be told what a laptop can guess. Checked before the configuration is read, whose templates would name
/// the first missing variable alone, in their own words.
///
/// # Errors
/// Names every variable that is missing.
pub fn nothing_missing(environment: &Environment) -> Result<()> {
    if *environment != Environment::Production {
        return Ok(());
    }
    let folder = variable("LOCO_CONFIG_FOLDER").unwrap_or_else(|| "config".to_owned());
    let file = PathBuf::from(folder).join("production.yaml");
    let text = fs::read_to_string(&file)
        .map_err(|error| Error::Message(format!("{} cannot be read: {error}", file.display())))?;
    let missing: Vec<&str> = required(&text).into_iter().filter(|name| variable(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Message(format!(
        "production needs {} from the environment, and {} not set. README.md says what each means; bin/setup-production \
         writes a file for most of them",
        missing.join(", "),
        if missing.len() == 1 { "it is" } else { "they are" },
    )))
}

/// Where this process listens, or its like on the same machine does.
///
/// # Errors
/// When `PORT` is no port.
pub fn port() -> std::result::Result<u16, String> {
    let port = variable("PORT").unwrap_or_else(|| "5150".to_owned());
    port.parse().map_err(|_| format!("PORT: {port:?} is no port"))
}

/// The variables that a configuration has no default for.
fn required(text: &str) -> Vec<&str> {
    let named = text.split("get_env(name=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let mut names: Vec<&str> = named.filter(|(_, rest)| rest.starts_with(')')).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[expect(clippy::disallowed_methods, reason = "before there are settings")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// `Url` without its serde feature, which would build half of the tree a second time.
///
/// # Errors
/// Names the text that is not an address.
pub(crate) fn url_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| de::Error::custom(format!("{text:?} is not an address: {error}")))
}

/// As [`url_from_text`]; an empty text is none.
///
/// # Errors
/// Names the text that is not an address.
pub(crate) fn url_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| de::Error::custom(format!("{text:?} is not an address: {error}")))
}

const fn worker_concurrency() -> usize {
    64
}

impl Settings {
    /// # Errors
    /// Says which setting is wrong and how to mend it.
    pub fn load(config: &Config, environment: &Environment) -> Result<Self> {
        let mut tree = config.settings.clone().ok_or_else(|| Error::string("config: no `settings:` section"))?;
        stand_ins::fill_in(&mut tree);
        let settings: Self =
            serde_json::from_value(tree).map_err(|e| Error::Message(format!("config: settings: {e}")))?;
        settings.payments.check().map_err(Error::Message)?;
        settings.telegram.check().map_err(Error::Message)?;
        settings.backup.check().map_err(Error::Message)?;
        if *environment == Environment::Production {
            settings.fit_for_production()?;
        }
        Ok(settings)
    }

    fn fit_for_production(&self) -> Result<()> {
        if self.secret_key.expose_secret().len() < SECRET_KEY_MIN_BYTES {
            return Err(Error::Message(format!(
                "NPROXY_SECRET_KEY must be at least {SECRET_KEY_MIN_BYTES} bytes in production; \
                 make one with: openssl rand -base64 48"
            )));
        }
        if self.sandbox.on && !self.sandbox.allow {
            return Err(Error::string(
                "the sandbox answers instead of the real services: production refuses SANDBOX=on unless ALLOW_SANDBOX=yes",
            ));
        }
        Ok(())
    }

    /// The bare address behind `mailer_from`, for whoever wants to write to us about what our machines do.
    #[must_use]
    pub fn contact(&self) -> &str {
        let from = self.mailer_from.as_str();
        from.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(from, |(address, _)| address).trim()
    }

    /// An address of the application, by its path.
    #[must_use]
    pub fn app_address(&self, path: &str) -> String {
        format!("{}{path}", self.app_url.as_str().trim_end_matches('/'))
    }

    /// Does the site answer to this name, with whatever port? To those of this machine always: nobody else has them.
    #[must_use]
    pub fn answers_to(&self, authority: &str) -> bool {
        let Ok(url) = Url::parse(&format!("http://{authority}/")) else { return false };
        if !url.username().is_empty() || url.password().is_some() || url.path() != "/" {
            return false;
        }
        let is_loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let Some(name) = url.host_str() else { return false };
        let more = self.edge.hosts.split(',').map(str::trim);
        is_loopback
            || self.app_url.host_str() == Some(name)
            || more.into_iter().any(|host| host.eq_ignore_ascii_case(name))
    }

    /// What pages may load, and from where.
    #[must_use]
    pub fn content_security_policy(&self) -> String {
        analytics::policy(&self.gtm_id)
    }

    /// As they were under the key before; `None` when there is none.
    #[must_use]
    pub fn before(&self) -> Option<Self> {
        let previous = self.secret_key_previous.clone();
        let is_set = !previous.expose_secret().is_empty();
        is_set.then(|| Self { secret_key: previous, secret_key_previous: SecretString::default(), ..self.clone() })
    }

    /// The keys under which something of this purpose may have been made: the one now, and the one before.
    #[must_use]
    pub fn derived_keys(&self, purpose: &str) -> Vec<[u8; 32]> {
        [Some(self.clone()), self.before()].into_iter().flatten().map(|it| it.derived_key(purpose)).collect()
    }

    /// 32 bytes derived from the secret key; `purpose` keeps the uses apart.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"nproxy/");
        hash.update(purpose.as_bytes());
        hash.update(b"/");
        hash.update(self.secret_key.expose_secret().as_bytes());
        hash.finalize().into()
    }

    /// Names the key without showing it: stored beside what it sealed.
    #[must_use]
    pub fn secret_key_id(&self) -> String {
        STANDARD.encode(&Sha256::digest(self.derived_key("key-id"))[..6])
    }
}
