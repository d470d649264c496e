//! Mountain ridges, one behind the other, with mist between them.

use super::{pines, sky};
use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Profile},
    colour::{Rgb, blend, mix, screen},
    noise::{crests, fbm, lerp, noise, smooth},
};

/// One silhouette and its colours.
pub(super) struct Layer {
    pub(super) line: Profile,
    /// The line without its details: mist does not follow every rock.
    pub(super) foot: Profile,
    pub(super) ink: Rgb,
    /// What gathers at its foot.
    pub(super) mist: Rgb,
    /// How deep below the line the mist begins to be thick.
    pub(super) depth: f32,
    /// How thick it gets.
    pub(super) haze: f32,
}

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let lake = b.water || b.rng.chance(0.3);
    let ground = if lake { c.height * b.rng.range(0.66, 0.74) } else { c.height };
    let horizon = ground * b.rng.range(0.62, 0.74);
    let sun = sky::draw(c, b, horizon);

    let count = 5 + b.rng.below(3);
    let layers = layers(c, b, count, horizon, ground);
    stack(c, b, &layers, sun);
    if lake {
        sky::mirror(c, b, ground);
    } else {
        let tall = b.rng.range(0.1, 0.16);
        let trees = pines::Row::new(c, b, c.height * 0.93, tall);
        pines::row(c, &trees, mix(b.palette.near, b.palette.flats[5], 0.5), None);
    }
    if !b.night && b.rng.chance(0.6) {
        let at = (sun.x + 0.2 * b.rng.side(), horizon * 0.45);
        sky::birds(c, b, at);
    }
    c.vignette(0.22);
}

pub(super) fn layers(c: &Canvas, b: &mut Brief, count: usize, horizon: f32, ground: f32) -> Vec<Layer> {
    let tall = (ground * 0.5).min(0.5);
    let mist = mix(b.palette.sky[3], b.palette.far, 0.15);
    (0..count)
        .map(|n| {
            let near = n as f32 / (count - 1).max(1) as f32;
            let base = lerp(horizon, ground * 1.02, near.powf(1.25));
            let rise = tall * lerp(0.52, 0.32, near) * b.rng.range(0.8, 1.2);
            let pitch = lerp(1.5, 1.0, near) * b.rng.range(0.8, 1.25);
            let (seed, shift) = (b.rng.seed(), b.rng.range(0.0, 50.0));
            let sharp = lerp(0.85, 0.35, near);
            let line = c.profile(|x| {
                let peaks = crests(x * pitch + shift, 7, seed);
                let hills = fbm(x * pitch * 0.7 + shift, 0.5, 4, !seed);
                base - rise * (lerp(hills, peaks, sharp) + 0.35)
            });
            Layer {
                foot: line.blurred(0.16),
                line,
                ink: mix(b.palette.far, b.palette.near, near.powf(0.9)),
                mist: mix(mist, b.palette.far, near * 0.6),
                depth: tall * lerp(0.34, 0.8, near),
                haze: lerp(0.85, 0.12, near),
            }
        })
        .collect()
}

/// Draws silhouettes from the back to the front in one pass over the pixels.
pub(super) fn stack(c: &mut Canvas, b: &mut Brief, layers: &[Layer], sun: sky::Sun) {
    let px = c.px;
    let (light, seed) = (b.palette.light, b.rng.seed());
    let warm = if b.night { 0.1 } else { 0.2 };
    c.shade(|x, y, sky| {
        // From the front: the first layer that covers fully hides all others.
        let (mut colour, mut open) = ([0.0; 3], 1.0f32);
        for layer in layers.iter().rev() {
            let top = layer.line.at(x);
            let cover = ((y - top) / px + 0.5).clamp(0.0, 1.0);
            if cover <= 0.0 {
                continue;
            }
            let below = y - top;
            let rough = noise(x * 5.0, y * 11.0, seed) * 0.03;
            let haze = smooth(0.0, layer.depth, y - layer.foot.at(x) + rough) * layer.haze;
            let mut ink = blend(layer.ink, layer.mist, haze);
            let facing = (layer.foot.slope(x) * 2.0 * (x - sun.x).signum()).clamp(0.0, 1.2);
            let glow = (-(x - sun.x).abs() / 0.45).exp();
            let rim = (1.0 - smooth(0.0, 0.07, below)) * (0.35 * facing + 0.25 * glow);
            ink = screen(ink, light, rim * warm * (0.4 + glow));
            for (sum, channel) in colour.iter_mut().zip(ink) {
                *sum += channel * cover * open;
            }
            open *= 1.0 - cover;
            if open <= 0.001 {
                return colour;
            }
        }
        [0, 1, 2].map(|i| colour[i] + sky[i] * open)
    });
}
