//! A botanical print: stems of leaves before a sun, flowers when asked for.

use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Rgb, blend, mix, scale},
    noise::{Norm as _, fbm, lerp, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let flats = b.palette.flats;
    let (high, low) = if b.night { (flats[5], flats[4]) } else { (flats[0], mix(flats[0], flats[1], 0.55)) };
    let (tall, wide) = (c.height, c.width);
    c.shade(|_, y, _| blend(high, low, y / tall));

    let sun = (wide * b.rng.range(0.35, 0.65), tall * b.rng.range(0.34, 0.5), b.rng.range(0.22, 0.31));
    let disc = mix(b.palette.accent, b.palette.sky[3], b.rng.range(0.15, 0.6));
    let edge = [sun.0 - sun.2, sun.1 - sun.2, sun.0 + sun.2, sun.1 + sun.2];
    c.fill(
        edge,
        |x, y| (x - sun.0).norm(y - sun.1) - sun.2,
        |_, y| blend(disc, low, 0.35 * smooth(sun.1, sun.1 + sun.2, y)),
    );

    let stems = (7.0 * wide.max(1.0)).min(16.0) as usize + b.rng.below(3);
    for n in 0..stems {
        let near = n as f32 / (stems - 1) as f32;
        let slot = (n * 5 % stems) as f32 + b.rng.range(0.1, 0.9);
        let x = wide * slot / stems as f32;
        let lean = (x / wide - 0.5) * 0.5 + b.rng.range(-0.2, 0.2);
        let reach = tall.min(1.4) * lerp(0.82, 0.42, near) * b.rng.range(0.75, 1.05);
        let tone = b.rng.range(0.0, 0.35);
        let ink = mix(mix(flats[2], flats[3], tone * 2.0), flats[5], near * 0.62 + tone * 0.3);
        let flower = b.flowers && n % 2 == 1;
        stem(c, b, Stem { x, foot: tall + 0.03, reach, lean, ink, flower });
    }

    let seed = b.rng.seed();
    let paper = Field::new(c, 2.0, move |x, y| fbm(x * 30.0, y * 30.0, 2, seed));
    c.shade(|x, y, below| scale(below, 1.0 + 0.012 * paper.at(x, y)));
    c.vignette(0.12);
}

struct Stem {
    x: f32,
    foot: f32,
    reach: f32,
    lean: f32,
    ink: Rgb,
    flower: bool,
}

impl Stem {
    /// The place and direction at a share of the stem's length.
    fn at(&self, t: f32) -> (f32, f32, f32) {
        let x = self.x + self.lean * self.reach * t * t;
        let y = self.foot - self.reach * t * (1.0 - 0.12 * self.lean.abs() * t);
        let angle = (2.0 * self.lean * t).atan2(1.0);
        (x, y, angle)
    }
}

fn stem(c: &mut Canvas, b: &mut Brief, stem: Stem) {
    let joints = 40;
    for n in 0..joints {
        let (x0, y0, _) = stem.at(n as f32 / joints as f32);
        let (x1, y1, _) = stem.at((n + 1) as f32 / joints as f32);
        let thick = lerp(0.0045, 0.0018, n as f32 / joints as f32);
        let edge = [x0.min(x1) - thick, y1 - thick, x0.max(x1) + thick, y0 + thick];
        c.fill(edge, |x, y| segment(x, y, (x0, y0), (x1, y1)) - thick, |_, _| stem.ink);
    }
    let pairs = 4 + b.rng.below(6);
    let (shape, open) = (b.rng.range(0.24, 0.5), b.rng.range(0.75, 1.15));
    let long = stem.reach * b.rng.range(0.2, 0.3);
    for n in 0..pairs {
        let t = lerp(0.25, 0.97, n as f32 / pairs as f32);
        let (x, y, angle) = stem.at(t);
        let size = long * (0.55 + 0.75 * (t * 2.6).sin().max(0.0)) * (1.05 - 0.45 * t);
        for side in [-1.0, 1.0] {
            let turn = angle + side * (open - 0.3 * t + b.rng.range(-0.1, 0.1));
            let size = size * b.rng.range(0.85, 1.1);
            leaf(c, b, (x, y), turn, size, shape, stem.ink);
        }
    }
    let (x, y, angle) = stem.at(1.0);
    if stem.flower {
        let size = stem.reach * b.rng.range(0.11, 0.15);
        flower(c, b, (x, y), size);
    } else {
        leaf(c, b, (x, y), angle, long * 0.75, shape, stem.ink);
    }
}

/// A leaf from `from` in the direction `turn` (0 points up): one half lit, veins to the side.
fn leaf(c: &mut Canvas, b: &mut Brief, from: (f32, f32), turn: f32, long: f32, shape: f32, ink: Rgb) {
    let (sin, cos) = turn.sin_cos();
    let bend = b.rng.range(-0.12, 0.12);
    let edge = [from.0 - long, from.1 - long, from.0 + long, from.1 + long];
    let lit = mix(ink, b.palette.flats[1], 0.3);
    let vein = mix(ink, b.palette.flats[0], 0.42);
    let px = c.px;
    c.cover(edge, |x, y| {
        let (dx, dy) = (x - from.0, y - from.1);
        let along = (dx * sin - dy * cos) / long;
        if !(0.0..=1.0).contains(&along) {
            return None;
        }
        let across = (dx * cos + dy * sin) / long - bend * along * (1.0 - along) * 2.0;
        let half = shape * 0.5 * (along * std::f32::consts::PI).sin().powf(0.8) * (1.15 - 0.5 * along);
        let cover = ((half - across.abs()) * long / px + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return None;
        }
        let body = if across > 0.0 { ink } else { lit };
        let rib = 1.0 - smooth(0.0, 0.011, across.abs() - 0.004 * (1.0 - along));
        let side = ((along - across.abs() * 0.9) * 11.0).fract();
        let veins = (1.0 - smooth(0.0, 0.12, (side - 0.5).abs())) * 0.22;
        let tone = blend(body, ink, smooth(0.3, 1.0, along) * 0.5);
        Some((blend(tone, vein, (rib * 0.8).max(veins)), cover))
    });
}

fn flower(c: &mut Canvas, b: &mut Brief, (x0, y0): (f32, f32), size: f32) {
    let petals = 5.0 + b.rng.below(4) as f32;
    let start = b.rng.range(0.0, 6.3);
    let ink = b.rng.pick(&[
        b.palette.accent,
        b.palette.flats[2],
        b.palette.light,
        mix(b.palette.accent, b.palette.light, 0.5),
    ]);
    let dark = mix(ink, b.palette.flats[5], 0.35);
    let heart = mix(b.palette.light, b.palette.accent, 0.25);
    let edge = [x0 - size, y0 - size, x0 + size, y0 + size];
    for (scale, turn, tone) in [(1.0, 0.0, 0.16), (0.72, 0.5, 0.0)] {
        c.fill(
            edge,
            |x, y| {
                let (dx, dy) = (x - x0, y - y0);
                let wave = ((dy.atan2(dx) + start) * petals / 2.0 + turn * std::f32::consts::PI).sin().abs();
                (dx.norm(dy) - size * scale * (0.45 + 0.5 * wave.powf(0.55))) * 0.6
            },
            |x, y| {
                let d = (x - x0).norm(y - y0) / size;
                blend(blend(ink, dark, tone), dark, 0.55 * (1.0 - smooth(0.1, 0.7, d)))
            },
        );
    }
    c.fill(edge, |x, y| (x - x0).norm(y - y0) - size * 0.2, |_, _| heart);
    c.fill(edge, |x, y| (x - x0).norm(y - y0) - size * 0.1, |_, _| dark);
}

fn segment(x: f32, y: f32, a: (f32, f32), b: (f32, f32)) -> f32 {
    let (px, py, bx, by) = (x - a.0, y - a.1, b.0 - a.0, b.1 - a.1);
    let t = ((px * bx + py * by) / (bx * bx + by * by).max(1e-9)).clamp(0.0, 1.0);
    (px - bx * t).norm(py - by * t)
}
