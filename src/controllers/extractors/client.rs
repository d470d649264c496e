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

use crate::{context::Nproxy, models::sessions::Client, settings::Networks};

impl FromRequestParts<AppContext> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, ctx: &AppContext) -> Result<Self, Infallible> {
        let peer =
            parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
        // A proxy may add a line of its own instead of lengthening the one that came: read them as one list.
        let lines = parts.headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or("?"));
        let forwarded = lines.collect::<Vec<_>>().join(",");
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Ok(Self {
            ip: behind(peer, &forwarded, &ctx.parts().settings().trusted_proxies),
            user_agent: user_agent.to_owned(),
        })
    }
}

/// The nearest address that is not one of our own proxies; what lies behind it anybody could have written.
fn behind(peer: IpAddr, forwarded: &str, trusted: &Networks) -> IpAddr {
    let mut nearest = peer.to_canonical();
    for hop in forwarded.rsplit(',') {
        if !trusted.hold(nearest) {
            break;
        }
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        nearest = ip.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_hops_are_believed() {
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        let behind = |peer, forwarded, trusted| behind(ip(peer), forwarded, &Networks::parse(trusted).unwrap());
        assert_eq!(behind("203.0.113.9", "198.51.100.7", ""), ip("203.0.113.9"));
        assert_eq!(behind("127.0.0.1", "198.51.100.7", "127.0.0.1"), ip("198.51.100.7"));
        assert_eq!(behind("127.0.0.1", "6.6.6.6, 198.51.100.7", "127.0.0.1"), ip("198.51.100.7"));
        assert_eq!(behind("127.0.0.1", "1.1.1.1, 10.0.0.2", "127.0.0.1, 10.0.0.2"), ip("1.1.1.1"));
        assert_eq!(behind("10.1.2.3", "1.1.1.1, 10.9.9.9", "10.0.0.0/8"), ip("1.1.1.1"));
        assert_eq!(behind("::ffff:10.1.2.3", "1.1.1.1", "10.0.0.0/8"), ip("1.1.1.1"));
        assert_eq!(behind("fd00::5", "2001:db8::7", "fd00::/8"), ip("2001:db8::7"));
        assert_eq!(behind("127.0.0.1", "nonsense", "127.0.0.1"), ip("127.0.0.1"));
        assert_eq!(behind("127.0.0.1", "6.6.6.6, ?", "127.0.0.1"), ip("127.0.0.1"));
    }
}
