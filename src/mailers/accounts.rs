//! Mails about the account. Links are made here, at the moment of sending, and live nowhere but in the mail.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use durable_jobs::current;
use loco_rs::{mailer::EmailHeaders, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    context::Nproxy,
    models::{
        begin,
        tokens::{PlainToken, hex, hmac},
        users::{
            self, Purpose, Status,
            links::{self, Mailing},
        },
    },
};

static ACTIVATION: Dir<'_> = include_dir!("src/mailers/accounts/activation");
static RESET: Dir<'_> = include_dir!("src/mailers/accounts/reset");
static ALREADY_REGISTERED: Dir<'_> = include_dir!("src/mailers/accounts/already_registered");
static EMAIL_CHANGE: Dir<'_> = include_dir!("src/mailers/accounts/email_change");
static EMAIL_LEAVING: Dir<'_> = include_dir!("src/mailers/accounts/email_leaving");
static PASSWORD_CHANGED: Dir<'_> = include_dir!("src/mailers/accounts/password_changed");

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    Activation,
    Reset,
    AlreadyRegistered,
    /// To the new address, which is to be proved.
    EmailChange,
    /// To the address that the account is about to leave.
    EmailLeaving,
    PasswordChanged,
}

/// All that a queue ever holds of a mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    pub user: i64,
    pub occasion: Occasion,
}

pub struct Accounts;
impl Mailer for Accounts {}

/// A mail that is due: what it says, to whom, and the link that it brings.
struct Due {
    template: &'static Dir<'static>,
    to: String,
    link: Option<(&'static str, Purpose)>,
}

/// Writes and sends the mail of an occasion; one that has passed meanwhile sends nothing.
///
/// # Errors
/// The mail server does not take it; the job is tried again.
pub async fn deliver(ctx: &AppContext, user_id: i64, occasion: Occasion) -> Result<()> {
    let Some(user) = users::by_id(&ctx.db, user_id).await? else { return Ok(()) };
    let Some(due) = due(ctx, &user, occasion).await? else { return Ok(()) };
    let Some((path, purpose)) = due.link else {
        let link = link(ctx, "/password/forgot", None);
        return send(ctx, due, link).await;
    };
    let token = token(ctx, &user, purpose, &due.to);
    let txn = begin(&ctx.db).await?;
    let mailing = user.mail_link(&txn, purpose, &due.to, &token).await?;
    txn.commit().await?;
    if mailing == Mailing::Nothing {
        return Ok(());
    }
    let sent = send(ctx, due, link(ctx, path, Some(&token))).await;
    if mailing == Mailing::Fresh && sent.as_ref().is_err_and(is_refusal) {
        links::forget(&ctx.db, &token).await?;
    }
    sent
}

async fn due(ctx: &AppContext, user: &users::Model, occasion: Occasion) -> Result<Option<Due>> {
    let to_owner = |template, link| Some(Due { template, to: user.email().to_owned(), link });
    match (user.status(), occasion) {
        (Status::Activated, _) => {}
        (Status::New, Occasion::Activation) => {
            return Ok(to_owner(&ACTIVATION, Some(("/activation", Purpose::Activation))));
        }
        (Status::New | Status::Blocked, _) => return Ok(None),
    }
    Ok(match occasion {
        Occasion::Activation => None,
        Occasion::Reset => to_owner(&RESET, Some(("/password/reset", Purpose::Reset))),
        // The link helps whoever forgot, and its hourly limit bounds what strangers can send with this form.
        Occasion::AlreadyRegistered => to_owner(&ALREADY_REGISTERED, Some(("/password/reset", Purpose::Reset))),
        Occasion::EmailLeaving => to_owner(&EMAIL_LEAVING, None),
        Occasion::PasswordChanged => to_owner(&PASSWORD_CHANGED, None),
        Occasion::EmailChange => {
            let Some(to) = user.unconfirmed_email.clone() else { return Ok(None) };
            // Whoever has an account under that address is not bothered, and whoever asked learns nothing.
            let holder = users::by_email(&ctx.db, &to).await?;
            let is_free = holder.is_none_or(|holder| holder.status() == Status::New);
            is_free.then_some(Due {
                template: &EMAIL_CHANGE,
                to,
                link: Some(("/email/confirmation", Purpose::EmailChange)),
            })
        }
    })
}

async fn send(ctx: &AppContext, due: Due, link: String) -> Result<()> {
    let args = mailer::Args {
        from: Some(ctx.parts().settings().mailer_from.clone()),
        to: due.to,
        locals: json!({ "link": link, "login": self::link(ctx, "/login", None), "site": site_name(ctx) }),
        headers: Some(EmailHeaders { message_id: message_id(ctx), ..EmailHeaders::default() }),
        ..Default::default()
    };
    Accounts::mail_template_now(ctx, due.template, args).await
}

/// The same for every try of one job. Of a mail that was sent twice a server keeps either one, and its link must be the
/// one that works. Nobody makes it from the job, or from what else lies in the database, without our key.
fn token(ctx: &AppContext, user: &users::Model, purpose: Purpose, to: &str) -> PlainToken {
    let Some(job) = current() else { return PlainToken::mint() };
    let key = ctx.parts().settings().derived_key("mailed-link");
    // Numbers of jobs come again in a database that was brought back; then at least nobody has the link of somebody else.
    let place = json!([job.id, user.id, purpose, to]).to_string();
    PlainToken::received(&URL_SAFE_NO_PAD.encode(hmac(&key, place.as_bytes())))
}

/// The server said that it does not take the mail. Where it said nothing, the mail may have arrived, and its link is to
/// work.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Smtp(error) if error.status().is_some())
}

/// The same for every try of one job: a mail server that took the first one without saying so knows the second again.
pub(super) fn message_id(ctx: &AppContext) -> Option<String> {
    let job = current()?;
    let key = ctx.parts().settings().derived_key("message-id");
    let name = hex(&hmac(&key, &job.id.to_be_bytes())[..16]);
    Some(format!("<{name}@{}>", site_name(ctx)))
}

pub(super) fn link(ctx: &AppContext, path: &str, token: Option<&PlainToken>) -> String {
    let mut url = ctx.parts().settings().app_url.clone();
    url.set_path(path);
    if let Some(token) = token {
        url.query_pairs_mut().append_pair("token", token.expose());
    }
    url.into()
}

pub(super) fn site_name(ctx: &AppContext) -> String {
    ctx.parts().settings().app_url.host_str().unwrap_or("nproxy").to_owned()
}
