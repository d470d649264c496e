//! A browser as cheap as it can be: one connection, one request at a time, nothing kept but the cookie.

use std::io::Read;

use flate2::read::GzDecoder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Result;

/// One connection to the application.
pub struct Wire {
    stream: TcpStream,
    port: u16,
    read: Vec<u8>,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    /// The tag that htmx sends with its next poll.
    pub ptag: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Somebody signed in: the cookie, and the address that the proxy in front tells.
#[derive(Debug, Clone)]
pub struct Browser {
    pub token: String,
    pub address: String,
}

impl Wire {
    pub async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, port, read: Vec::with_capacity(64 * 1024) })
    }

    /// A page, as htmx asks for it when `ptag` or `htmx` is given.
    pub async fn get(&mut self, who: Option<&Browser>, path: &str, ptag: Option<&str>, htmx: bool) -> Result<Answer> {
        let mut head = self.head("GET", who, path);
        if htmx {
            head.push_str("HX-Request: true\r\n");
        }
        if let Some(ptag) = ptag {
            head.push_str(&format!("HX-PTag: {ptag}\r\n"));
        }
        head.push_str("\r\n");
        self.ask(head.as_bytes()).await
    }

    /// A form, as htmx sends it from our own page.
    pub async fn post(&mut self, who: &Browser, path: &str, form: &str) -> Result<Answer> {
        let mut head = self.head("POST", Some(who), path);
        head.push_str(&format!(
            "HX-Request: true\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ));
        self.ask(head.as_bytes()).await
    }

    fn head(&self, method: &str, who: Option<&Browser>, path: &str) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n\
             User-Agent: bench\r\n",
            self.port
        );
        if let Some(who) = who {
            head.push_str(&format!("Cookie: __Host-nproxy={}\r\nX-Forwarded-For: {}\r\n", who.token, who.address));
        }
        head
    }

    async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        let end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end);
        let mut answer = Answer {
            status: head.get(9..12).and_then(|code| code.parse().ok()).ok_or("not an answer of HTTP")?,
            ..Answer::default()
        };
        let (mut length, mut chunked, mut gzip) = (0, false, false);
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "content-encoding" => gzip = value.eq_ignore_ascii_case("gzip"),
                "location" => answer.location = Some(value.to_owned()),
                "hx-ptag" => answer.ptag = Some(value.to_owned()),
                _ => {}
            }
        }
        let body = if chunked { self.chunks().await? } else { self.exactly(length).await? };
        answer.body = if gzip && !body.is_empty() {
            let mut plain = Vec::new();
            GzDecoder::new(body.as_slice()).read_to_end(&mut plain)?;
            plain
        } else {
            body
        };
        Ok(answer)
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.read, b"\r\n") {
                    break at;
                }
                self.more().await?;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.read[..end])?.trim(), 16)?;
            self.read.drain(..end + 2);
            let piece = self.exactly(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&piece[..size]);
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(self.read.drain(..length).collect())
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err("the connection was closed".into());
        }
        Ok(())
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
