//! The sea under a low sun: rolling layers, glitter, sometimes a boat.

use super::sky::{self, Sun};
use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Ramp, blend, mix, screen},
    noise::{fbm, lerp, noise, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let horizon = c.height * b.rng.range(0.46, 0.58);
    let reach = c.width.min(2.0);
    let sun = Sun {
        x: c.width / 2.0 + reach * b.rng.range(-0.24, 0.24),
        y: horizon - b.rng.range(0.02, 0.22).min(horizon * 0.6),
        radius: b.rng.range(0.06, 0.1),
    };
    sky::draw_with(c, b, horizon, sun);
    if b.rng.chance(0.45) {
        headland(c, b, horizon);
    }
    water(c, b, horizon, sun);
    swell(c, b, horizon, sun);
    if b.rng.chance(0.6) {
        let near = b.rng.range(0.02, 0.12);
        boat(c, b, horizon + (c.height - horizon) * near, lerp(0.035, 0.09, near / 0.12));
    }
    if !b.night {
        let x = sun.x + 0.18 * b.rng.side();
        sky::birds(c, b, (x, horizon * 0.5));
    }
    c.vignette(0.22);
}

fn headland(c: &mut Canvas, b: &mut Brief, horizon: f32) {
    let seed = b.rng.seed();
    let right = b.rng.chance(0.5);
    let ink = mix(b.palette.far, b.palette.near, 0.3);
    let (width, px) = (c.width, c.px);
    let line = c.profile(|x| {
        let inland = if right { x / width } else { 1.0 - x / width };
        let rise = smooth(0.55, 1.0, inland) * 0.16 + smooth(0.7, 0.95, inland) * 0.05;
        horizon - rise * (1.0 + 0.4 * fbm(x * 5.0, 0.0, 4, seed)) + 0.002
    });
    let haze = b.palette.sky[3];
    c.shade(|x, y, below| {
        if y > horizon {
            return below;
        }
        let cover = ((y - line.at(x)) / px + 0.5).clamp(0.0, 1.0);
        blend(below, blend(ink, haze, 0.45 * smooth(0.1, 0.0, horizon - y)), cover)
    });
}

/// Far water: small waves in perspective and the path of light.
fn water(c: &mut Canvas, b: &mut Brief, horizon: f32, sun: Sun) {
    let deep = mix(b.palette.near, b.palette.sky[0], 0.3);
    let ramp = Ramp::new(&[mix(b.palette.sky[3], b.palette.far, 0.4), mix(b.palette.far, deep, 0.45), deep]);
    let seed = b.rng.seed();
    let (light, shine) = (b.palette.light, b.palette.sky[3]);
    let tall = c.height - horizon;
    let bottom = c.height;
    c.shade_band(horizon, bottom, |x, y, above| {
        if y < horizon {
            return above;
        }
        let depth = (y - horizon) / tall;
        let away = 1.0 / (depth * 2.2 + 0.06);
        let (u, v) = ((x - sun.x) * away, away * 3.4);
        let wave = fbm(u * 1.6, v * 6.0, 4, seed);
        let mut colour = ramp.at(depth.powf(0.7) + wave * 0.1);
        colour = screen(colour, shine, smooth(0.2, 0.75, wave) * 0.22 * (1.0 - depth * 0.7));
        let path = (-((x - sun.x) / (0.05 + 0.28 * depth)).powi(2)).exp();
        let sparkle = smooth(0.02, 0.5, noise(u * 5.0, v * 26.0, !seed) + wave * 0.5 - 0.1);
        screen(colour, light, path * (0.18 + 0.75 * sparkle) * (1.0 - depth * 0.55))
    });
}

/// Near water: a few long waves, drawn as layers with light on their backs.
fn swell(c: &mut Canvas, b: &mut Brief, horizon: f32, sun: Sun) {
    let tall = c.height - horizon;
    let count = 4 + b.rng.below(2);
    for n in 0..count {
        let near = n as f32 / count as f32;
        let base = horizon + tall * lerp(0.3, 0.88, near.powf(1.1));
        let (seed, phase, slant) = (b.rng.seed(), b.rng.range(0.0, 6.3), b.rng.range(-0.03, 0.03));
        let (size, pitch) = (lerp(0.012, 0.05, near), lerp(5.0, 2.6, near));
        let line = c.profile(|x| {
            let roll = (x * pitch + phase + 0.6 * noise(x * 1.7, 0.0, seed)).sin();
            base + slant * (x - 0.5) - size * (roll + 0.35 * fbm(x * 4.0, 1.0, 3, seed))
        });
        let top = mix(mix(b.palette.far, b.palette.sky[2], 0.25), b.palette.near, 0.15 + 0.5 * near);
        let low = mix(b.palette.near, b.palette.sky[0], 0.25 * (1.0 - near));
        let (light, px) = (b.palette.light, c.px);
        let grain = Field::new(c, 3.0, move |x, y| fbm(x * 5.0, y * 26.0, 3, seed ^ 77));
        let fall = lerp(0.1, 0.3, near);
        let bottom = c.height;
        c.shade_band(line.top(), bottom, |x, y, above| {
            let under = y - line.at(x);
            let cover = (under / px + 0.5).clamp(0.0, 1.0);
            if cover <= 0.0 {
                return above;
            }
            let mut colour = blend(top, low, smooth(0.0, fall, under + 0.012 * grain.at(x, y)));
            let path = (-((x - sun.x) / 0.32).powi(2)).exp();
            let crest = (1.0 - smooth(0.0, 0.004 + 0.004 * near, under)) * (0.22 + 0.6 * path);
            let gleam = smooth(0.25, 0.6, grain.at(x, y)) * (0.05 + 0.3 * path) * (1.0 - smooth(0.0, fall, under));
            colour = screen(colour, light, crest + gleam);
            blend(above, colour, cover * lerp(0.75, 1.0, near))
        });
    }
}

fn boat(c: &mut Canvas, b: &mut Brief, water: f32, size: f32) {
    let x0 = c.width * b.rng.range(0.2, 0.8);
    let hull = mix(b.palette.near, b.palette.flats[5], 0.4);
    let sail = if b.night { mix(b.palette.light, b.palette.sky[2], 0.4) } else { b.palette.flats[0] };
    let accent = b.palette.accent;
    c.fill(
        [x0 - size, water - size * 0.2, x0 + size, water + size * 0.2],
        |x, y| {
            let down = (y - (water - size * 0.1)) / (size * 0.16);
            let half = size * (0.46 - 0.14 * down.clamp(0.0, 1.0));
            ((x - x0).abs() - half).max((y - water - size * 0.06).abs() - size * 0.1)
        },
        |_, y| if y < water - size * 0.01 { accent } else { hull },
    );
    let foot = water - size * 0.14;
    for (side, height, spread) in [(1.0, 1.35, 0.5), (-1.0, 1.1, 0.34)] {
        c.fill(
            [x0 - size, foot - size * height, x0 + size, foot],
            |x, y| {
                let up = (foot - y) / (size * height);
                let out = (x - x0) * side;
                let edge = size * spread * (1.0 - up) * (1.0 + 0.35 * up);
                (out - edge).max(-out + size * 0.02).max(y - foot).max(foot - size * height - y)
            },
            |x, _| blend(sail, hull, if side > 0.0 { 0.04 } else { 0.2 } + (x - x0).abs() / size * 0.2),
        );
    }
    c.cover([x0 - size, water + size * 0.12, x0 + size, water + size], |x, y| {
        let d = (y - water - size * 0.12) / size;
        let wobble = (y * 420.0).sin() * 0.08 * size;
        ((x - x0 + wobble).abs() < size * 0.32 * (1.0 - d)).then_some((hull, 0.32 * (1.0 - d).max(0.0)))
    });
}
