//! What the composer starts with, as an address says it. An id that is nobody's, or a stranger's, starts with nothing.

use loco_rs::app::AppContext;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    controllers::Result,
    models::{
        assets, clock, conversations,
        generations::{self, Ask, Faults},
        users,
    },
    views::{self, composer::Draft},
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
    /// The conversation that was deleted a moment ago.
    pub deleted: String,
}

impl Start {
    /// Nothing is to be written on this page: it may look again by itself.
    pub fn only_looks(&self) -> bool {
        [&self.prompt, &self.from, &self.input, &self.before, &self.write].iter().all(|it| it.is_empty())
    }

    pub fn flash(&self) -> Value {
        match self.done.as_str() {
            "late" => {
                json!({ "tone": "warning", "text": "It was too late to bring the conversation back. It is erased." })
            }
            _ => Value::Null,
        }
    }

    /// What to say of the deletion, and the way back while there is one.
    pub async fn deleted(&self, ctx: &AppContext, user: &users::Model) -> Result<Value> {
        let Ok(pid) = self.deleted.parse() else { return Ok(Value::Null) };
        let now = clock::now(&ctx.db).await?;
        let remains = conversations::own_even_deleted(&ctx.db, user, pid).await?;
        Ok(json!(remains.and_then(|conversation| views::conversations::deleted(&conversation, now))))
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
        // The last settings go on: of the conversation, and on the first screen of whatever was asked last.
        let last = match conversation {
            Some(conversation) => generations::of_conversation(&ctx.db, conversation, None, 1).await?.pop(),
            None => generations::latest_of(&ctx.db, user).await?,
        };
        let draft = match last {
            Some(last) => Draft::of_generation(&last, &last.params()?, false, input),
            None => Draft { input, batch_size: 1, ..Draft::default() },
        };
        Ok(Draft { prompt: self.prompt.clone(), ..draft })
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
