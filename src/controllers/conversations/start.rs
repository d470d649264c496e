//! What the composer starts with, as an address says it. An id that is nobody's, or a stranger's, starts with nothing.

use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    controllers::Result,
    models::{
        assets, conversations,
        generations::{self, Ask, Faults},
        users,
    },
    views::composer::Draft,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Start {
    pub prompt: String,
    /// An earlier turn whose prompt and settings stand there again.
    pub from: String,
    /// A picture of one's own to work on.
    pub input: String,
    /// How far from that picture, 0 to 1; otherwise as the turn had it.
    pub strength: String,
    /// The turn before which a page of turns ends.
    pub before: String,
    /// Somebody is about to write while pictures are made: the page must not go away under them.
    pub write: String,
    /// How often the page has looked again by itself, for browsers without JavaScript.
    pub look: u32,
    /// What was done a moment ago.
    pub done: String,
}

impl Start {
    /// Nothing is to be written on this page: it may look again by itself.
    pub fn only_looks(&self) -> bool {
        [&self.prompt, &self.from, &self.input, &self.before, &self.write].iter().all(|it| it.is_empty())
    }

    pub fn flash(&self) -> Value {
        match self.done.as_str() {
            "deleted" => {
                json!({ "tone": "success", "text": "The conversation is deleted. Its pictures are being erased." })
            }
            _ => Value::Null,
        }
    }

    pub async fn draft(
        &self,
        ctx: &AppContext,
        user: &users::Model,
        conversation: Option<&conversations::Model>,
    ) -> Result<Draft> {
        let input = own_picture(ctx, user, &self.input).await?;
        if let Ok(pid) = self.from.parse()
            && let Some(generation) = generations::own(&ctx.db, user, pid).await?
        {
            let source = match input {
                Some(input) => Some(input),
                None => generation.source(&ctx.db).await?,
            };
            let draft = Draft::of_generation(&generation, &generation.params()?, true, source);
            let strength = self.strength.parse().ok().filter(|it| (0.0..=1.0).contains(it));
            return Ok(Draft { strength: strength.or(draft.strength), ..draft });
        }
        // In a conversation the last settings go on.
        if let Some(conversation) = conversation
            && let Some(last) = generations::of_conversation(&ctx.db, conversation, None, 1).await?.first()
        {
            let draft = Draft::of_generation(last, &last.params()?, false, input);
            return Ok(Draft { prompt: self.prompt.clone(), ..draft });
        }
        Ok(Draft { prompt: self.prompt.clone(), input, batch_size: 1, ..Draft::default() })
    }
}

/// What was sent stands in the form again, its picture too.
pub(super) async fn kept(ctx: &AppContext, user: &users::Model, ask: &Ask, faults: Faults) -> Result<Draft> {
    Ok(Draft::of_ask(ask, own_picture(ctx, user, &ask.input).await?, faults))
}

async fn own_picture(ctx: &AppContext, user: &users::Model, pid: &str) -> Result<Option<assets::Model>> {
    match pid.parse() {
        Ok(pid) => Ok(assets::own(&ctx.db, user, pid).await?),
        Err(_) => Ok(None),
    }
}
