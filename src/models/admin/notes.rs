//! Notes on the pages of what they are about.

use loco_rs::{Result, app::AppContext};

use super::description::{Cell, Field, Input, Kind, Outcome, Section};
use crate::models::{
    activities::Actor,
    notes::{self, TEXT_MAX},
};

const SHOWN: u64 = 10;

pub(super) async fn section(ctx: &AppContext, kind: &str, id: i64) -> Result<Section> {
    let notes = notes::about(&ctx.db, kind, id, SHOWN).await?;
    let rows = notes.into_iter().map(|it| vec![Cell::text(it.text), Cell::text(it.actor), Cell::Moment(it.created_at)]);
    Ok(Section::table("notes", "Notes", vec!["Note", "By", "When"], rows.collect(), "Nobody wrote anything down."))
}

pub(super) fn fields() -> Vec<Field> {
    let hint =
        "Operators read it. It cannot be changed, and stays when the account is deleted: no names, no addresses.";
    vec![Field::new("text", "Note", Kind::Text).hint(hint)]
}

pub(super) async fn write(ctx: &AppContext, about: (&str, i64), input: &Input, actor: &Actor) -> Result<Outcome> {
    let text = input.text("text");
    if text.chars().count() > TEXT_MAX {
        return Ok(Outcome::invalid("text", "At most 2,000 characters."));
    }
    notes::write(ctx, about, text, actor).await?;
    Ok(Outcome::Done)
}
