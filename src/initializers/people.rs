//! The people of development: seeded into an empty database, and told about on the console at every start. In production
//! nobody is seeded; the log says how the first owner comes in.

use async_trait::async_trait;
use loco_rs::{
    Error, Result,
    app::{AppContext, Initializer},
    environment::Environment,
};

use crate::{
    context::Nproxy,
    models::{
        activities::Actor,
        provider_keys::{self, MAX_CONCURRENCY, NewKey},
        users::{
            self,
            seeds::{self, PASSWORD, PEOPLE},
        },
    },
};

/// Keys that the sandbox takes.
const KEYS: [&str; 3] = ["one", "two", "three"];

pub struct People;

#[async_trait]
impl Initializer for People {
    fn name(&self) -> String {
        "people".into()
    }

    async fn before_run(&self, ctx: &AppContext) -> Result<()> {
        if ctx.environment != Environment::Development {
            return hint(ctx).await;
        }
        seed(ctx).await?;
        announce(ctx);
        Ok(())
    }
}

/// An installation without anybody who may open `/admin` says how to get somebody; no password is ever made up for it.
async fn hint(ctx: &AppContext) -> Result<()> {
    if ctx.environment == Environment::Production && !users::has_staff(ctx).await? {
        tracing::warn!("nobody may open /admin yet: nproxy task admin_create email:you@example.com");
    }
    Ok(())
}

/// Safe to repeat; refuses production, where nobody has a password that is printed.
///
/// # Errors
/// In production, or when the database does not answer.
pub async fn seed(ctx: &AppContext) -> Result<()> {
    if ctx.environment == Environment::Production {
        return Err(Error::string("the people of development are not for production"));
    }
    seeds::seed(ctx).await?;
    if ctx.parts().settings().sandbox.on {
        for name in KEYS {
            let key = NewKey {
                provider: "gemini".into(),
                label: format!("sandbox {name}"),
                secret: format!("sandbox-key-{name}").into(),
                proxy: None,
                max_concurrency: MAX_CONCURRENCY,
            };
            provider_keys::add(ctx, key, &Actor::System).await?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what a newcomer looks for on the console")]
fn announce(ctx: &AppContext) {
    let parts = ctx.parts();
    let settings = parts.settings();
    println!("\n  nproxy      {}", settings.app_url);
    if settings.sandbox.on {
        println!("  mail        {}/mail", settings.sandbox.url());
        println!("  telegram    {}/telegram", settings.sandbox.url());
        println!("  sandbox     {}", settings.sandbox.url());
    }
    println!("\n  sign in as  (password of all: {PASSWORD})");
    for person in &PEOPLE {
        println!("    {:<18}{}", person.email, person.about);
    }
    println!();
}
