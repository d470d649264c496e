//! Which addresses a stranger may send us to: names of the public net, over TLS. What a name means is looked at when the
//! connection is made, so that no name leads to one machine when it is checked and to another when it is used.

use std::{
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use url::Host;

use crate::settings::Networks;

/// What is no machine of the public net, by IANA's registries of special purposes.
const PRIVATE: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, \
    192.0.2.0/24, 192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, 198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/4, 240.0.0.0/4, \
    2001::/23, 2001:db8::/32, 2002::/16, 3fff::/20";
/// Of IPv6 only this much is in use for machines that everybody can reach.
const GLOBAL: &str = "2000::/3";

#[expect(clippy::expect_used, reason = "constants above; a test reads them")]
static NETWORKS: LazyLock<(Networks, Networks)> =
    LazyLock::new(|| (Networks::parse(PRIVATE).expect("PRIVATE"), Networks::parse(GLOBAL).expect("GLOBAL")));

fn is_public(ip: IpAddr) -> bool {
    let (private, global) = &*NETWORKS;
    let ip = ip.to_canonical();
    !private.hold(ip) && (ip.is_ipv4() || global.hold(ip))
}

/// Push services are called by name, at the usual door.
pub(super) fn may_be_asked(endpoint: &Url) -> bool {
    let is_named = match endpoint.host() {
        Some(Host::Domain(name)) => name.contains('.') && !name.ends_with('.') && !name.ends_with(".localhost"),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => false,
    };
    let is_plain = endpoint.username().is_empty() && endpoint.password().is_none() && endpoint.port().is_none();
    endpoint.scheme() == "https" && is_named && is_plain
}

/// Looks names up, and forgets what is not public.
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["8.8.8.8", "142.250.74.138", "172.32.0.1", "2a00:1450:4001:80b::200a", "2600:1901::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn only_names_over_tls_are_asked() {
        for asked in ["https://fcm.googleapis.com/fcm/send/x:y", "https://push.example.com:443/a?b=c"] {
            assert!(may_be_asked(&asked.parse().unwrap()), "{asked}");
        }
        for refused in [
            "http://push.example.com/a",
            "https://push.example.com:8443/a",
            "https://localhost/a",
            "https://a.localhost/a",
            "https://redis/a",
            "https://127.0.0.1/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://[::1]/a",
            "https://8.8.8.8/a",
            "https://me@push.example.com/a",
            "file:///etc/passwd",
            "gopher://push.example.com/a",
        ] {
            assert!(!may_be_asked(&refused.parse().unwrap()), "{refused}");
        }
    }

    /// A name that leads home is refused when the connection is made, whatever it said before.
    #[tokio::test]
    async fn a_name_that_leads_home_leads_nowhere() {
        assert!(Names.resolve("localhost".parse().unwrap()).await.is_err());
    }
}
