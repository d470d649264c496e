use std::fmt;

/// One picture to make. A batch of four is four requests: no vendor we use makes several per call reliably.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The vendor's own model id, data from the catalogue (vendors retire them).
    pub wire_model: &'a str,
    pub prompt: &'a str,
    /// `"16:9"`; `None` lets the model choose, or follow the input picture.
    pub aspect_ratio: Option<&'a str>,
    /// `"512"`, `"1k"`, `"2k"`, `"4k"` as the catalogue writes it; `None` for models that accept no size.
    pub resolution: Option<&'a str>,
    /// The picture to start from; `None` is text to image.
    pub input: Option<InputImage<'a>>,
}

/// The picture an image-to-image request starts from.
#[derive(Clone, Copy)]
pub struct InputImage<'a> {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub mime: &'a str,
    pub bytes: &'a [u8],
    /// 0 keeps the source, 1 follows the prompt.
    pub strength: f32,
}

impl InputImage<'_> {
    /// The strength as whole percent, 0..=100. What is not a number means "follow the prompt", as with no picture at all.
    #[must_use]
    pub fn strength_percent(&self) -> u8 {
        if self.strength.is_nan() { 100 } else { (self.strength.clamp(0.0, 1.0) * 100.0).round() as u8 }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("wire_model", &self.wire_model)
            .field("prompt", &format_args!("<{} chars>", self.prompt.chars().count()))
            .field("aspect_ratio", &self.aspect_ratio)
            .field("resolution", &self.resolution)
            .field("input", &self.input)
            .finish()
    }
}

impl fmt::Debug for InputImage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputImage")
            .field("mime", &self.mime)
            .field("bytes", &format_args!("<{} bytes>", self.bytes.len()))
            .field("strength", &self.strength)
            .finish()
    }
}
