//! Google Tag Manager, and what pages may load with and without it.

use serde::{Deserialize, Deserializer, de};

/// Where the container and what it brings come from, and where it reports to.
const CONTAINER: &str = "https://www.googletagmanager.com";
const REPORTS: &str = "https://www.google-analytics.com https://*.google-analytics.com https://*.analytics.google.com";

/// The name of a container, like `GTM-AB12CD3`; empty = none. It stands in an address, so nothing else is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtmId(String);

impl GtmId {
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// Empty when there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for GtmId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_name = |rest: &str| {
            (4..=12).contains(&rest.len()) && rest.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        };
        if text.is_empty() || text.strip_prefix("GTM-").is_some_and(is_name) {
            return Ok(Self(text));
        }
        Err(de::Error::custom(format!("{text:?} is not a container's name; GTM_ID looks like GTM-AB12CD3")))
    }
}

/// Only this site, and with a container exactly its hosts.
pub(super) fn policy(gtm: &GtmId) -> String {
    let (script, image, report) = if gtm.is_set() {
        (format!(" {CONTAINER}"), format!(" {CONTAINER} {REPORTS}"), format!(" {CONTAINER} {REPORTS}"))
    } else {
        (String::new(), String::new(), String::new())
    };
    format!(
        "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self' data: blob:{image}; \
         media-src 'self'; font-src 'self'; connect-src 'self'{report}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'; object-src 'none'; manifest-src 'self'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_containers_name_is_taken() {
        let read = |text: &str| serde_json::from_value::<GtmId>(serde_json::json!(text));
        assert_eq!(read("").unwrap(), GtmId::default());
        assert_eq!(read("GTM-AB12CD3").unwrap().as_str(), "GTM-AB12CD3");
        for wrong in ["UA-1234-5", "GTM-", "GTM-ab12cd3", "GTM-AB12\"><script>", "GTM-AB12CD3; script-src *"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_container_no_other_host_is_named() {
        assert!(!policy(&GtmId::default()).contains("http"));
        let with = policy(&GtmId("GTM-AB12CD3".into()));
        assert!(with.contains("script-src 'self' https://www.googletagmanager.com;") && !with.contains("unsafe"));
    }
}
