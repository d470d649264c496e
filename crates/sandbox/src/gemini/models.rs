//! Which models the stand-in serves, and the pixel sizes they answer with.

/// One model id and what it can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// Accepted `imageSize` values; none for a text model.
    pub(crate) sizes: &'static [&'static str],
    pub(crate) mime: &'static str,
    /// Reference images accepted in one request.
    pub(crate) references: usize,
    /// Whether the banner ratios 1:4 … 8:1 are known.
    pub(crate) banners: bool,
}

const ONE: &[&str] = &["1K"];
const THREE: &[&str] = &["1K", "2K", "4K"];
const FOUR: &[&str] = &["512", "1K", "2K", "4K"];

const IMAGE_MODELS: &[Model] = &[
    Model {
        id: "gemini-nano-banana-2.1",
        name: "Nano Banana 2.1",
        sizes: FOUR,
        mime: "image/jpeg",
        references: 14,
        banners: true,
    },
    Model {
        id: "gemini-3-pro-image",
        name: "Nano Banana Pro",
        sizes: THREE,
        mime: "image/jpeg",
        references: 14,
        banners: true,
    },
    Model {
        id: "gemini-3.1-flash-lite-image",
        name: "Nano Banana 2 Lite",
        sizes: ONE,
        mime: "image/jpeg",
        references: 14,
        banners: true,
    },
    Model {
        id: "gemini-2.5-flash-image",
        name: "Nano Banana",
        sizes: ONE,
        mime: "image/png",
        references: 3,
        banners: false,
    },
];

/// Text models shown by the list; any other `gemini-` or `gemma-` text id answers as well.
const TEXT_MODELS: &[(&str, &str)] = &[
    ("gemini-3-pro", "Gemini 3 Pro"),
    ("gemini-3-flash", "Gemini 3 Flash"),
    ("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite"),
    ("gemini-2.5-flash", "Gemini 2.5 Flash"),
    ("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite"),
];

/// Beginnings of text model ids that the vendor has shut down.
const RETIRED: &[&str] = &["gemini-1.", "gemini-2.0", "gemini-pro"];

impl Model {
    /// The model of this id, or nothing when it is unknown or retired.
    pub(crate) fn find(id: &str) -> Option<Self> {
        if id.contains("image") || id.contains("banana") {
            return IMAGE_MODELS.iter().find(|model| model.id == id).copied();
        }
        let known = id.starts_with("gemini-") || id.starts_with("gemma-");
        let retired = RETIRED.iter().any(|gone| id.starts_with(gone));
        (known && !retired).then_some(Self {
            id: "",
            name: "",
            sizes: &[],
            mime: "text/plain",
            references: 14,
            banners: false,
        })
    }

    /// Id and display name of every model in the list.
    pub(crate) fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
        IMAGE_MODELS.iter().map(|model| (model.id, model.name)).chain(TEXT_MODELS.iter().copied())
    }

    pub(crate) fn draws(&self) -> bool {
        !self.sizes.is_empty()
    }
}

/// Pixels at 1K, as the vendor answers them: not exact ratios but multiples the model likes.
const RATIOS: &[(&str, u32, u32)] = &[
    ("1:1", 1024, 1024),
    ("2:3", 848, 1264),
    ("3:2", 1264, 848),
    ("3:4", 896, 1200),
    ("4:3", 1200, 896),
    ("4:5", 928, 1152),
    ("5:4", 1152, 928),
    ("9:16", 768, 1376),
    ("16:9", 1376, 768),
    ("21:9", 1584, 672),
    ("1:4", 512, 2048),
    ("4:1", 2048, 512),
    ("1:8", 384, 3072),
    ("8:1", 3072, 384),
];

const PLAIN_RATIOS: usize = 10;

/// The ratios a model accepts.
pub(crate) fn ratios(banners: bool) -> impl Iterator<Item = &'static str> {
    let known = if banners { RATIOS.len() } else { PLAIN_RATIOS };
    RATIOS[..known].iter().map(|(name, ..)| *name)
}

/// Width and height in pixels of a ratio and an `imageSize`.
pub fn pixels(ratio: &str, size: &str) -> (u32, u32) {
    let (width, height) =
        RATIOS.iter().find(|(name, ..)| *name == ratio).map_or((1024, 1024), |(_, width, height)| (*width, *height));
    match size {
        "512" => (width / 2, height / 2),
        "2K" => (width * 2, height * 2),
        "4K" => (width * 4, height * 4),
        _ => (width, height),
    }
}

/// The accepted ratio nearest to a picture's own: what the model follows when none is asked for.
pub(crate) fn nearest(width: u32, height: u32) -> &'static str {
    let wanted = (f64::from(width.max(1)) / f64::from(height.max(1))).ln();
    let off = |w: u32, h: u32| ((f64::from(w) / f64::from(h)).ln() - wanted).abs();
    RATIOS[..PLAIN_RATIOS]
        .iter()
        .min_by(|a, b| off(a.1, a.2).total_cmp(&off(b.1, b.2)))
        .map_or("1:1", |(name, ..)| *name)
}
