//! The landing: pages that everybody may read, one template each in `assets/landing`. Built into a folder that any web
//! server shows without the application; where no such server is named, the application shows the same pages itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use loco_rs::{Error, Result};
use tera::{Context, Tera};

use crate::settings::Settings;

const TEMPLATES: &str = "assets/landing";
/// Icons and buttons are the application's.
const COMPONENTS: &str = "assets/views/components.html";
const STATIC: &str = "assets/static";
/// The page at `/`.
pub const FIRST: &str = "index";
/// The page for an address that is none, by the name under which web servers look for it.
const MISSING: &str = "404";

/// What the pages load; folders with everything in them.
const FILES: [&str; 8] =
    ["app.css", "app.js", "favicon.svg", "icons.svg", "site.webmanifest", "icons", "landing", "vendor/lucide-1.62.0"];

pub struct Landing {
    tera: Tera,
    /// By name, without the ending.
    pages: Vec<String>,
}

impl Landing {
    /// Reads the templates below `home`, which is the folder the program was started in.
    ///
    /// # Errors
    /// Names the template that is wrong or cannot be read.
    pub fn open(home: &Path) -> Result<Self> {
        let folder = home.join(TEMPLATES);
        let mut templates = vec![(home.join(COMPONENTS), Some("components.html".to_owned()))];
        let mut pages = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|e| Error::Message(format!("{}: {e}", folder.display())))? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            let Some(page) = name.strip_suffix(".html").filter(|_| path.is_file()) else { continue };
            // A name with an underscore is a part of pages.
            if !page.starts_with('_') {
                pages.push(page.to_owned());
            }
            templates.push((path, Some(name)));
        }
        pages.sort();
        let mut tera = Tera::default();
        tera.add_template_files(templates).map_err(|e| Error::Message(format!("{TEMPLATES}: {e}")))?;
        Ok(Self { tera, pages })
    }

    /// Whether somebody can come to it by its name.
    #[must_use]
    pub fn has(&self, page: &str) -> bool {
        page != MISSING && self.pages.iter().any(|known| known == page)
    }

    /// One page as HTML.
    ///
    /// # Errors
    /// The template is wrong.
    pub fn render(&self, page: &str, settings: &Settings) -> Result<String> {
        let site = serde_json::json!({
            "name": "nproxy",
            "version": env!("CARGO_PKG_VERSION"),
            "support_url": settings.support_bot_url,
            "gtm_id": settings.gtm_id.as_str(),
            "policy": policy_for_pages(&settings.content_security_policy()),
        });
        let mut context = Context::new();
        context.insert("site", &site);
        context.insert("page", page);
        for (name, path) in [("register_url", "/register"), ("login_url", "/login")] {
            context.insert(name, &settings.app_address(path));
        }
        self.tera.render(&format!("{page}.html"), &context).map_err(|e| Error::Message(format!("{page}.html: {e:?}")))
    }

    /// Writes every page and what it loads into `out`, anew; the names of the pages.
    ///
    /// # Errors
    /// A template is wrong, or the folder cannot be written. What was there stays until everything is made.
    pub fn build(&self, home: &Path, settings: &Settings, out: &Path) -> Result<&[String]> {
        let making = beside(out);
        remove(&making)?;
        for page in &self.pages {
            let file = match page.as_str() {
                FIRST | MISSING => making.join(page).with_extension("html"),
                _ => making.join(page).join("index.html"),
            };
            write(&file, self.render(page, settings)?.as_bytes())?;
        }
        for name in FILES {
            copy(&home.join(STATIC).join(name), &making.join("static").join(name))?;
        }
        remove(out)?;
        fs::rename(&making, out)?;
        Ok(&self.pages)
    }
}

/// A page cannot say itself who may show it within another one.
fn policy_for_pages(policy: &str) -> String {
    policy.split("; ").filter(|rule| !rule.starts_with("frame-ancestors")).collect::<Vec<_>>().join("; ")
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".making");
    out.with_file_name(name)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Message(format!("{}: {error}", folder.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(file, bytes)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return write(to, &fs::read(from).map_err(|e| Error::Message(format!("{}: {e}", from.display())))?);
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
