//! What a mail server wants that the configuration's template cannot say.

use loco_rs::config::{Config, MailerTls};

use crate::adapters::mail::TLS_FIRST;

/// A server that lets everybody in is not told an empty name, which it would refuse; and one that begins with TLS is met so.
pub fn suit(config: &mut Config) {
    let Some(smtp) = config.mailer.as_mut().and_then(|mailer| mailer.smtp.as_mut()) else { return };
    smtp.auth.take_if(|auth| auth.user.is_empty());
    if smtp.secure && smtp.port == TLS_FIRST {
        smtp.tls = Some(MailerTls::Implicit);
    }
}
