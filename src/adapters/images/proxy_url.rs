use std::{fmt, net::Ipv4Addr, str::FromStr};

use url::{Host, Url};

/// Ends of names that mean something only in one's own network.
const OUR_NAMES: [&str; 5] = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];

/// Where a key's calls leave from: `http://user:pass@host:port`, `socks5://…` (names resolved here) or `socks5h://…`
/// (names resolved by the proxy). Printing it shows no password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl(Url);

/// What an admin reads beside the field. Never repeats what was typed: it holds a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    #[error("write the proxy as http://user:password@host:port, socks5://… or socks5h://…")]
    Malformed,
    #[error("the proxy must begin with http://, socks5:// or socks5h://")]
    Scheme,
    #[error("the proxy has no host")]
    Host,
    #[error("the proxy has no port")]
    Port,
    #[error("nothing may follow the proxy's port; write #, / and ? inside a password as %23, %2F and %3F")]
    Tail,
}

impl ProxyUrl {
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let text = text.trim();
        let (scheme, _) = text.split_once("://").ok_or(ProxyUrlError::Malformed)?;
        if !["http", "socks5", "socks5h"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) {
            return Err(ProxyUrlError::Scheme);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => ProxyUrlError::Host,
            _ => ProxyUrlError::Malformed,
        })?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(ProxyUrlError::Host);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyUrlError::Tail);
        }
        if url.port_or_known_default().is_none() {
            return Err(ProxyUrlError::Port);
        }
        Ok(Self(url))
    }

    #[must_use]
    pub fn is_socks(&self) -> bool {
        self.0.scheme().starts_with("socks")
    }

    /// Does it lie where only our own machines reach it? By what is written, however it is written (`0x7f.1` is loopback);
    /// a name of the public kind may still lead there.
    #[must_use]
    pub fn is_private(&self) -> bool {
        // `socks5://` leaves the host as it was typed.
        match Host::parse(self.0.host_str().unwrap_or_default()) {
            Ok(Host::Ipv4(ip)) => is_private_v4(ip),
            Ok(Host::Ipv6(ip)) => match ip.to_ipv4() {
                Some(ip) => is_private_v4(ip),
                None => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_multicast(),
            },
            Ok(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                !name.contains('.') || OUR_NAMES.iter().any(|end| name.ends_with(end))
            }
            Err(_) => true,
        }
    }

    /// With the password: for the HTTP client alone.
    pub(super) fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// As written in the URL, still percent-encoded.
    pub(super) fn password(&self) -> Option<&str> {
        self.0.password()
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    a == 0 || ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared || a >= 224
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.0.scheme())?;
        match (self.0.username(), self.0.password()) {
            ("", None) => {}
            (user, None) => write!(f, "{user}@")?,
            (user, Some(_)) => write!(f, "{user}:***@")?,
        }
        write!(f, "{}:{}", self.0.host_str().unwrap_or_default(), self.0.port_or_known_default().unwrap_or_default())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}
