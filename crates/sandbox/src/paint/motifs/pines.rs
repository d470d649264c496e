//! Pines: rows of them, and whole forests in fog.

use super::{ridges, sky};
use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Rgb, blend, mix, screen},
    noise::{Norm as _, fbm, hash_unit, lerp, noise, smooth},
};

/// A row of trees along a wavy ground line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Height of the ground, on average.
    ground: f32,
    /// Height of a tall tree.
    tall: f32,
    seed: u32,
    /// One place for a tree after the other, from a little left of the picture; some are empty.
    places: Vec<Option<Tree>>,
}

#[derive(Clone, Copy, Debug)]
struct Tree {
    middle: f32,
    size: f32,
    boughs: f32,
}

/// Places to the left of the picture, whose trees reach into it.
const BEFORE: i32 = 3;

impl Row {
    pub(super) fn new(c: &Canvas, b: &mut Brief, ground: f32, tall: f32) -> Self {
        let seed = b.rng.seed();
        let cell = tall * CELL;
        let tree = |n: i32| {
            let chance = |salt: u32| hash_unit(n, 7, seed ^ salt);
            // Groves: neighbours are of about the same height.
            let grove = noise(n as f32 * 0.21, 3.0, seed) * 0.5 + 0.5;
            (chance(1) > 0.12).then(|| Tree {
                middle: (n as f32 + 0.15 + 0.7 * chance(3)) * cell,
                size: tall * (0.35 + 0.4 * grove + 0.25 * chance(2)),
                boughs: 7.0 + 4.0 * chance(4),
            })
        };
        let last = (c.width / cell).ceil() as i32 + BEFORE;
        Self { ground, tall, seed, places: (-BEFORE..=last).map(tree).collect() }
    }

    fn ground_at(&self, x: f32) -> f32 {
        self.ground + fbm(x * 1.3, 0.2, 3, self.seed) * self.tall * 0.45
    }

    /// Signed distance to the trees and the ground, roughly.
    fn distance(&self, x: f32, y: f32, ground: f32) -> f32 {
        let mut nearest = ground - y;
        if nearest < -0.01 || nearest > self.tall * 1.05 {
            return nearest;
        }
        let here = (x / (self.tall * CELL)) as usize + BEFORE as usize;
        let mut ragged = None;
        for tree in self.places.iter().skip(here.saturating_sub(2)).take(5).flatten() {
            let down = (y - (ground + 0.01 - tree.size)) / tree.size;
            let off = (x - tree.middle).abs();
            if !(0.0..=1.05).contains(&down) || off > tree.size * 0.25 * down + 0.004 {
                continue;
            }
            let scale = 7.7 / self.tall;
            let ragged = *ragged.get_or_insert_with(|| noise(x * scale, y * scale, self.seed ^ 9) * 0.1);
            let step = (down * tree.boughs).fract();
            let half = tree.size * 0.2 * (down * (0.58 + 0.42 * step) + ragged * down) + self.tall * 0.004;
            nearest = nearest.min(off - half);
        }
        nearest
    }
}

/// Width of a place for a tree, in tall trees.
const CELL: f32 = 0.26;

/// Draws a row; `fog` is what its foot dissolves in.
pub(super) fn row(c: &mut Canvas, row: &Row, ink: Rgb, fog: Option<(Rgb, f32)>) {
    let grounds = c.profile(|x| row.ground_at(x));
    let (px, bottom) = (c.px, c.height);
    c.shade_band(grounds.top() - row.tall * 1.05, bottom, |x, y, below| {
        let ground = grounds.at(x);
        let cover = (0.5 - row.distance(x, y, ground) / px).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return below;
        }
        let ink = match fog {
            Some((fog, thick)) => blend(ink, fog, thick * smooth(-row.tall * 0.8, row.tall * 0.5, y - ground)),
            None => ink,
        };
        blend(below, ink, cover)
    });
}

/// A forest in fog.
pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let horizon = c.height * b.rng.range(0.4, 0.52);
    let sun = sky::draw(c, b, horizon * 1.25);
    let hills = ridges::layers(c, b, 3, horizon * 0.9, horizon * 1.25);
    let pale: Vec<ridges::Layer> = hills
        .into_iter()
        .map(|layer| ridges::Layer { ink: mix(layer.ink, b.palette.sky[3], 0.62), haze: 0.9, ..layer })
        .collect();
    ridges::stack(c, b, &pale, sun);

    let fog = mix(b.palette.sky[3], b.palette.far, 0.25);
    let rows = 6;
    let bottom = c.height;
    for n in 0..rows {
        let near = n as f32 / (rows - 1) as f32;
        let ground = lerp(horizon * 1.14, bottom * 1.06, near.powf(1.35));
        let tall = lerp(0.075, 0.42, near.powf(1.5)).min(bottom * 0.42);
        let trees = Row::new(c, b, ground, tall);
        let ink = mix(mix(b.palette.far, fog, 0.4), b.palette.near, near.powf(0.75));
        row(c, &trees, ink, Some((fog, lerp(1.0, 0.35, near))));
        if n + 1 < rows {
            let seed = b.rng.seed();
            veil(c, fog, ground - tall * 0.1, lerp(0.05, 0.16, near), lerp(0.5, 0.28, near), seed);
        }
    }
    if !b.night {
        rays(c, b, sun);
    }
    if b.rng.chance(0.5) {
        sky::birds(c, b, (sun.x, horizon * 0.5));
    }
    c.vignette(0.28);
}

/// A drifting band of fog.
fn veil(c: &mut Canvas, fog: Rgb, at: f32, deep: f32, thick: f32, seed: u32) {
    let drifts = Field::new(c, 6.0, move |x, y| fbm(x * 1.6, y * 5.0, 3, seed));
    c.shade_band(at - deep * 2.0, at + deep * 2.0, |x, y, below| {
        let drift = drifts.at(x, y);
        let d = (y - at + drift * deep * 0.5) / deep;
        blend(below, fog, (-d * d * 1.6).exp() * thick * (0.7 + 0.5 * drift))
    });
}

/// Light that falls through the trees.
fn rays(c: &mut Canvas, b: &mut Brief, sun: sky::Sun) {
    let light = b.palette.light;
    let seed = b.rng.seed();
    let bottom = c.height;
    c.shade_band(sun.y - 0.05, bottom, |x, y, below| {
        let (dx, dy) = (x - sun.x, y - sun.y);
        let angle = dx.atan2(dy.max(0.001));
        let beam = smooth(0.05, 0.6, noise(angle * 9.0, 0.0, seed));
        let far = dx.norm(dy);
        let fade = smooth(0.05, 0.2, far) * (-far / 0.55).exp() * smooth(-0.05, 0.1, dy);
        screen(below, light, beam * fade * 0.34)
    });
}
