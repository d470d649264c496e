use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use super::glance::{Object, Scalar, shorten};
use crate::adapters::images::Usage;

/// A `GenerateContentResponse`, as much of it as we use. Whatever an answer holds, reading it keeps one picture (a slice
/// of the body) and a few short values in memory: lists are walked, not collected.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reading<'a> {
    #[serde(borrow)]
    candidates: Candidates<'a>,
    #[serde(borrow, alias = "prompt_feedback")]
    prompt_feedback: Object<PromptFeedback<'a>>,
    #[serde(borrow, alias = "usage_metadata")]
    usage_metadata: Object<UsageMetadata<'a>>,
    #[serde(borrow, alias = "model_version")]
    model_version: Scalar<'a>,
    #[serde(borrow, alias = "response_id")]
    response_id: Scalar<'a>,
    error: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PromptFeedback<'a> {
    #[serde(borrow, alias = "block_reason")]
    block_reason: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct UsageMetadata<'a> {
    #[serde(borrow, alias = "prompt_token_count")]
    prompt_token_count: Scalar<'a>,
    #[serde(borrow, alias = "candidates_token_count")]
    candidates_token_count: Scalar<'a>,
    #[serde(borrow, alias = "thoughts_token_count")]
    thoughts_token_count: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Object<Content<'a>>,
    #[serde(borrow, alias = "finish_reason")]
    finish_reason: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Parts<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    thought: Scalar<'a>,
    #[serde(borrow)]
    text: Scalar<'a>,
    #[serde(borrow, alias = "inline_data")]
    inline_data: Object<InlineData<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InlineData<'a> {
    #[serde(borrow)]
    data: Scalar<'a>,
}

/// The first candidate, or the first with a picture. We ask for one and models refuse to make more.
#[derive(Default)]
struct Candidates<'a> {
    listed: bool,
    picture: Option<Cow<'a, str>>,
    has_text: bool,
    finish_reason: Scalar<'a>,
}

/// The last picture that is not a thought: thinking models send their drafts first.
#[derive(Default)]
struct Parts<'a> {
    picture: Option<Cow<'a, str>>,
    has_text: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn picture(&self) -> Option<&str> {
        self.candidates.picture.as_deref()
    }

    pub(super) fn has_text(&self) -> bool {
        self.candidates.has_text
    }

    pub(super) fn finish_reason(&self) -> &Scalar<'a> {
        &self.candidates.finish_reason
    }

    /// Why the prompt was blocked, if it was.
    pub(super) fn block_reason(&self) -> Option<&Scalar<'a>> {
        self.prompt_feedback.0.as_ref().map(|it| &it.block_reason).filter(|it| it.is_present())
    }

    pub(super) fn response_id(&self) -> Option<String> {
        self.response_id.text().map(shorten)
    }

    pub(super) fn usage(&self) -> Usage {
        let Some(counts) = &self.usage_metadata.0 else { return Usage::default() };
        Usage {
            prompt_tokens: counts.prompt_token_count.number(),
            output_tokens: counts.candidates_token_count.number().saturating_add(counts.thoughts_token_count.number()),
        }
    }

    /// Some gateways send errors with a 2xx.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some()
    }

    /// Nobody else answers with these fields.
    pub(super) fn is_vendors(&self) -> bool {
        self.candidates.listed
            || self.prompt_feedback.0.is_some()
            || self.usage_metadata.0.is_some()
            || self.model_version.is_present()
            || self.response_id.is_present()
    }
}

impl<'a> Candidates<'a> {
    fn add(&mut self, candidate: Candidate<'a>) {
        let parts = candidate.content.0.unwrap_or_default().parts;
        if !self.listed || (self.picture.is_none() && parts.picture.is_some()) {
            *self = Self {
                listed: true,
                picture: parts.picture,
                has_text: parts.has_text,
                finish_reason: candidate.finish_reason,
            };
        }
    }
}

impl<'a> Parts<'a> {
    fn add(&mut self, part: Part<'a>) {
        if matches!(part.thought, Scalar::Flag(true)) {
            return;
        }
        self.has_text |= part.text.is_present();
        if let Some(InlineData { data: Scalar::Text(data) }) = part.inline_data.0 {
            self.picture = Some(data);
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Candidates<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk::new(|all: &mut Self, one: Candidate<'a>| all.add(one)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk::new(|all: &mut Self, one: Part<'a>| all.add(one)))
    }
}

/// Folds a list of objects into one value as it is read. `null` is an empty list, and what is no object is skipped.
struct Walk<T, All, Add>(Add, PhantomData<(T, All)>);

impl<T, All, Add: FnMut(&mut All, T)> Walk<T, All, Add> {
    fn new(add: Add) -> Self {
        Self(add, PhantomData)
    }
}

impl<'de, T: Deserialize<'de>, All: Default, Add: FnMut(&mut All, T)> Visitor<'de> for Walk<T, All, Add> {
    type Value = All;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<All, E> {
        Ok(All::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<All, A::Error> {
        let mut all = All::default();
        while let Some(Object(one)) = list.next_element()? {
            if let Some(one) = one {
                (self.0)(&mut all, one);
            }
        }
        Ok(all)
    }
}
