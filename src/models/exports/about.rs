//! What is in an archive: the names of its files, and with everything the file that says what is what.

use std::collections::{BTreeMap, HashSet};

use loco_rs::{Error, Result};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use crate::models::{
    _entities::{conversations, generations, invoices, outputs, runs, users},
    assets,
};

/// Names that are used once, by asset.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
    by_asset: BTreeMap<i64, (String, bool)>,
    /// Of what could not be read.
    left_out: Vec<String>,
}

impl Names {
    /// `pictures/…`, or `uploads/…` for what nobody wrote a prompt for.
    pub fn of(&mut self, asset: &assets::Model, prompt: Option<&str>) -> String {
        let path = self.unused(asset, prompt);
        self.by_asset.insert(asset.id, (path.clone(), asset.favorite));
        path
    }

    /// A picture that could not be read, under the name that it would have had.
    pub fn leave_out(&mut self, asset: &assets::Model, prompt: Option<&str>) {
        let path = self.unused(asset, prompt);
        self.left_out.push(path);
    }

    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    fn unused(&mut self, asset: &assets::Model, prompt: Option<&str>) -> String {
        let folder = if asset.is_upload() { "uploads" } else { "pictures" };
        let name = asset.file_name(prompt.unwrap_or_default());
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, "bin"));
        let mut path = format!("{folder}/{name}");
        let mut count = 1;
        while !self.taken.insert(path.clone()) {
            count += 1;
            path = format!("{folder}/{stem}-{count}.{ending}");
        }
        path
    }
}

/// What whoever opens the archive misses in it, in plain words.
pub fn readme(names: &Names) -> String {
    format!(
        "These could not be read when this archive was packed, and are not in it:\n\n{}\n",
        names.left_out.join("\n")
    )
}

/// The account, its conversations with every prompt and what came of it, and its invoices, as JSON.
pub async fn everything(db: &impl ConnectionTrait, user: &users::Model, names: &Names) -> Result<String> {
    let threads = conversations::Entity::find()
        .filter(conversations::Column::UserId.eq(user.id))
        .filter(conversations::Column::DeletedAt.is_null())
        .order_by_asc(conversations::Column::Id)
        .all(db)
        .await?;
    let mut conversations = Vec::new();
    for thread in threads {
        let turns = generations::Entity::find()
            .filter(generations::Column::ConversationId.eq(thread.id))
            .order_by_asc(generations::Column::Id)
            .all(db)
            .await?;
        let mut prompts = Vec::new();
        for turn in turns {
            prompts.push(prompt(db, &turn, names).await?);
        }
        conversations.push(json!({ "title": thread.title, "began": thread.created_at, "prompts": prompts }));
    }
    let bills = invoices::Entity::find()
        .filter(invoices::Column::UserId.eq(user.id))
        .order_by_asc(invoices::Column::Id)
        .all(db)
        .await?;
    let invoices: Vec<_> = bills
        .iter()
        .map(|bill| {
            json!({
                "number": bill.pid, "created": bill.created_at, "state": bill.state, "price_minor": bill.price_minor,
                "currency": bill.currency, "paid": bill.paid_at, "processor": bill.processor,
            })
        })
        .collect();
    let all = json!({
        "account": { "email": user.email, "since": user.created_at, "billed_to": user.billed_to },
        "conversations": conversations,
        "invoices": invoices,
        "left_out": names.left_out,
    });
    serde_json::to_string_pretty(&all).map_err(Error::wrap)
}

async fn prompt(db: &impl ConnectionTrait, turn: &generations::Model, names: &Names) -> Result<Value> {
    let made = outputs::Entity::find()
        .inner_join(runs::Entity)
        .filter(runs::Column::GenerationId.eq(turn.id))
        .filter(outputs::Column::AssetId.is_not_null())
        .order_by_asc(outputs::Column::Id)
        .all(db)
        .await?;
    let files = made.iter().filter_map(|place| names.by_asset.get(&place.asset_id?));
    let pictures: Vec<_> = files.map(|(file, favorite)| json!({ "file": file, "favorite": favorite })).collect();
    Ok(json!({
        "asked": turn.created_at, "prompt": turn.prompt, "model": turn.model, "mode": turn.mode,
        "settings": turn.params, "pictures": pictures,
    }))
}
