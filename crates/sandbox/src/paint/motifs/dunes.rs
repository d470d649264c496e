//! Rolling dunes, lit from one side.

use super::sky;
use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{blend, mix, screen},
    noise::{fbm, lerp, noise, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let horizon = c.height * b.rng.range(0.4, 0.55);
    let sun = sky::draw(c, b, horizon * 1.05);
    let side = if sun.x > c.width / 2.0 { 1.0 } else { -1.0 };
    let count = 5 + b.rng.below(3);
    for n in 0..count {
        let near = n as f32 / (count - 1) as f32;
        dune(c, b, lerp(horizon, c.height * 1.02, near.powf(1.2)), near, side);
    }
    c.vignette(0.2);
}

/// One dune: a long crest, its sunny and its shady flank, ripples in the sand.
fn dune(c: &mut Canvas, b: &mut Brief, base: f32, near: f32, side: f32) {
    let (seed, phase) = (b.rng.seed(), b.rng.range(0.0, 20.0));
    let rise = lerp(0.05, 0.2, near) * b.rng.range(0.8, 1.25);
    let pitch = lerp(1.5, 0.75, near) * b.rng.range(0.8, 1.2);
    let line = c.profile(|x| {
        // Wind piles sand up slowly and lets it fall steeply: a skewed wave.
        let t = x * pitch * 2.2 * side + phase;
        let skewed = (t + 0.55 * (t + 0.4).sin()).sin();
        base - rise * (0.75 * skewed + 0.5 * noise(x * pitch * 0.9 + phase, 0.0, seed) + 0.25)
    });
    let body = mix(b.palette.far, b.palette.near, near.powf(1.15) * 0.72);
    let sunny = mix(body, b.palette.light, lerp(0.42, 0.3, near));
    let shady = mix(body, b.palette.near, lerp(0.22, 0.55, near));
    let haze = mix(b.palette.sky[3], b.palette.far, 0.3);
    let bend = Field::new(c, 6.0, move |x, y| fbm(x * 1.2, y * 2.2, 3, seed ^ 5));
    let (light, px) = (b.palette.light, c.px);
    let fine = lerp(420.0, 230.0, near);
    let bottom = c.height;
    c.shade_band(line.top(), bottom, |x, y, below| {
        let under = y - line.at(x);
        let cover = (under / px + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return below;
        }
        let curve = bend.at(x, y);
        // The flank's edge wanders away from the crest, downhill.
        let slope = line.slope((x - side * under * 0.75 + curve * 0.05).clamp(0.0, 100.0)) * side;
        let lit = smooth(-0.22, 0.22, slope + curve * 0.12);
        let ripple = (y * fine + curve * 30.0 + (x * 5.0).sin()).sin();
        let mut colour = blend(shady, sunny, lit * (1.0 - 0.45 * smooth(0.0, rise * 2.4, under)));
        colour = screen(colour, light, ripple.max(0.0) * 0.05 * lit * near);
        colour = screen(colour, light, (1.0 - smooth(0.0, 0.006, under)) * 0.25 * lit);
        let air = lerp(0.5, 0.0, near) + lerp(0.3, 0.06, near) * smooth(0.0, rise * 3.0, under);
        blend(below, blend(colour, haze, air), cover)
    });
}
