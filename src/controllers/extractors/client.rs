//! Who is at the other end of the wire.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header, request::Parts},
};
use loco_rs::app::AppContext;

use crate::context::Nproxy;

/// Address and browser, as sessions record them.
#[derive(Debug, Clone)]
pub struct Client {
    pub ip: IpAddr,
    pub user_agent: String,
}

impl FromRequestParts<AppContext> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Infallible> {
        let peer =
            parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
        let forwarded = parts.headers.get("x-forwarded-for").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Ok(Self {
            ip: behind(peer, forwarded, &ctx.parts().settings().trusted_proxies),
            user_agent: user_agent.to_owned(),
        })
    }
}

/// The nearest address that is not one of our own proxies; what lies behind it anybody could have written.
fn behind(peer: IpAddr, forwarded: &str, trusted: &str) -> IpAddr {
    let trusts = |ip: IpAddr| trusted.split(',').filter_map(|t| t.trim().parse::<IpAddr>().ok()).any(|t| t == ip);
    let mut nearest = peer;
    for hop in forwarded.rsplit(',') {
        if !trusts(nearest) {
            break;
        }
        let Ok(ip) = hop.trim().parse() else { break };
        nearest = ip;
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn only_trusted_hops_are_believed() {
        let ip = |s: &str| s.parse().unwrap();
        assert_eq!(behind(ip("203.0.113.9"), "198.51.100.7", ""), ip("203.0.113.9"));
        assert_eq!(behind(ip("127.0.0.1"), "198.51.100.7", "127.0.0.1"), ip("198.51.100.7"));
        assert_eq!(behind(ip("127.0.0.1"), "6.6.6.6, 198.51.100.7", "127.0.0.1"), ip("198.51.100.7"));
        assert_eq!(behind(ip("127.0.0.1"), "1.1.1.1, 10.0.0.2", "127.0.0.1, 10.0.0.2"), ip("1.1.1.1"));
        assert_eq!(behind(ip("127.0.0.1"), "nonsense", "127.0.0.1"), ip("127.0.0.1"));
    }
}
