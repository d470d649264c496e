//! Image to image: the source stays recognisable, and as much of the prompt comes in as strength asks.

use image::{
    RgbImage,
    imageops::{self, FilterType},
};

use super::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Rgb, blend, luma, scale, screen},
    noise::{Norm as _, fbm, smooth},
};

/// Tones a strongly changed picture keeps.
const TONES: f32 = 6.0;

/// Changes `sources[0]` towards the prompt. `scene` is what the prompt alone would have given.
pub(super) fn remix(sources: &[RgbImage], scene: &Canvas, brief: &Brief, strength: f32) -> Canvas {
    let mut source = fit(&sources[0], scene);
    for other in sources.iter().skip(1) {
        let guest = fit(other, scene);
        let (wide, tall) = (scene.width, scene.height);
        // Further references come in from the right, like a double exposure.
        source.shade(|x, y, own| {
            blend(own, guest.sample(x, y), 0.42 * smooth(0.35, 1.0, 0.8 * x / wide + 0.2 * y / tall))
        });
    }

    let tones = brief.palette.tones();
    let light = brief.palette.light;
    let ink = brief.palette.flats[5];
    // Brush strokes: the source as seen through a softly bent glass, more with strength.
    let (seed, bend) = (brief.rng.clone().seed(), 0.014 * strength * strength);
    let strokes = Field::new(&source, 3.0, move |x, y| fbm(x * 26.0, y * 26.0, 2, seed));
    let tall = scene.height;
    let original = source.clone();
    let px = original.px;
    let (grade, restyle) = (0.25 + 0.45 * strength, smooth(0.3, 0.95, strength));

    source.shade(|x, y, _| {
        let sway = strokes.at(x, y);
        let seen = original.sample((x + sway * bend).max(0.0), (y - sway * bend).max(0.0));
        let tone = contrast(luma(seen));

        // The mild part: a colour grade that keeps the picture's own lightness.
        let tinted = tones.at(tone);
        let graded = blend(blend(seen, soft_light(seen, tinted), grade), tinted, 0.55 * strength);

        // The bold part: few tones in the prompt's colours, edges drawn in.
        let level = (tone * TONES).floor();
        let step = (level + smooth(0.42, 0.58, tone * TONES - level)) / TONES;
        let flat = tones.at(step * 0.94 + 0.03);
        let bold = blend(flat, seen, 0.2);
        let mut colour = blend(graded, bold, restyle);

        // The prompt's own scene shines through where the source is calm, most at the top.
        let reach = 2.0 * px;
        let dx = luma(original.sample(x + reach, y)) - luma(original.sample((x - reach).max(0.0), y));
        let dy = luma(original.sample(x, y + reach)) - luma(original.sample(x, (y - reach).max(0.0)));
        let edge = smooth(0.05, 0.28, dx.norm(dy));
        let other = scene.sample(x, y);
        let calm = (1.0 - edge) * (0.55 + 0.45 * (1.0 - y / tall));
        colour = blend(colour, soft_light(colour, other), 0.75 * strength * calm);
        colour = blend(colour, other, 0.42 * restyle * calm);
        colour = blend(colour, scale(ink, 0.9), edge * 0.6 * restyle);
        let lift = smooth(0.75, 1.0, tone) * 0.12 * strength;
        screen(colour, light, lift)
    });
    source.vignette(0.1 + 0.14 * strength);
    source
}

/// The middle of a picture in the shape of the scene.
fn fit(image: &RgbImage, scene: &Canvas) -> Canvas {
    let (columns, rows) = (scene.columns as u32, scene.rows as u32);
    let (width, height) = image.dimensions();
    let shape = f64::from(columns) / f64::from(rows);
    let (w, h) = if f64::from(width) > f64::from(height) * shape {
        ((f64::from(height) * shape).round() as u32, height)
    } else {
        (width, (f64::from(width) / shape).round() as u32)
    };
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    let part = imageops::crop_imm(image, (width - w) / 2, (height - h) / 2, w, h);
    let sized = imageops::resize(&*part, columns, rows, FilterType::Triangle);
    Canvas::from_bytes(columns, rows, &sized)
}

/// An S-curve around the middle.
fn contrast(tone: f32) -> f32 {
    let t = tone.clamp(0.0, 1.0);
    t + 0.5 * (t * t * (3.0 - 2.0 * t) - t)
}

fn soft_light(below: Rgb, above: Rgb) -> Rgb {
    [0, 1, 2].map(|i| {
        let (b, a) = (below[i], above[i]);
        (1.0 - 2.0 * a) * b * b + 2.0 * a * b
    })
}
