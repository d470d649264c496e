//! The mail server, as far as a letter does not need it: does it answer? Letters go through Loco's mailer.

use std::time::Duration;

use loco_rs::config::{MailerTls, SmtpMailer};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a server says first, where it speaks before TLS.
const READY: &[u8] = b"220";

/// Connects, and waits for the greeting where there is one in the clear.
///
/// # Errors
/// What a person reads: nobody listens, nothing is said, or something else than a greeting.
pub async fn greet(server: &SmtpMailer) -> Result<String, String> {
    let place = format!("{}:{}", server.host, server.port);
    let late = || format!("{place} does not answer within {PATIENCE:?}");
    let connected = timeout(PATIENCE, TcpStream::connect((server.host.as_str(), server.port))).await;
    let mut stream = connected.map_err(|_| late())?.map_err(|error| format!("{place}: {error}"))?;
    if matches!(server.tls_mode(), MailerTls::Implicit) {
        return Ok(format!("{place} takes connections"));
    }
    let mut greeting = [0_u8; 3];
    let read = timeout(PATIENCE, stream.read_exact(&mut greeting)).await;
    read.map_err(|_| late())?.map_err(|error| format!("{place} says nothing: {error}"))?;
    if greeting == READY {
        Ok(format!("{place} is ready"))
    } else {
        Err(format!("{place} does not speak as a mail server"))
    }
}
