//! Somebody with an account at Telegram.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelegramPerson {
    pub id: i64,
    pub first_name: Cow<'static, str>,
    #[serde(default)]
    pub username: Option<Cow<'static, str>>,
}

/// Who stands on the page from the beginning.
pub const ANN: TelegramPerson =
    TelegramPerson { id: 42, first_name: Cow::Borrowed("Ann"), username: Some(Cow::Borrowed("ann")) };

impl TelegramPerson {
    pub fn new(id: i64, first_name: &str, username: Option<&str>) -> Self {
        Self {
            id,
            first_name: Cow::Owned(first_name.to_owned()),
            username: username.map(|it| Cow::Owned(it.to_owned())),
        }
    }

    pub(super) fn user(&self) -> Value {
        let mut user = json!({"id": self.id, "is_bot": false, "first_name": self.first_name, "language_code": "en"});
        if let Some(name) = &self.username {
            user["username"] = json!(name);
        }
        user
    }

    pub(super) fn chat(&self) -> Value {
        let mut chat = json!({"id": self.id, "type": "private", "first_name": self.first_name});
        if let Some(name) = &self.username {
            chat["username"] = json!(name);
        }
        chat
    }
}
