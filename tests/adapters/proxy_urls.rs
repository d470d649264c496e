use nproxy::adapters::images::{ProxyUrl, ProxyUrlError};

#[test]
fn what_an_admin_may_type() {
    for (typed, shown) in [
        ("http://ada:secret@proxy.example:3128", "http://ada:***@proxy.example:3128"),
        ("  HTTP://proxy.example:8080/ ", "http://proxy.example:8080"),
        ("http://proxy.example", "http://proxy.example:80"),
        ("socks5://ada:s%40cret@10.0.0.1:1080", "socks5://ada:***@10.0.0.1:1080"),
        ("socks5h://ada@proxy.example:1080", "socks5h://ada@proxy.example:1080"),
        ("socks5://[2001:db8::1]:1080", "socks5://[2001:db8::1]:1080"),
        ("http://:secret@proxy.example:1", "http://:***@proxy.example:1"),
    ] {
        let proxy = ProxyUrl::parse(typed).unwrap_or_else(|error| panic!("{typed}: {error}"));
        assert_eq!(proxy.to_string(), shown);
        assert_eq!(format!("{proxy:?}"), format!("ProxyUrl({shown})"));
    }
}

#[test]
fn what_is_refused_and_why() {
    for (typed, why) in [
        ("", ProxyUrlError::Malformed),
        ("proxy.example:3128", ProxyUrlError::Malformed),
        ("proxy.example:3128:ada:secret", ProxyUrlError::Malformed),
        ("ftp://proxy.example:21", ProxyUrlError::Scheme),
        ("https://proxy.example:443", ProxyUrlError::Scheme),
        ("socks4://proxy.example:1080", ProxyUrlError::Scheme),
        ("http://", ProxyUrlError::Host),
        ("socks5://:1080", ProxyUrlError::Host),
        ("socks5://proxy.example", ProxyUrlError::Port),
        ("http://proxy.example:99999", ProxyUrlError::Malformed),
        ("http://proxy.example:3128/path", ProxyUrlError::Tail),
        ("http://proxy.example:3128?a=b", ProxyUrlError::Tail),
        ("http://ada:sec#ret@proxy.example:3128", ProxyUrlError::Malformed),
    ] {
        assert_eq!(ProxyUrl::parse(typed).unwrap_err(), why, "{typed}");
        assert!(!why.to_string().contains("secret"));
    }
}

/// X37: a private address is known however it is written, and so are names that mean something only here.
#[test]
fn our_own_network_is_known() {
    for host in [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[fd00::1]",
        "[fe80::1]",
        "localhost",
        "LOCALHOST.",
        "redis",
        "db.internal",
        "box.local",
        "a.localhost",
    ] {
        for scheme in ["http", "socks5", "socks5h"] {
            let proxy = ProxyUrl::parse(&format!("{scheme}://ada:secret@{host}:1080")).unwrap();
            assert!(proxy.is_private(), "{proxy}");
        }
    }
    for host in ["proxy.example", "8.8.8.8", "172.32.0.1", "100.128.0.1", "[2001:db8::1]", "local.example"] {
        for scheme in ["http", "socks5", "socks5h"] {
            let proxy = ProxyUrl::parse(&format!("{scheme}://{host}:1080")).unwrap();
            assert!(!proxy.is_private(), "{proxy}");
        }
    }
}
