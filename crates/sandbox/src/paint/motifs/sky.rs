//! Skies: gradient, haze of clouds, stars, sun or moon, mirrors of them in water.

use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Rgb, blend, mix, scale, screen},
    noise::{Norm as _, fbm, hash, hash_unit, smooth},
};

/// Where the sun or the moon stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sun {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
}

/// Paints the sky down to `horizon` and answers where its light stands.
pub(super) fn draw(c: &mut Canvas, b: &mut Brief, horizon: f32) -> Sun {
    let reach = c.width.min(2.2);
    let sun = Sun {
        x: c.width / 2.0 + reach * b.rng.side() * b.rng.range(0.06, 0.3),
        y: horizon * b.rng.range(0.28, if b.night { 0.55 } else { 0.8 }),
        radius: b.rng.range(0.045, 0.085),
    };
    draw_with(c, b, horizon, sun);
    sun
}

/// The same with a light at a chosen place.
pub(super) fn draw_with(c: &mut Canvas, b: &mut Brief, horizon: f32, sun: Sun) {
    gradient(c, b, horizon);
    if b.night {
        stars(c, b, horizon);
    }
    glow(c, b, sun);
    disc(c, b, sun);
    clouds(c, b, horizon, sun);
}

fn gradient(c: &mut Canvas, b: &mut Brief, horizon: f32) {
    let ramp = b.palette.sky_ramp();
    let seed = b.rng.seed();
    let drift = Field::new(c, 16.0, move |x, y| fbm(x * 1.1, y * 2.0, 2, seed) * 0.05);
    c.shade(|x, y, _| ramp.at((y / horizon).min(1.0).powf(0.92) + drift.at(x, y)));
}

/// Stars on a jittered grid, most of them faint.
pub(super) fn stars(c: &mut Canvas, b: &mut Brief, horizon: f32) {
    let (seed, cell, px) = (b.rng.seed(), 0.022, c.px);
    let light = b.palette.light;
    c.shade(|x, y, below| {
        if y > horizon {
            return below;
        }
        let (i, j) = ((x / cell) as i32, (y / cell) as i32);
        let bright = hash_unit(i, j, seed);
        if bright < 0.55 {
            return below;
        }
        let bits = hash(i, j, seed ^ 0x5bd1);
        let at = |shift: u32| 0.2 + 0.6 * ((bits >> shift) & 0xff) as f32 / 255.0;
        let (dx, dy) = (x - (i as f32 + at(0)) * cell, y - (j as f32 + at(8)) * cell);
        let size = 0.0007 + 0.0016 * (bright - 0.55) / 0.45 * at(16);
        let cover = (1.0 - (dx.norm(dy) - size) / px.max(0.0012)).clamp(0.0, 1.0);
        let fade = 1.0 - smooth(horizon * 0.55, horizon, y);
        screen(below, light, cover * fade * ((bright - 0.5) * 2.0).powi(2))
    });
}

/// Light around the sun, wide and narrow.
pub(super) fn glow(c: &mut Canvas, b: &Brief, sun: Sun) {
    let light = b.palette.light;
    let warm = mix(b.palette.sky[3], b.palette.light, 0.5);
    let wide = if b.night { 0.16 } else { 0.34 };
    c.shade(|x, y, below| {
        let d = (x - sun.x).norm(y - sun.y);
        let near = (-(d - sun.radius).max(0.0) / (sun.radius * 0.9)).exp();
        let far = (-d / 0.34).exp();
        screen(screen(below, warm, far * wide), light, near * 0.34)
    });
}

fn disc(c: &mut Canvas, b: &mut Brief, sun: Sun) {
    let light = b.palette.light;
    let seed = b.rng.seed();
    let (r, moon) = (sun.radius, b.night);
    let crescent = moon && b.rng.chance(0.4);
    let (ox, oy) = (r * b.rng.side() * 0.45, -r * 0.2);
    let edge = [sun.x - r, sun.y - r, sun.x + r, sun.y + r];
    let shadow = blend(b.palette.sky[2], light, 0.72);
    c.fill(
        edge,
        |x, y| {
            let full = (x - sun.x).norm(y - sun.y) - r;
            let bite = (x - sun.x - ox).norm(y - sun.y - oy) - r * 0.92;
            if crescent { full.max(-bite) } else { full }
        },
        |x, y| {
            if !moon {
                return light;
            }
            let seas = smooth(-0.1, 0.45, fbm((x - sun.x) / r * 1.6, (y - sun.y) / r * 1.6, 3, seed));
            blend(light, shadow, seas * 0.55)
        },
    );
}

fn clouds(c: &mut Canvas, b: &mut Brief, horizon: f32, sun: Sun) {
    let seed = b.rng.seed();
    let amount = if b.night { 0.28 } else { b.rng.range(0.35, 0.65) };
    let lit = mix(b.palette.sky[3], b.palette.light, 0.45);
    let dim = mix(b.palette.sky[1], b.palette.sky[3], 0.4);
    let cover = b.rng.range(0.05, 0.22);
    let field = Field::new(c, 4.0, move |x, y| {
        let lift = fbm(x * 0.9 + 3.0, y * 2.0, 2, seed ^ 0x33) * 0.5;
        fbm(x * 1.5 + lift, y * 6.5 + lift * 2.0, 5, seed)
    });
    c.shade(|x, y, below| {
        if y > horizon {
            return below;
        }
        let thick = smooth(cover, cover + 0.42, field.at(x, y));
        let band = smooth(0.02, 0.3, y / horizon) * (1.0 - smooth(0.86, 1.0, y / horizon));
        let near = (-(x - sun.x).norm(y - sun.y) / 0.5).exp();
        blend(below, blend(dim, lit, 0.35 + 0.65 * near), thick * band * amount)
    });
}

/// Turns everything below `line` into calm water.
pub(super) fn mirror(c: &mut Canvas, b: &mut Brief, line: f32) {
    let above = c.clone();
    let seed = b.rng.seed();
    let tint = mix(b.palette.near, b.palette.sky[1], 0.45);
    let reach = c.height - line;
    let edge = [0.0, line, c.width, c.height];
    c.alter(edge, |x, y, below| {
        if y < line {
            return below;
        }
        let depth = (y - line) / reach;
        let swell = fbm(x * 3.0, (depth * 6.0 + 0.3).ln() * 22.0, 2, seed);
        let dx = swell * 0.03 * depth;
        let dy = swell * 0.035 * depth;
        let image = above.sample((x + dx).clamp(0.0, above.width), (2.0 * line - y + dy).max(0.0));
        let streak = smooth(0.35, 0.7, fbm(x * 1.4, depth * 30.0, 2, !seed)) * 0.12;
        screen(blend(image, tint, 0.22 + 0.3 * depth), b.palette.sky[3], streak * (1.0 - depth))
    });
    let shore = scale(b.palette.sky[3], 1.0);
    c.cover(edge, |_, y| {
        let d = (y - line).abs();
        (d < 0.004).then(|| (shore, 0.35 * (1.0 - d / 0.004)))
    });
}

/// A few birds, far away.
pub(super) fn birds(c: &mut Canvas, b: &mut Brief, around: (f32, f32)) {
    let ink: Rgb = mix(b.palette.near, b.palette.far, 0.25);
    for _ in 0..3 + b.rng.below(5) {
        let (x0, y0) = (around.0 + b.rng.range(-0.22, 0.22), around.1 + b.rng.range(-0.1, 0.1));
        let (span, lift) = (b.rng.range(0.009, 0.02), b.rng.range(0.25, 0.6));
        c.fill(
            [x0 - span, y0 - span, x0 + span, y0 + span],
            |x, y| {
                let side = ((x - x0).abs() / span).min(1.0);
                let wing = y0 - (side * std::f32::consts::PI * 0.8).sin() * span * lift;
                let thick = span * 0.1 * (1.0 - side) + 0.0004;
                ((y - wing).abs() - thick).max((x - x0).abs() - span)
            },
            |_, _| ink,
        );
    }
}
