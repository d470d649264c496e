//! Addresses and networks, as a setting lists them.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, de};

/// `10.0.0.0/8, 127.0.0.1, fd00::/8`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u32)>);

impl Networks {
    /// # Errors
    /// Names the part that is neither an address nor a network.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| one(part).ok_or_else(|| format!("{part:?} is not an address or a network")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    #[must_use]
    pub fn hold(&self, ip: IpAddr) -> bool {
        let (bits, width) = bits(ip.to_canonical());
        self.0.iter().any(|(network, length)| {
            let (network, network_width) = self::bits(*network);
            let beside = width - (*length).min(width);
            network_width == width && (beside == 128 || (bits ^ network) >> beside == 0)
        })
    }
}

/// An address of IPv4 as it is, and of IPv6 the first of the /64 that one customer has to himself.
#[must_use]
pub fn customer_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(|e| de::Error::custom(format!("TRUSTED_PROXIES: {e}")))
    }
}

fn one(part: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = part.split_once('/').map_or((part, None), |(address, length)| (address, Some(length)));
    let address = address.parse::<IpAddr>().ok()?;
    let (_, width) = bits(address);
    let length = length.map_or(Some(width), |length| length.parse().ok())?;
    (length <= width).then_some((address, length))
}

/// The address as a number, and how many bits that has.
fn bits(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        let networks = Networks::parse("10.0.0.0/8, 192.0.2.1,fd00::/8").unwrap();
        for (ip, is_in) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("fd12::1", true),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", true),
            ("::1", false),
        ] {
            assert_eq!(networks.hold(ip.parse().unwrap()), is_in, "{ip}");
        }
        let everybody = Networks::parse("0.0.0.0/0,::/0").unwrap();
        assert!(everybody.hold("8.8.8.8".parse().unwrap()) && everybody.hold("2001:db8::1".parse().unwrap()));
        assert!(!Networks::parse("").unwrap().hold("127.0.0.1".parse().unwrap()));
        for wrong in ["proxy.example", "10.0.0.0/33", "10.0.0.0/x", "::1/129"] {
            assert!(Networks::parse(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
