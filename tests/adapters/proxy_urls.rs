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
