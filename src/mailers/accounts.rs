//! Mails about the account. Links are minted here, at the moment of sending, and live nowhere but in the mail.

use loco_rs::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    context::Nproxy,
    models::{
        begin,
        tokens::PlainToken,
        users::{self, Purpose, Status, links},
    },
};

static ACTIVATION: Dir<'_> = include_dir!("src/mailers/accounts/activation");
static RESET: Dir<'_> = include_dir!("src/mailers/accounts/reset");
static ALREADY_REGISTERED: Dir<'_> = include_dir!("src/mailers/accounts/already_registered");

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    Activation,
    Reset,
    AlreadyRegistered,
}

/// All that a queue ever holds of a mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    pub user: i64,
    pub occasion: Occasion,
}

pub struct Accounts;
impl Mailer for Accounts {}

/// Writes and sends the mail of an occasion; one that has passed meanwhile sends nothing.
///
/// # Errors
/// The mail server does not take it; the job is tried again.
pub async fn deliver(ctx: &AppContext, user_id: i64, occasion: Occasion) -> Result<()> {
    let Some(user) = users::by_id(&ctx.db, user_id).await? else { return Ok(()) };
    let (template, path, purpose) = match (occasion, user.status()) {
        (Occasion::Activation, Status::New) => (&ACTIVATION, "/activation", Purpose::Activation),
        (Occasion::Reset, Status::Activated) => (&RESET, "/password/reset", Purpose::Reset),
        // The link helps whoever forgot, and its hourly limit bounds what strangers can send with this form.
        (Occasion::AlreadyRegistered, Status::Activated) => (&ALREADY_REGISTERED, "/password/reset", Purpose::Reset),
        (Occasion::Activation | Occasion::Reset | Occasion::AlreadyRegistered, _) => return Ok(()),
    };
    let txn = begin(&ctx.db).await?;
    let token = user.mint_link(&txn, purpose).await?;
    txn.commit().await?;
    // Enough mails for this hour.
    let Some(token) = token else { return Ok(()) };
    let parts = ctx.parts();
    let args = mailer::Args {
        from: Some(parts.settings().mailer_from.clone()),
        to: user.email().to_owned(),
        locals: json!({ "link": link(ctx, path, Some(&token)), "login": link(ctx, "/login", None), "site": site_name(ctx) }),
        ..Default::default()
    };
    let sent = Accounts::mail_template_now(ctx, template, args).await;
    if sent.is_err() {
        links::forget(&ctx.db, &token).await?;
    }
    sent
}

fn link(ctx: &AppContext, path: &str, token: Option<&PlainToken>) -> String {
    let mut url = ctx.parts().settings().app_url.clone();
    url.set_path(path);
    if let Some(token) = token {
        url.query_pairs_mut().append_pair("token", token.expose());
    }
    url.into()
}

fn site_name(ctx: &AppContext) -> String {
    ctx.parts().settings().app_url.host_str().unwrap_or("nproxy").to_owned()
}
