//! The studio: conversations and what stands in them.

mod generations;

use axum::{
    extract::{DefaultBodyLimit, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loco_rs::{app::AppContext, controller::Routes};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Result,
    extractors::{AskForm, CurrentUser, OwnConversation, Page},
};
use crate::{
    context::Nproxy,
    models::{
        self,
        assets::{self, picture::UPLOAD_MAX_BYTES},
        conversations,
        generations::{Ask, Faults, Submission},
        outputs, runs, users,
    },
    views::{self, composer::Draft, turns},
};

/// Turns that a conversation opens with.
const TURNS: u64 = 50;

/// More than any file we take: what is read and dropped behind the limit of a file can still be answered in the form,
/// with the words kept.
const BODY_MAX: usize = 4 * UPLOAD_MAX_BYTES;

/// What the composer is to start with.
#[derive(Debug, Default, Deserialize)]
struct Start {
    #[serde(default)]
    prompt: String,
    /// An earlier turn whose prompt and settings stand there again.
    from: Option<Uuid>,
    /// A picture of one's own to work on.
    input: Option<Uuid>,
    /// How often the page has loaded itself anew, for browsers without JavaScript.
    #[serde(default)]
    look: u32,
}

async fn index(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    Query(start): Query<Start>,
) -> Result<Response> {
    let draft = start.draft(&ctx, &user, None).await?;
    blank(&ctx, &user, page, draft, StatusCode::OK).await
}

/// The first prompt opens the conversation.
async fn create(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    page: Page,
    AskForm(mut ask): AskForm,
) -> Result<Response> {
    ask.take_image(&ctx, &user).await?;
    match models::generations::submit(&ctx, &user, None, ask.clone()).await? {
        Submission::Accepted { conversation, .. } | Submission::Repeated { conversation, .. } => {
            Ok(Redirect::to(&views::conversations::url(&conversation)).into_response())
        }
        refused => {
            let (status, faults) = refusal(refused);
            let draft = kept(&ctx, &user, &ask, faults).await?;
            blank(&ctx, &user, page, draft, status).await
        }
    }
}

async fn show(
    State(ctx): State<AppContext>,
    CurrentUser(user): CurrentUser,
    OwnConversation(conversation): OwnConversation,
    page: Page,
    Query(start): Query<Start>,
) -> Result<Response> {
    let draft = start.draft(&ctx, &user, Some(&conversation)).await?;
    full(&ctx, &user, page, &conversation, draft, Some(start), StatusCode::OK).await
}

/// The first screen: nothing but the composer and what it could be asked.
async fn blank(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    draft: Draft,
    status: StatusCode,
) -> Result<Response> {
    let content = composer(ctx, &page, None, draft);
    page.with_sidebar(ctx, user, None).await?.with_status(status, "conversations/index.html", content)
}

/// Without a `start` the page does not load itself anew: somebody has to read what it says first.
async fn full(
    ctx: &AppContext,
    user: &users::Model,
    page: Page,
    conversation: &conversations::Model,
    draft: Draft,
    start: Option<Start>,
    status: StatusCode,
) -> Result<Response> {
    let generations = models::generations::of_conversation(&ctx.db, conversation, TURNS).await?;
    let rows = rows(ctx, generations).await?;
    let turns = turns::view(&rows, ctx.parts().catalogue(), &views::conversations::url(conversation));
    let mut content = composer(ctx, &page, Some(conversation), draft);
    let is_live = turns.iter().any(|turn| !turn.run.is_final);
    if let (true, Some(start), Some(newest)) = (is_live, start, turns.last()) {
        content["refresh_url"] = json!(start.again(&views::conversations::url(conversation), &newest.anchor));
    }
    content["turns"] = json!(turns);
    let page = page.with_sidebar(ctx, user, Some(conversation)).await?;
    let response = page.with_status(status, "conversations/show.html", content)?;
    Ok(([(header::VARY, "HX-Request")], response).into_response())
}

fn composer(ctx: &AppContext, page: &Page, conversation: Option<&conversations::Model>, draft: Draft) -> Value {
    let url = conversation.map_or_else(|| "/app/conversations".to_owned(), views::conversations::url);
    let action = if conversation.is_some() { format!("{url}/generations") } else { url.clone() };
    let shown = conversation.map(|c| json!({ "pid": c.pid, "title": c.title, "url": url }));
    let composer = views::composer::view(draft, ctx.parts().catalogue(), &page.allowance, action, &url);
    json!({ "composer": composer, "conversation": shown, "turns": [], "refresh_url": "" })
}

/// Everything that a page of turns shows, in five queries whatever their number.
async fn rows(ctx: &AppContext, generations: Vec<models::generations::Model>) -> Result<turns::Rows> {
    let ids: Vec<i64> = generations.iter().map(|g| g.id).collect();
    let runs = runs::newest_of(&ctx.db, ids.clone()).await?;
    let places = outputs::of_runs(&ctx.db, runs.iter().map(|run| run.id).collect()).await?;
    let pictures = assets::by_ids(&ctx.db, places.iter().filter_map(|place| place.asset_id).collect()).await?;
    let sources = models::generations::sources(&ctx.db, ids).await?;
    Ok(turns::Rows { generations, runs, places, pictures, sources })
}

fn refusal(submission: Submission) -> (StatusCode, Faults) {
    let says = |status, field, text: &str| (status, Faults(vec![(field, text.to_owned())]));
    let base = |status, text| says(status, "base", text);
    match submission {
        Submission::Invalid(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        Submission::Short => says(
            StatusCode::PAYMENT_REQUIRED,
            "allowance",
            "What you have left does not cover this. Nothing was charged. Ask for fewer pictures, or:",
        ),
        Submission::InDebt => says(
            StatusCode::PAYMENT_REQUIRED,
            "allowance",
            "A plan of yours was refunded after part of it was used, so nothing new can start yet. Nothing was charged. \
             Your next plan pays for that part first:",
        ),
        Submission::TokenReused => base(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This form was sent before with other words. Nothing was charged. Send it again now.",
        ),
        Submission::TooMany => base(
            StatusCode::TOO_MANY_REQUESTS,
            "You have many pictures under way. Nothing was charged. Wait for one to finish and send this again.",
        ),
        Submission::Barred => {
            base(StatusCode::FORBIDDEN, "Your account cannot start pictures any more. Nothing was charged.")
        }
        Submission::Accepted { .. } | Submission::Repeated { .. } => (StatusCode::OK, Faults::default()),
    }
}

/// What was sent stands in the form again, its picture too.
async fn kept(ctx: &AppContext, user: &users::Model, ask: &Ask, faults: Faults) -> Result<Draft> {
    let input = match ask.input.parse() {
        Ok(pid) => assets::own(&ctx.db, user, pid).await?,
        Err(_) => None,
    };
    Ok(Draft::of_ask(ask, input, faults))
}

impl Start {
    /// The same page once more, at its newest turn. The count makes it another address: to a place in the address it
    /// already shows, a browser only scrolls.
    fn again(&self, url: &str, anchor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("look", &self.look.wrapping_add(1).to_string());
        if !self.prompt.is_empty() {
            query.append_pair("prompt", &self.prompt);
        }
        for (name, pid) in [("from", self.from), ("input", self.input)] {
            if let Some(pid) = pid {
                query.append_pair(name, &pid.to_string());
            }
        }
        format!("{url}?{}#{anchor}", query.finish())
    }

    async fn draft(
        &self,
        ctx: &AppContext,
        user: &users::Model,
        conversation: Option<&conversations::Model>,
    ) -> Result<Draft> {
        let input = match self.input {
            Some(pid) => assets::own(&ctx.db, user, pid).await?,
            None => None,
        };
        if let Some(pid) = self.from
            && let Some(generation) = models::generations::own(&ctx.db, user, pid).await?
        {
            let source = models::generations::sources(&ctx.db, vec![generation.id])
                .await?
                .into_iter()
                .next()
                .map(|(_, asset)| asset);
            return Ok(Draft::of_generation(&generation, &generation.params()?, true, input.or(source)));
        }
        // In a conversation the last settings go on.
        if let Some(conversation) = conversation
            && let Some(last) = models::generations::of_conversation(&ctx.db, conversation, 1).await?.first()
        {
            let draft = Draft::of_generation(last, &last.params()?, false, input);
            return Ok(Draft { prompt: self.prompt.clone(), ..draft });
        }
        Ok(Draft { prompt: self.prompt.clone(), input, batch_size: 1, ..Draft::default() })
    }
}

pub fn routes() -> Routes {
    Routes::new()
        .add("/app/conversations", get(index).post(create).layer(DefaultBodyLimit::max(BODY_MAX)))
        .add("/app/conversations/{pid}", get(show))
        .add("/app/conversations/{pid}/generations", post(generations::create).layer(DefaultBodyLimit::max(BODY_MAX)))
}
