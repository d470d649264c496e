//! Builds the landing into a folder of files, for a web server that knows nothing of the application.

use std::path::Path;

use loco_rs::prelude::*;

use super::{optional, say};
use crate::{context::Nproxy, models::landing::Landing};

const USAGE: &str = "nproxy task landing_build [out:FOLDER]";
const OUT: &str = "landing/dist";

pub struct LandingBuild;

#[async_trait]
impl Task for LandingBuild {
    fn task(&self) -> TaskInfo {
        TaskInfo { name: "landing_build".into(), detail: format!("Write the landing into {OUT}, or out:. {USAGE}") }
    }

    async fn run(&self, ctx: &AppContext, vars: &task::Vars) -> Result<()> {
        let (home, out) = (Path::new("."), optional(vars, "out").unwrap_or(OUT));
        let parts = ctx.parts();
        let landing = Landing::open(home)?;
        let pages = landing.build(home, parts.settings(), Path::new(out))?;
        say(format_args!("{} pages in {out}: {}", pages.len(), pages.join(", ")));
        if parts.settings().support_bot_url.is_empty() {
            say("SUPPORT_BOT_URL is not set: the pages lead to no support");
        }
        Ok(())
    }
}
