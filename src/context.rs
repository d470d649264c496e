//! What nproxy keeps beside Loco's context: read as `ctx.settings()`, `ctx.catalogue()`, …, put there once at start.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use durable_jobs::{DurableQueue, RedisSettings};
use loco_rs::{Error, Result, app::AppContext, config::Config};
use secrecy::ExposeSecret;
use tokio::sync::Notify;

use crate::{
    adapters::{
        images::{Http, Provider},
        payments::{self, Processor},
        push::Push,
        storage::{self, Store},
        telegram::Telegram,
    },
    models::{catalogue::Catalogue, landing::Landing, runs::Paces, vault::Vault},
    settings::Settings,
    workers::LONG,
};

/// Everything that is built from the configuration and shared by all parts of the process.
#[derive(Clone)]
pub struct Parts(Arc<Inner>);

struct Inner {
    config: Config,
    settings: Settings,
    catalogue: Catalogue,
    vault: Vault,
    http: Http,
    till: payments::Http,
    telegram: Option<Telegram>,
    push: Push,
    store: Store,
    jobs: DurableQueue,
    key_freed: Notify,
    landing: OnceLock<Landing>,
    paces: Paces,
}

impl Parts {
    /// # Errors
    /// The setting or the catalogue line that is wrong.
    pub fn build(ctx: &AppContext) -> Result<Self> {
        let settings = Settings::load(&ctx.config, &ctx.environment)?;
        let catalogue = Catalogue::load(&settings.catalogue)?;
        let http = Http::trusting(&settings.images.ca_file).map_err(Error::msg)?;
        Ok(Self(Arc::new(Inner {
            config: ctx.config.clone(),
            vault: Vault::new(&settings),
            catalogue,
            http,
            till: payments::Http::new(payments::CALL_DEADLINE).map_err(Error::msg)?,
            telegram: Telegram::new(&settings.telegram).map_err(Error::Message)?,
            push: Push::new().map_err(Error::msg)?,
            store: storage::open(&settings.storage)?,
            jobs: queue(ctx, &settings)?,
            key_freed: Notify::new(),
            landing: OnceLock::new(),
            paces: Paces::default(),
            settings,
        })))
    }
}

/// Rows are the jobs; only the way of their hints is configured.
fn queue(ctx: &AppContext, settings: &Settings) -> Result<DurableQueue> {
    let behaviour = durable_jobs::Settings {
        concurrency: settings.worker_concurrency,
        long_queues: vec![LONG.to_owned()],
        ..Default::default()
    };
    let db = ctx.db.clone();
    match settings.redis_url.expose_secret() {
        "" => Ok(DurableQueue::embedded(db, behaviour)),
        url => DurableQueue::redis(db, behaviour, RedisSettings::new(url))
            .map_err(|error| Error::Message(format!("REDIS_URL: {error}"))),
    }
}

/// The context as nproxy sees it.
pub trait Nproxy {
    fn parts(&self) -> Parts;
}

impl Nproxy for AppContext {
    #[expect(clippy::expect_used, reason = "Hooks::after_context puts the parts in before anything else runs")]
    fn parts(&self) -> Parts {
        self.shared_store.get::<Parts>().expect("the parts are in the context")
    }
}

impl Parts {
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// The vendor that a catalogue line or a key names.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<Provider> {
        self.0.settings.images.provider(name)
    }

    /// The clients that all calls to vendors share.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.0.http
    }

    /// The payment processors that are switched on, in the order they are offered.
    #[must_use]
    pub fn processors(&self) -> Vec<Processor> {
        self.0.settings.payments.processors()
    }

    /// The payment processor of this name, if it is switched on.
    #[must_use]
    pub fn processor(&self, name: &str) -> Option<Processor> {
        self.0.settings.payments.processor(name)
    }

    /// The client that all calls to payment processors share.
    #[must_use]
    pub fn till(&self) -> &payments::Http {
        &self.0.till
    }

    /// The admins' bot, if there is a token for one.
    #[must_use]
    pub fn telegram(&self) -> Option<&Telegram> {
        self.0.telegram.as_ref()
    }

    /// The client that all calls to push services share.
    #[must_use]
    pub fn push(&self) -> &Push {
        &self.0.push
    }

    /// Where files lie; reading and writing goes through `ctx.storage`.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Rings when a key of the pool is given back in this process. Only a hint: who waits also looks by itself.
    #[must_use]
    pub fn key_freed(&self) -> &Notify {
        &self.0.key_freed
    }

    /// The configuration as it was read. The one of the context lacks what only the start asks for
    /// (`initializers::config`).
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// How long runs took lately, as it was told last.
    #[must_use]
    pub fn paces(&self) -> &Paces {
        &self.0.paces
    }

    /// The public pages, read when somebody first asks.
    ///
    /// # Errors
    /// A template is wrong.
    pub fn landing(&self) -> Result<&Landing> {
        if let Some(landing) = self.0.landing.get() {
            return Ok(landing);
        }
        let landing = Landing::open(Path::new("."))?;
        Ok(self.0.landing.get_or_init(|| landing))
    }

    #[must_use]
    pub fn jobs(&self) -> &DurableQueue {
        &self.0.jobs
    }
}
