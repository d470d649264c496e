//! Turns of a conversation, and the answer to something that was done to one of them.

use std::collections::BTreeMap;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use loco_rs::app::AppContext;
use serde_json::{Value, json};

use super::{Start, fewer_would_do, full, refusal};
use crate::{
    context::Nproxy,
    controllers::{Error, Result, extractors::PageLater},
    models::{
        assets, clock,
        conversations::{self, TURNS},
        generations::{self, Submission},
        runs, users,
    },
    views::{
        self,
        composer::Draft,
        turns::{self, TurnView},
    },
};

/// Everything that a page of turns shows, in four queries whatever their number, and one more per model under way and per
/// run in line.
pub async fn rows(ctx: &AppContext, generations: Vec<generations::Model>) -> Result<turns::Rows> {
    let ids: Vec<i64> = generations.iter().map(|g| g.id).collect();
    let (runs, places) = runs::with_places(&ctx.db, ids).await?;
    let pictures = assets::by_ids(&ctx.db, places.iter().filter_map(|place| place.asset_id).collect()).await?;
    let sources = generations::sources(&ctx.db, &generations).await?;
    let mut paces = BTreeMap::new();
    for generation in generations.iter().filter(|g| runs.iter().any(|r| r.generation_id == g.id && !r.is_final())) {
        if !paces.contains_key(&generation.model)
            && let Some(pace) = runs::pace(ctx, &generation.model).await?
        {
            paces.insert(generation.model.clone(), pace);
        }
    }
    let mut ahead = BTreeMap::new();
    for run in runs.iter().filter(|run| run.state() == runs::State::Queued) {
        ahead.insert(run.id, runs::ahead(&ctx.db, run).await?);
    }
    Ok(turns::Rows { generations, runs, places, pictures, sources, paces, ahead, now: clock::now(&ctx.db).await? })
}

/// One turn.
pub async fn one(
    ctx: &AppContext,
    conversation: &conversations::Model,
    generation: generations::Model,
) -> Result<TurnView> {
    let rows = rows(ctx, vec![generation]).await?;
    let turns = turns::view(&rows, ctx.parts().catalogue(), &views::conversations::url(conversation));
    turns.into_iter().next().ok_or(Error::NotFound)
}

/// A page of turns, the newest or those before one of them, and the ways from it.
pub(super) async fn some(
    ctx: &AppContext,
    user: &users::Model,
    conversation: &conversations::Model,
    before: &str,
    is_seen: bool,
) -> Result<Value> {
    let before = match before.parse() {
        Ok(pid) => generations::own(&ctx.db, user, pid).await?,
        Err(_) => None,
    };
    let mut shown = generations::of_conversation(&ctx.db, conversation, before.as_ref(), TURNS + 1).await?;
    let is_more = shown.len() as u64 > TURNS;
    if is_more {
        shown.remove(0);
    }
    let url = views::conversations::url(conversation);
    let earlier_url = shown.first().filter(|_| is_more).map(|first| format!("{url}?before={}", first.pid));
    let rows = rows(ctx, shown).await?;
    if is_seen {
        runs::notice(&ctx.db, &rows.runs).await?;
    }
    let turns = turns::view(&rows, ctx.parts().catalogue(), &url);
    let is_live = before.is_none() && turns.iter().any(|turn| !turn.run.is_final);
    Ok(json!({
        "newest_live": turns.last().filter(|_| is_live).map(|turn| turn.anchor.clone()),
        "turns": turns,
        "earlier_url": earlier_url.unwrap_or_default(),
        "newest_url": before.map(|_| url).unwrap_or_default(),
    }))
}

/// Something was done to a turn: htmx gets how its pictures stand and what is left, a browser goes to the turn.
pub async fn answer(ctx: &AppContext, page: PageLater, generation: generations::Model) -> Result<Response> {
    let conversation = generation.conversation(&ctx.db).await?.ok_or(Error::NotFound)?;
    if !page.is_htmx {
        let url = views::conversations::url(&conversation);
        return Ok(Redirect::to(&format!("{url}#turn-{}", generation.pid)).into_response());
    }
    let turn = one(ctx, &conversation, generation).await?;
    let page = page.page(ctx).await?;
    let composer = views::composer::means(ctx.parts().catalogue(), &page.allowance);
    page.html("runs/show.html", json!({ "run": turn.run, "is_moved": true, "composer": composer, "late": "" }))
}

/// What was to be brought back is erased: the turn as it stands, and that it is too late.
pub async fn too_late(
    ctx: &AppContext,
    user: &users::Model,
    page: PageLater,
    generation: generations::Model,
) -> Result<Response> {
    const SAYS: &str = "Too late, the picture is erased.";
    let conversation = generation.conversation(&ctx.db).await?.ok_or(Error::NotFound)?;
    let page = page.page(ctx).await?;
    if !page.is_htmx {
        let draft = Start::default().draft(ctx, user, Some(&conversation)).await?;
        return full(ctx, user, page.saying("warning", SAYS), &conversation, draft, None, StatusCode::GONE).await;
    }
    let turn = one(ctx, &conversation, generation).await?;
    let composer = views::composer::means(ctx.parts().catalogue(), &page.allowance);
    page.html("runs/show.html", json!({ "run": turn.run, "is_moved": false, "composer": composer, "late": SAYS }))
}

/// A wish to try or run again that was not taken: htmx gets the reason beside the turn, so that what is being typed stays.
pub async fn refused(
    ctx: &AppContext,
    user: &users::Model,
    page: PageLater,
    generation: &generations::Model,
    submission: Submission,
) -> Result<Response> {
    let page = page.page(ctx).await?;
    let (status, faults) = refusal(submission, fewer_would_do(&page, generation.params()?.batch_size))?;
    if page.is_htmx {
        let said: Vec<_> = faults.0.iter().map(|(_, text)| text.clone()).collect();
        let plan = (!faults.of("allowance").is_empty()).then(views::composer::see_the_plan);
        let content = json!({ "turn": { "pid": generation.pid }, "said": said.join(" "), "plan": plan });
        return page.with_status(status, "generations/_said.html", content);
    }
    let conversation = generation.conversation(&ctx.db).await?.ok_or(Error::NotFound)?;
    let draft = Start::default().draft(ctx, user, Some(&conversation)).await?;
    full(ctx, user, page, &conversation, Draft { faults, ..draft }, None, status).await
}
