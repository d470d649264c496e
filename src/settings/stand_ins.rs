//! The sandbox takes the place of whatever is left empty while it is on. A real address or key never meets it.

use serde::Deserialize;
use serde_json::{Value, json};

/// Stand-ins for the outside world, on loopback.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    pub on: bool,
    /// Production refuses the sandbox without this.
    #[serde(default)]
    pub allow: bool,
    pub port: u16,
    pub smtp_port: u16,
}

impl Sandbox {
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}

/// Writes the sandbox's own settings where there are none, if it is on.
pub(super) fn fill_in(tree: &mut Value) {
    let url = (tree["sandbox"]["on"] == true).then(|| format!("http://127.0.0.1:{}", tree["sandbox"]["port"]));
    for_providers(tree, url.as_deref());
    if let Some(url) = url {
        for (name, ours) in
            [("btcpay", sandbox::btcpay::settings(&url)), ("nowpayments", sandbox::nowpayments::settings(&url))]
        {
            fill(&mut tree["payments"][name], ours);
        }
        fill(&mut tree["telegram"], sandbox::telegram::settings(&url));
        // It stands where no stranger could send us.
        fill(&mut tree["push"], json!({ "service_url": url }));
    }
}

/// A whole branch counts: of two keys of one processor both are real, or none.
fn fill(branch: &mut Value, ours: Value) {
    if branch.as_object().is_none_or(|it| it.values().all(|it| it == "")) {
        *branch = ours;
    }
}

/// Without the sandbox an address that is left empty means the vendor's own.
fn for_providers(tree: &mut Value, url: Option<&str>) {
    if let Some(gemini) = tree["images"]["gemini"].as_object_mut()
        && gemini.get("base_url").is_some_and(|url| url == "")
    {
        match url {
            Some(url) => drop(gemini.insert("base_url".into(), url.into())),
            None => drop(gemini.remove("base_url")),
        }
    }
}
