//! A wish as it arrives, and what is wrong with it.

use loco_rs::{Result, app::AppContext};
use serde_json::json;
use uuid::Uuid;

use super::{Mode, Params};
use crate::{
    context::Nproxy,
    models::{
        _entities::users,
        assets::{self, picture, upload::Upload},
        catalogue::{ASPECT_RATIOS, ImageModel},
        holds::Cost,
        tokens::sha256,
    },
};

pub const PROMPT_MAX: usize = 4000;

/// How far a picture may be changed unless the person says otherwise.
pub const DEFAULT_STRENGTH: f32 = 0.6;

const CLIENT_TOKEN_MAX: usize = 64;

/// A wish, field by field as a form or a JSON body carries it; absent fields are empty.
#[derive(Debug, Default, Clone)]
pub struct Ask {
    pub mode: String,
    pub prompt: String,
    pub model: String,
    pub resolution: String,
    pub aspect_ratio: String,
    pub batch_size: String,
    pub strength: String,
    /// The pid of an earlier picture of one's own.
    pub input: String,
    /// A file chosen now; wins over `input`. Once it is taken in, it stands there.
    pub image: Option<Upload>,
    /// What is wrong with that file.
    pub image_fault: Option<&'static str>,
    pub client_token: String,
}

/// What is wrong: `(form field, sentence)`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<(&'static str, String)>);

impl Faults {
    fn add(&mut self, field: &'static str, text: impl Into<String>) {
        self.0.push((field, text.into()));
    }

    #[must_use]
    pub fn of(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == field).map_or("", |(_, text)| text)
    }
}

/// A wish that can be carried out.
#[derive(Debug)]
pub struct Plan {
    pub mode: Mode,
    pub prompt: String,
    pub model: ImageModel,
    pub params: Params,
    pub source: Option<assets::Model>,
    pub client_token: String,
}

impl Plan {
    #[must_use]
    pub const fn cost(&self) -> Cost {
        Cost { outputs: self.params.batch_size, tokens_each: self.model.tokens }
    }

    /// Tells two wishes under one `client_token` apart. An upload is compared by its pixels.
    #[must_use]
    pub fn hash(&self) -> String {
        let source = self.source.as_ref().map(|asset| &asset.sha256);
        sha256(json!([self.mode, self.prompt, self.model.id, self.params, source]).to_string().as_bytes())
    }
}

impl Ask {
    /// Takes in the file that came along, whatever else may be wrong with the wish: from then on it is `input`, and can be
    /// offered again with a wish that is refused.
    ///
    /// # Errors
    /// The store or the database does not answer.
    pub async fn take_image(&mut self, ctx: &AppContext, user: &users::Model) -> Result<()> {
        if self.mode == "text_to_image" {
            return Ok(());
        }
        let taken = match self.image.take() {
            None => return Ok(()),
            Some(Upload::Several) => Err("Choose one picture to start from. Nothing was charged."),
            Some(Upload::File(file)) => assets::take_upload(ctx, user, file).await?.map_err(upload_fault),
        };
        match taken {
            Ok(asset) => self.input = asset.pid.to_string(),
            Err(fault) => self.image_fault = Some(fault),
        }
        Ok(())
    }

    /// How many it asks for; one unless it says another number.
    #[must_use]
    pub fn pictures(&self) -> i64 {
        self.batch_size.parse().unwrap_or(1)
    }

    pub(super) async fn check(
        mut self,
        ctx: &AppContext,
        user: &users::Model,
    ) -> Result<std::result::Result<Plan, Faults>> {
        self.take_image(ctx, user).await?;
        let mut faults = Faults::default();
        let parts = ctx.parts();
        let catalogue = parts.catalogue();
        let model = if self.model.is_empty() { Some(catalogue.default_model()) } else { catalogue.model(&self.model) };
        let Some(model) = model.cloned() else {
            faults.add("model", "This model is not on offer.");
            return Ok(Err(faults));
        };
        let prompt = self.prompt.trim().to_owned();
        if prompt.is_empty() {
            faults.add("prompt", "Say what you would like to see.");
        } else if prompt.chars().count() > PROMPT_MAX {
            faults.add("prompt", format!("Keep the prompt under {PROMPT_MAX} characters."));
        }
        if self.client_token.is_empty() || self.client_token.len() > CLIENT_TOKEN_MAX {
            faults.add("base", "This form is incomplete. Reload the page and send it again; nothing was charged.");
        }
        if let Some(fault) = self.image_fault {
            faults.add("image", fault);
        }
        let gives_picture = self.image.is_some() || self.image_fault.is_some() || !self.input.is_empty();
        let mode = match self.mode.as_str() {
            "text_to_image" => Some(Mode::TextToImage),
            "image_to_image" => Some(Mode::ImageToImage),
            "" if gives_picture => Some(Mode::ImageToImage),
            "" => Some(Mode::TextToImage),
            _ => None,
        }
        .filter(|mode| model.modes.contains(mode));
        if mode.is_none() {
            faults.add("mode", "This model does not work that way.");
        }
        let params = self.params(&model, mode, &mut faults);
        let source = if faults.0.is_empty() { self.source(ctx, user, mode, &mut faults).await? } else { None };
        let (Some(mode), true) = (mode, faults.0.is_empty()) else { return Ok(Err(faults)) };
        Ok(Ok(Plan { mode, prompt, model, params, source, client_token: self.client_token }))
    }

    fn params(&self, model: &ImageModel, mode: Option<Mode>, faults: &mut Faults) -> Params {
        let resolution =
            if self.resolution.is_empty() { model.resolutions[0].clone() } else { self.resolution.to_lowercase() };
        if !model.resolutions.contains(&resolution) {
            faults.add("resolution", format!("Choose one of {}.", model.resolutions.join(", ")));
        }
        let aspect_ratio = if self.aspect_ratio.is_empty() { "1:1" } else { &self.aspect_ratio };
        if !ASPECT_RATIOS.contains(&aspect_ratio) {
            faults.add("aspect_ratio", format!("Choose one of {}.", ASPECT_RATIOS.join(", ")));
        }
        let batch_size = if self.batch_size.is_empty() { Ok(1) } else { self.batch_size.parse::<i64>() };
        let batch_size = batch_size.ok().filter(|n| (1..=model.max_batch).contains(n)).unwrap_or_else(|| {
            faults.add("batch_size", format!("Choose from 1 to {} pictures.", model.max_batch));
            1
        });
        Params { resolution, aspect_ratio: aspect_ratio.to_owned(), batch_size, strength: self.strength(mode, faults) }
    }

    fn strength(&self, mode: Option<Mode>, faults: &mut Faults) -> Option<f32> {
        match (mode, self.strength.trim()) {
            (Some(Mode::ImageToImage), "") => Some(DEFAULT_STRENGTH),
            (Some(Mode::ImageToImage), text) => {
                let strength = text.parse::<f32>().ok().filter(|s| (0.0..=1.0).contains(s));
                if strength.is_none() {
                    faults.add("strength", "Choose a strength from 0 to 1.");
                }
                strength
            }
            (_, "") => None,
            _ => {
                faults.add("strength", "Strength goes with a picture to start from.");
                None
            }
        }
    }

    async fn source(
        &self,
        ctx: &AppContext,
        user: &users::Model,
        mode: Option<Mode>,
        faults: &mut Faults,
    ) -> Result<Option<assets::Model>> {
        if mode != Some(Mode::ImageToImage) {
            if self.image.is_some() || !self.input.is_empty() {
                faults.add("image", "A picture goes with “start from a picture”.");
            }
            return Ok(None);
        }
        let found = match self.input.parse::<Uuid>() {
            Ok(pid) => assets::choose(&ctx.db, user, pid).await?,
            Err(_) => None,
        };
        if found.is_none() {
            faults.add("image", "Choose a picture to start from.");
        }
        Ok(found)
    }
}

fn upload_fault(fault: picture::Fault) -> &'static str {
    match fault {
        picture::Fault::NotAPicture => {
            "This file is not a picture we can read. Use PNG, JPEG or WebP up to 20 MB. Nothing was charged."
        }
        picture::Fault::TooManyBytes => "This file is larger than 20 MB. Nothing was charged.",
        picture::Fault::TooManyPixels => "This picture has more than 40 megapixels. Nothing was charged.",
        picture::Fault::Unwieldy => {
            "This picture is packed so that reading it takes too much. Save it as an ordinary PNG or JPEG and choose it again. Nothing was charged."
        }
    }
}
