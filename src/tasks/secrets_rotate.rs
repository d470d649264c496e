//! Seals everything under the new key.

use loco_rs::prelude::*;
use serde_json::json;

use super::{say, wants_json};
use crate::models::{activities::Actor, vault::rotation};

pub struct SecretsRotate;

#[async_trait]
impl Task for SecretsRotate {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "secrets_rotate".into(),
            detail: "Seal anew under NPROXY_SECRET_KEY what lies sealed under NPROXY_SECRET_KEY_PREVIOUS. \
                     nproxy task secrets_rotate [json:true]"
                .into(),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let rotated = rotation::rotate(ctx, &Actor::Cli).await?;
        if wants_json(vars) {
            say(json!(rotated));
        } else {
            rotated.closed.iter().for_each(|row| say(format_args!("{row}: no key that is set opens it")));
            say(format_args!("{} sealed anew, {} were so already", rotated.sealed, rotated.were_new));
        }
        match rotated.closed.len() {
            0 => Ok(()),
            n => Err(Error::Message(format!("{n} secrets do not open: is NPROXY_SECRET_KEY_PREVIOUS the key before?"))),
        }
    }
}
