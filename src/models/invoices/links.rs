//! Links to one invoice that work without signing in: for mails, other devices, other people who pay.

use loco_rs::{Error, Result, app::AppContext};
use uuid::Uuid;

use super::Model;
use crate::{context::Nproxy, models::tokens};

const PURPOSE: &str = "invoice-link";

/// The address of an invoice's page for whoever holds it.
///
/// # Errors
/// The application's own address is none.
pub fn link(ctx: &AppContext, invoice: &Model) -> Result<String> {
    let token = tokens::seal(&key(ctx), invoice.pid);
    let url = ctx.parts().settings().app_url.join(&format!("/pay/{token}"));
    url.map(Into::into).map_err(Error::wrap)
}

/// The invoice that a token opens; none for one that was not made here.
#[must_use]
pub fn of_link(ctx: &AppContext, token: &str) -> Option<Uuid> {
    tokens::unseal(&ctx.parts().settings().derived_keys(PURPOSE), token)
}

fn key(ctx: &AppContext) -> [u8; 32] {
    ctx.parts().settings().derived_key(PURPOSE)
}
