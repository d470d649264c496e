use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use url::Url;

use super::{Evidence, ProxyUrl};

/// By which way an answer came, which decides how far its status is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Direct,
    /// Plain `http://` handed to an HTTP proxy: the proxy can answer in the vendor's place.
    Proxied,
    /// Through CONNECT or SOCKS: the proxy only carries bytes.
    Tunnelled,
}

/// Why a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Deadline,
    Broken,
    TooLong,
}

/// An HTTP answer, with everything that sorting it depends on.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// `Some` if `body` is only the beginning.
    pub cut: Option<Cut>,
    pub route: Route,
    /// When it arrived: dates and daily resets are counted from here.
    pub now: DateTime<Utc>,
    /// What no [`Evidence`] may repeat: the key, the proxy's password, the prompt.
    pub private: &'a [&'a str],
}

/// What came back; owns what an [`Answer`] borrows.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) cut: Option<Cut>,
    pub(super) route: Route,
    pub(super) now: DateTime<Utc>,
}

impl Reply {
    pub(super) fn answer<'a>(&'a self, private: &'a [&'a str]) -> Answer<'a> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
            cut: self.cut,
            route: self.route,
            now: self.now,
            private,
        }
    }
}

impl Answer<'_> {
    pub(super) fn evidence(&self, detail: &str) -> Evidence {
        Evidence::new(Some(self.status), detail, self.private)
    }
}

impl Route {
    /// The way a call to `url` goes.
    #[must_use]
    pub fn of(url: &Url, proxy: Option<&ProxyUrl>) -> Self {
        match proxy {
            None => Self::Direct,
            Some(proxy) if url.scheme() == "http" && !proxy.is_socks() => Self::Proxied,
            Some(_) => Self::Tunnelled,
        }
    }
}

impl Cut {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "the deadline passed in the middle of the answer",
            Self::Broken => "the connection broke in the middle of the answer",
            Self::TooLong => "the answer is longer than any picture we accept",
        }
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body", &format_args!("<{} bytes>", self.body.len()))
            .field("cut", &self.cut)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
