//! The SMTP side: as much of RFC 5321 as mail clients use.

use std::{io, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::{MailBox, SmtpFault};

const MAX_MESSAGE_BYTES: usize = 10 * 1024 * 1024;
const MAX_LINE_BYTES: usize = 64 * 1024;
const MAX_RECIPIENTS: usize = 100;
const MAX_SESSIONS: usize = 200;
/// As long as RFC 5321 asks a server to wait for the next command.
const PATIENCE: Duration = Duration::from_secs(300);

/// Accepts sessions until the host ends.
pub(crate) async fn serve(listener: TcpListener, mailbox: MailBox) {
    let sessions = Arc::new(Semaphore::new(MAX_SESSIONS));
    loop {
        let Ok(place) = sessions.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let mailbox = mailbox.clone();
                tokio::spawn(async move {
                    if let Err(error) = Session::new(stream, mailbox).run().await {
                        tracing::debug!(%error, "sandbox SMTP session ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "sandbox cannot accept mail connections");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

struct Session {
    wire: BufStream<TcpStream>,
    mailbox: MailBox,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// What follows a command.
enum Next {
    More,
    Close,
}

impl Session {
    fn new(stream: TcpStream, mailbox: MailBox) -> Self {
        Self { wire: BufStream::new(stream), mailbox, greeted: false, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        match self.mailbox.fault() {
            Some(SmtpFault::Refuse421) => return self.say("421 sandbox Service not available, closing channel").await,
            Some(SmtpFault::Hang) => {
                // Reads on, so that the client's leaving is noticed.
                let mut nowhere = [0; 1024];
                while self.wire.read(&mut nowhere).await? > 0 {}
                return Ok(());
            }
            Some(SmtpFault::Reject550 | SmtpFault::Drop | SmtpFault::Unsaid) | None => {}
        }
        self.say("220 sandbox ESMTP ready").await?;
        while let Some(line) = self.line().await? {
            if let Next::Close = self.obey(&line).await? {
                break;
            }
        }
        Ok(())
    }

    async fn obey(&mut self, line: &str) -> io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.greeted = true;
                self.reset();
                let size = format!("250-SIZE {MAX_MESSAGE_BYTES}");
                let lines =
                    ["250-sandbox", &size, "250-8BITMIME", "250-SMTPUTF8", "250-PIPELINING", "250 AUTH PLAIN LOGIN"];
                self.say(&lines.join("\r\n")).await?;
            }
            "HELO" => {
                self.greeted = true;
                self.reset();
                self.say("250 sandbox").await?;
            }
            "AUTH" => self.auth(rest).await?,
            "MAIL" => self.mail(rest).await?,
            "RCPT" => self.rcpt(rest).await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.reset();
                self.say("250 2.0.0 OK").await?;
            }
            "NOOP" => self.say("250 2.0.0 OK").await?,
            "VRFY" => self.say("252 2.1.5 Cannot verify, but will accept").await?,
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(Next::Close);
            }
            "STARTTLS" => self.say("454 4.7.0 TLS not available").await?,
            _ => self.say("500 5.5.2 Command not recognized").await?,
        }
        Ok(Next::More)
    }

    /// Whatever name and password: this is a stand-in. But nobody is called nothing.
    async fn auth(&mut self, how: &str) -> io::Result<()> {
        let mut words = how.split_whitespace().map(str::to_owned);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let said = words.next();
        let name = match mechanism.as_str() {
            "PLAIN" => {
                let plain = decoded(&self.answer(said, "334 ").await?);
                plain.split(|byte| *byte == 0).nth(1).unwrap_or_default().to_owned()
            }
            "LOGIN" => {
                let name = decoded(&self.answer(said, "334 VXNlcm5hbWU6").await?);
                self.answer(None, "334 UGFzc3dvcmQ6").await?;
                name
            }
            _ => return self.say("504 5.5.4 Mechanism not supported").await,
        };
        if name.is_empty() {
            return self.say("535 5.7.8 Authentication credentials invalid").await;
        }
        self.say("235 2.7.0 Authentication successful").await
    }

    /// What was said along with the command, or is answered to this.
    async fn answer(&mut self, said: Option<String>, question: &str) -> io::Result<String> {
        if let Some(said) = said {
            return Ok(said);
        }
        self.say(question).await?;
        Ok(self.line().await?.unwrap_or_default())
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        if !self.greeted {
            return self.say("503 5.5.1 Say EHLO first").await;
        }
        if self.from.is_some() {
            return self.say("503 5.5.1 Sender already given").await;
        }
        let Some((address, options)) = path(rest, "FROM:") else {
            return self.say("501 5.5.4 Syntax: MAIL FROM:<address>").await;
        };
        let size = options.to_ascii_uppercase().split_whitespace().find_map(|o| o.strip_prefix("SIZE=")?.parse().ok());
        if size.unwrap_or(0) > MAX_MESSAGE_BYTES {
            return self.say("552 5.3.4 Message too big").await;
        }
        self.from = Some(address);
        self.say("250 2.1.0 OK").await
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.say("503 5.5.1 MAIL first").await;
        }
        let Some((address, _)) = path(rest, "TO:").filter(|(address, _)| !address.is_empty()) else {
            return self.say("501 5.5.4 Syntax: RCPT TO:<address>").await;
        };
        if self.mailbox.fault() == Some(SmtpFault::Reject550) {
            return self.say("550 5.1.1 Mailbox unavailable").await;
        }
        if self.to.len() >= MAX_RECIPIENTS {
            return self.say("452 4.5.3 Too many recipients").await;
        }
        self.to.push(address);
        self.say("250 2.1.5 OK").await
    }

    async fn data(&mut self) -> io::Result<Next> {
        if self.to.is_empty() {
            self.say("503 5.5.1 RCPT first").await?;
            return Ok(Next::More);
        }
        self.say("354 End data with <CR><LF>.<CR><LF>").await?;
        let mut message = Vec::new();
        let mut too_big = false;
        loop {
            let Some(line) = read_line(&mut self.wire).await? else {
                return Ok(Next::Close);
            };
            let body = line.strip_suffix(b"\n").unwrap_or(&line);
            let body = body.strip_suffix(b"\r").unwrap_or(body);
            if body == b"." {
                break;
            }
            // Dot-stuffing: a leading dot was doubled by the sender.
            let body = body.strip_prefix(b".").unwrap_or(body);
            too_big |= message.len() + body.len() + 2 > MAX_MESSAGE_BYTES;
            if !too_big {
                message.extend_from_slice(body);
                message.extend_from_slice(b"\r\n");
            }
        }
        if self.mailbox.fault() == Some(SmtpFault::Drop) {
            return Ok(Next::Close);
        }
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if too_big {
            self.say("552 5.3.4 Message too big").await?;
        } else {
            let id = self.mailbox.receive(from, to, Bytes::from(message));
            if self.mailbox.fault() == Some(SmtpFault::Unsaid) {
                return Ok(Next::Close);
            }
            self.say(&format!("250 2.0.0 OK: queued as {id}")).await?;
        }
        Ok(Next::More)
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.wire.write_all(reply.as_bytes()).await?;
        self.wire.write_all(b"\r\n").await?;
        self.wire.flush().await
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let line = read_line(&mut self.wire).await?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

/// A line with its end; nothing when the client left or fell asleep.
async fn read_line(wire: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = wire.take(MAX_LINE_BYTES as u64);
    match timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await {
        Ok(Ok(0)) | Err(_) => Ok(None),
        Ok(Ok(_)) => Ok(Some(line)),
        Ok(Err(error)) => Err(error),
    }
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}

/// The address in `FROM:<address> OPTIONS` and the options.
fn path<'a>(rest: &'a str, label: &str) -> Option<(String, &'a str)> {
    let rest = rest.trim_start();
    let (head, tail) = rest.split_at_checked(label.len())?;
    if !head.eq_ignore_ascii_case(label) {
        return None;
    }
    let tail = tail.trim_start();
    match tail.strip_prefix('<') {
        Some(inner) => inner.split_once('>').map(|(address, options)| (address.trim().to_owned(), options)),
        None => {
            let (address, options) = tail.split_once(' ').unwrap_or((tail, ""));
            (!address.is_empty()).then(|| (address.to_owned(), options))
        }
    }
}
