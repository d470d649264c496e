//! Offers and models: one file, loaded and checked at start. Prices live only there.

use std::{collections::HashSet, path::Path};

use loco_rs::{Error, Result};
use serde::{Deserialize, Serialize};

use super::generations::Mode;

/// Widths and heights that the vendors draw, as the form offers them.
pub const ASPECT_RATIOS: [&str; 5] = ["1:1", "4:3", "3:4", "16:9", "9:16"];

const RESOLUTIONS: [&str; 4] = ["512", "1k", "2k", "4k"];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    pub trial: Trial,
    pub offers: Vec<Offer>,
    pub models: Vec<ImageModel>,
}

/// What everybody gets once, when the account is activated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    pub generations: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    pub code: String,
    pub kind: OfferKind,
    /// Minor units of `currency`.
    pub price: i64,
    pub currency: String,
    /// Pictures a month; subscriptions only.
    #[serde(default)]
    pub requests: Option<i64>,
    /// Tokens bought; token offers only.
    #[serde(default)]
    pub tokens: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferKind {
    Subscription,
    Tokens,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageModel {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub provider: String,
    /// The vendor's id; retired by vendors, so it is data.
    pub wire_model: String,
    /// Price of one picture when tokens pay.
    pub tokens: i64,
    /// What one picture costs us at the vendor, millionths of a US dollar; taken off the balance of its key.
    #[serde(default)]
    pub cost_micros: Option<i64>,
    pub modes: Vec<Mode>,
    pub resolutions: Vec<String>,
    pub max_batch: i64,
    #[serde(default)]
    pub default: bool,
}

impl Catalogue {
    /// # Errors
    /// Names the file and the line or entry that is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|e| Error::Message(format!("catalogue {}: {e}", path.display())))?;
        Self::parse(&text).map_err(|e| Error::Message(format!("catalogue {}: {e}", path.display())))
    }

    /// # Errors
    /// One sentence that names what is wrong.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let catalogue: Self = serde_norway::from_str(text).map_err(|e| e.to_string())?;
        catalogue.check()?;
        Ok(catalogue)
    }

    /// The model that the form starts with.
    #[must_use]
    #[expect(clippy::expect_used, reason = "check() refuses a catalogue without exactly one default")]
    pub fn default_model(&self) -> &ImageModel {
        self.models.iter().find(|m| m.default).expect("one default model")
    }

    #[must_use]
    pub fn model(&self, id: &str) -> Option<&ImageModel> {
        self.models.iter().find(|m| m.id == id)
    }

    /// What one picture of a vendor's model costs us, millionths of a US dollar.
    #[must_use]
    pub fn cost_micros(&self, provider: &str, wire_model: &str) -> Option<i64> {
        self.models.iter().find(|m| m.provider == provider && m.wire_model == wire_model)?.cost_micros
    }

    /// The most that a picture of this vendor can cost us.
    #[must_use]
    pub fn dearest_micros(&self, provider: &str) -> Option<i64> {
        self.models.iter().filter(|m| m.provider == provider).filter_map(|m| m.cost_micros).max()
    }

    /// The one plan on sale.
    #[must_use]
    #[expect(clippy::expect_used, reason = "check() refuses a catalogue without exactly one subscription")]
    pub fn plan(&self) -> &Offer {
        self.offers.iter().find(|o| o.kind == OfferKind::Subscription).expect("one plan")
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.trial.generations < 0 {
            return Err(format!("trial: generations is {}, it cannot be negative", self.trial.generations));
        }
        no_twins("offer code", self.offers.iter().map(|o| o.code.as_str()))?;
        no_twins("model id", self.models.iter().map(|m| m.id.as_str()))?;
        for offer in &self.offers {
            offer.check().map_err(|e| format!("offer {}: {e}", offer.code))?;
        }
        for model in &self.models {
            model.check().map_err(|e| format!("model {}: {e}", model.id))?;
        }
        exactly_one(
            "offer of kind subscription",
            self.offers.iter().filter(|o| o.kind == OfferKind::Subscription).count(),
        )?;
        exactly_one("model with default: true", self.models.iter().filter(|m| m.default).count())
    }
}

impl Offer {
    fn check(&self) -> std::result::Result<(), String> {
        if self.price <= 0 {
            return Err(format!("price is {}, it must be above zero (minor units)", self.price));
        }
        if self.currency.len() != 3 || !self.currency.chars().all(|c| c.is_ascii_uppercase()) {
            return Err(format!("currency {:?} is not a three-letter code", self.currency));
        }
        match (self.kind, self.requests, self.tokens) {
            (OfferKind::Subscription, Some(n), None) | (OfferKind::Tokens, None, Some(n)) if n > 0 => Ok(()),
            (OfferKind::Subscription, ..) => Err("a subscription has `requests` above zero and no `tokens`".into()),
            (OfferKind::Tokens, ..) => Err("a token offer has `tokens` above zero and no `requests`".into()),
        }
    }

    /// `$9.99`, or `9.99 EUR` for what has no sign here.
    #[must_use]
    pub fn price_words(&self) -> String {
        money(self.price, &self.currency)
    }
}

/// `$9.99`, or `9.99 EUR` for what has no sign here.
#[must_use]
pub fn money(minor: i64, currency: &str) -> String {
    let (whole, cents) = (minor / 100, minor % 100);
    match currency {
        "USD" => format!("${whole}.{cents:02}"),
        other => format!("{whole}.{cents:02} {other}"),
    }
}

impl ImageModel {
    fn check(&self) -> std::result::Result<(), String> {
        if self.kind != "image" {
            return Err(format!("kind {:?} is not known; this release has `image`", self.kind));
        }
        if self.provider != "gemini" {
            return Err(format!("provider {:?} is not known; this release has `gemini`", self.provider));
        }
        if self.wire_model.is_empty() || self.wire_model.contains(['/', ':', '?', ' ']) {
            return Err(format!("wire_model {:?} cannot stand in a path", self.wire_model));
        }
        if self.tokens <= 0 || self.max_batch <= 0 {
            return Err("tokens and max_batch must be above zero".into());
        }
        if self.cost_micros.is_some_and(|cost| cost <= 0) {
            return Err("cost_micros must be above zero (millionths of a dollar), or left out".into());
        }
        if self.modes.is_empty() || self.resolutions.is_empty() {
            return Err("modes and resolutions need at least one entry".into());
        }
        match self.resolutions.iter().find(|r| !RESOLUTIONS.contains(&r.as_str())) {
            Some(unknown) => Err(format!("resolution {unknown:?} is not one of {}", RESOLUTIONS.join(", "))),
            None => Ok(()),
        }
    }
}

fn no_twins<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> std::result::Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("{what} {name:?} stands twice"));
        }
    }
    Ok(())
}

fn exactly_one(what: &str, count: usize) -> std::result::Result<(), String> {
    if count == 1 { Ok(()) } else { Err(format!("exactly one {what} is needed, found {count}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../config/catalogue.yaml");

    #[test]
    fn the_shipped_catalogue_is_good() {
        let catalogue = Catalogue::parse(GOOD).unwrap();
        assert_eq!(catalogue.default_model().id, "nano_banana");
        assert_eq!(catalogue.plan().price_words(), "$9.99");
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (from, to, named) in [
            ("price: 999", "price: 0", "offer monthly: price is 0"),
            ("price: 999", "prise: 999", "unknown field `prise`"),
            ("code: small", "code: medium", "offer code \"medium\" stands twice"),
            ("tokens: 10000", "requests: 10", "offer small: a token offer"),
            ("[1k, 2k]", "[1k, 3k]", "model nano_banana: resolution \"3k\""),
            ("default: true", "default: false", "exactly one model with default: true is needed, found 0"),
            ("kind: subscription", "kind: gift", "unknown variant `gift`"),
            ("cost_micros: 33600", "cost_micros: 0", "model nano_banana: cost_micros must be above zero"),
            ("provider: gemini", "provider: acme", "provider \"acme\" is not known"),
        ] {
            let error = Catalogue::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(named), "{from} → {to}: {error}");
        }
        let broken = Catalogue::parse("trial: { generations: 3 }\noffers:\n  - { code: [ }\n").unwrap_err();
        assert!(broken.contains("line 3"), "{broken}");
    }
}
