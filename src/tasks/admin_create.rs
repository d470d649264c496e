//! The first owner, and everybody of the house who has no account yet.

use loco_rs::prelude::*;
use serde_json::json;

use super::{optional, required, roles, say, wants_json};
use crate::{
    context::Nproxy,
    models::{activities::Actor, users},
};

const USAGE: &str = "nproxy task admin_create email:ADDRESS [role:owner|admin|support] [json:true]";

pub struct AdminCreate;

#[async_trait]
impl Task for AdminCreate {
    fn task(&self) -> TaskInfo {
        TaskInfo {
            name: "admin_create".into(),
            detail: format!(
                "Let somebody into the web admin; a new account gets a link to choose its password. {USAGE}"
            ),
        }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let email = required(vars, "email", USAGE)?;
        if !email.contains('@') {
            return Err(Error::Message(format!("email: {email} is no mail address\nusage: {USAGE}")));
        }
        let role = roles::of_the_house(optional(vars, "role").unwrap_or("owner"), USAGE)?;
        let welcome = match users::create_admin(ctx, email, role, &Actor::Cli).await? {
            Ok(welcome) => welcome,
            Err(refused) => return Err(roles::refused(email, &refused)),
        };
        let site = ctx.parts().settings().app_url.clone();
        let site = site.as_str().trim_end_matches('/');
        let link = welcome.link.map(|token| format!("{site}/password/reset?token={}", token.expose()));
        if wants_json(vars) {
            say(json!({ "id": welcome.user.id, "email": email, "role": welcome.user.role, "link": link }));
            return Ok(());
        }
        say(format_args!("{email} is {} at {site}/admin", welcome.user.role));
        if let Some(link) = link {
            say(format_args!("choose a password there, once, within a day:\n{link}"));
        }
        Ok(())
    }
}
