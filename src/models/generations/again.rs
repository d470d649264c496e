//! The same wish once more: what is missing of it, or all of it anew. Both pass what `submit` passes.

use loco_rs::{Result, app::AppContext};
use sea_orm::ConnectionTrait;

use super::{Ask, Faults, Launch, Mode, Model, Params, Plan, Submission, launch, sources, submit};
use crate::{
    context::Nproxy,
    models::{_entities::users, assets, begin, runs, text},
};

const SOURCE_GONE: &str = "The picture this started from was deleted. Nothing was charged. Start from another one.";
const MODEL_GONE: &str = "This model is not on offer any more. Nothing was charged. Choose another one.";

/// A new run, with its own hold, for the pictures that the runs before did not bring. `number` is the run that the person
/// saw as the next one, so that pressing twice starts one: it is `Repeated` when there is such a run already, when one is
/// under way, and when nothing is missing.
///
/// # Errors
/// The database does not answer.
pub async fn retry(ctx: &AppContext, user: &users::Model, generation: Model, number: i64) -> Result<Submission> {
    let txn = begin(&ctx.db).await?;
    let Some(conversation) = generation.conversation(&txn).await? else { return Ok(Submission::Gone) };
    let before = runs::of_generations(&txn, vec![generation.id]).await?;
    let params = generation.params()?;
    let missing = runs::missing(&before, params.batch_size);
    let is_next = before.last().is_some_and(|newest| newest.is_final() && number == newest.number + 1);
    if !is_next || missing == 0 {
        return Ok(Submission::Repeated { conversation, generation });
    }
    let plan = match generation.plan(ctx, &txn, Params { batch_size: missing, ..params }).await? {
        Ok(plan) => plan,
        Err(faults) => return Ok(Submission::Invalid(faults)),
    };
    let job = match launch(ctx, &txn, user, &generation, &plan, number).await? {
        Launch::Queued(job) => job,
        Launch::Taken => return Ok(Submission::Repeated { conversation, generation }),
        Launch::Refused(submission) => return Ok(submission),
    };
    if !conversation.touch(&txn).await? {
        return Ok(Submission::Gone);
    }
    txn.commit().await?;
    ctx.parts().jobs().hint(&[job]).await;
    Ok(Submission::Accepted { conversation, generation })
}

/// A new generation with the prompt, the settings and the picture of an earlier one, in the same conversation.
///
/// # Errors
/// The database does not answer.
pub async fn repeat(
    ctx: &AppContext,
    user: &users::Model,
    generation: &Model,
    client_token: String,
) -> Result<Submission> {
    let Some(conversation) = generation.conversation(&ctx.db).await? else { return Ok(Submission::Gone) };
    let source = generation.source(&ctx.db).await?;
    if generation.mode() == Mode::ImageToImage && source.is_none() {
        return Ok(Submission::Invalid(Faults(vec![("image", SOURCE_GONE.into())])));
    }
    let params = generation.params()?;
    let ask = Ask {
        mode: text(generation.mode()),
        prompt: generation.prompt.clone(),
        model: generation.model.clone(),
        resolution: params.resolution,
        aspect_ratio: params.aspect_ratio,
        batch_size: params.batch_size.to_string(),
        strength: params.strength.map(|strength| strength.to_string()).unwrap_or_default(),
        input: source.map(|asset| asset.pid.to_string()).unwrap_or_default(),
        client_token,
        ..Ask::default()
    };
    submit(ctx, user, Some(conversation), ask).await
}

impl Model {
    /// The picture it works on, unless that was deleted.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn source(&self, db: &impl ConnectionTrait) -> Result<Option<assets::Model>> {
        let found = sources(db, std::slice::from_ref(self)).await?.into_iter().next();
        Ok(found.map(|(_, asset)| asset).filter(|asset| asset.deleted_at.is_none()))
    }

    /// The wish as it can be carried out today.
    async fn plan(
        &self,
        ctx: &AppContext,
        db: &impl ConnectionTrait,
        params: Params,
    ) -> Result<std::result::Result<Plan, Faults>> {
        let mode = self.mode();
        let parts = ctx.parts();
        let Some(model) = parts.catalogue().model(&self.model).filter(|model| model.modes.contains(&mode)).cloned()
        else {
            return Ok(Err(Faults(vec![("model", MODEL_GONE.into())])));
        };
        let source = self.source(db).await?;
        if mode == Mode::ImageToImage && source.is_none() {
            return Ok(Err(Faults(vec![("image", SOURCE_GONE.into())])));
        }
        let (prompt, client_token) = (self.prompt.clone(), self.client_token.clone());
        Ok(Ok(Plan { mode, prompt, model, params, source, client_token }))
    }
}
