//! Links to one invoice that work without signing in: for mails, other devices, other people who pay.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use loco_rs::{Error, Result, app::AppContext};
use uuid::Uuid;

use super::Model;
use crate::{context::Nproxy, models::tokens::hmac, settings::Settings};

/// The address of an invoice's page for whoever holds it.
///
/// # Errors
/// The application's own address is none.
pub fn link(ctx: &AppContext, invoice: &Model) -> Result<String> {
    let mut token = invoice.pid.as_bytes().to_vec();
    token.extend(seal(ctx.parts().settings(), invoice.pid));
    let url = ctx.parts().settings().app_url.join(&format!("/pay/{}", URL_SAFE_NO_PAD.encode(token)));
    url.map(Into::into).map_err(Error::wrap)
}

/// The invoice that a token opens; none for one that was not made here.
#[must_use]
pub fn of_link(ctx: &AppContext, token: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (pid, sealed) = bytes.split_at_checked(16)?;
    let pid = Uuid::from_slice(pid).ok()?;
    let parts = ctx.parts();
    let settings = parts.settings();
    // Links that went out before the key was changed work as long as the key before is known.
    let is_ours =
        [Some(settings.clone()), settings.before()].into_iter().flatten().any(|it| is_same(&seal(&it, pid), sealed));
    is_ours.then_some(pid)
}

/// In a time that does not depend on where they differ.
fn is_same(expected: &[u8], sealed: &[u8]) -> bool {
    let differs = expected
        .iter()
        .zip(sealed)
        .fold(expected.len() ^ sealed.len(), |differs, (one, two)| differs | usize::from(one ^ two));
    differs == 0
}

fn seal(settings: &Settings, pid: Uuid) -> [u8; 32] {
    hmac(&settings.derived_key("invoice-link"), pid.as_bytes())
}
