//! The fields of a form, and what it sent.

use std::fmt;

use secrecy::SecretString;

/// A field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    pub value: String,
    pub hint: &'static str,
    pub is_optional: bool,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Line,
    Text,
    Number,
    /// Never shown again, also not to who has just typed it wrong.
    Secret,
    /// Several secrets, one a line.
    Secrets,
    /// `(value, label)`
    Choice(Vec<(String, String)>),
    /// Carried along.
    Hidden,
}

/// What a form sent. Its values may be secrets, so it shows none.
#[derive(Default, Clone)]
pub struct Input(Vec<(String, String)>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What forms carry besides the fields of what is done.
const EVERYWHERE: [&str; 5] = ["noun", "id", "wish", "reason", "confirm"];

impl Input {
    #[must_use]
    pub const fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Empty when it was not sent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    #[must_use]
    pub fn secret(&self, name: &str) -> SecretString {
        self.text(name).to_owned().into()
    }

    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }

    /// Is there a field that belongs neither to these nor to every form?
    #[must_use]
    pub fn has_strangers(&self, fields: &[Field]) -> bool {
        self.0.iter().any(|(name, _)| !EVERYWHERE.contains(&&**name) && fields.iter().all(|field| field.name != name))
    }

    /// Why it is done.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text("reason")
    }

    /// The rows that were chosen.
    #[must_use]
    pub fn ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.0.iter().filter(|(name, _)| name == "id").filter_map(|(_, value)| value.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Field {
    #[must_use]
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, kind, value: String::new(), hint: "", is_optional: false }
    }

    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Secrets)
    }
}
