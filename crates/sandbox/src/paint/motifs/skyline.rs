//! A city by the water at the end of the day.

use super::sky::{self, Sun};
use crate::paint::{
    brief::Brief,
    canvas::Canvas,
    colour::{Rgb, blend, mix, screen},
    noise::{hash_unit, lerp, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let shore = c.height * b.rng.range(0.76, 0.84);
    let reach = c.width.min(2.0);
    let sun = Sun {
        x: c.width / 2.0 + reach * b.rng.side() * b.rng.range(0.05, 0.28),
        y: shore * b.rng.range(0.22, 0.4),
        radius: b.rng.range(0.07, 0.13),
    };
    sky::draw_with(c, b, shore, sun);
    let haze = mix(b.palette.sky[3], b.palette.accent, 0.15);
    for n in 0..3 {
        let near = n as f32 / 2.0;
        let ink = mix(mix(b.palette.far, b.palette.sky[2], 0.45), b.palette.near, lerp(0.12, 0.92, near));
        block(c, b, shore, near, ink, haze);
    }
    sky::mirror(c, b, shore);
    c.vignette(0.26);
}

#[derive(Clone, Copy)]
struct House {
    left: f32,
    right: f32,
    top: f32,
    crown: usize,
    seed: u32,
    lit: f32,
}

fn block(c: &mut Canvas, b: &mut Brief, shore: f32, near: f32, ink: Rgb, haze: Rgb) {
    let mut x = -0.03;
    let (middle, spread) = (c.width * b.rng.range(0.35, 0.65), c.width * 0.45);
    while x < c.width {
        let wide = b.rng.range(0.03, 0.085) * lerp(0.75, 1.15, near);
        let centre = 1.0 - ((x - middle).abs() / spread).min(1.0);
        let tall = lerp(0.5, 0.3, near) * (0.28 + 0.72 * centre) * b.rng.range(0.45, 1.0);
        let house = House {
            left: x,
            right: x + wide,
            top: shore - (tall * shore * 1.35).max(0.05),
            crown: b.rng.below(6),
            seed: b.rng.seed(),
            lit: b.rng.range(0.2, 0.6),
        };
        draw_house(c, b, house, shore, near, ink, haze);
        x += wide + if b.rng.chance(0.3) { b.rng.range(0.0, 0.02) } else { 0.0 };
    }
}

fn draw_house(c: &mut Canvas, b: &Brief, house: House, shore: f32, near: f32, ink: Rgb, haze: Rgb) {
    let House { left, right, top, crown, seed, lit } = house;
    let middle = (left + right) / 2.0;
    let half = (right - left) / 2.0;
    let spire = if crown == 1 || crown == 4 { 0.09 } else { 0.02 };
    let edge = [left, top - spire, right, shore];
    let lamp = mix(b.palette.light, b.palette.accent, 0.35);
    let face = blend(ink, mix(ink, b.palette.sky[2], 0.3), 0.35);
    c.fill(
        edge,
        |x, y| {
            let body = ((x - middle).abs() - half).max(top - y).max(y - shore);
            let roof = match crown {
                // A mast, steps, a slope, a needle on a dome.
                1 => ((x - middle).abs() - 0.0014).max(top - spire - y).max(y - top),
                2 => ((x - middle).abs() - half * 0.6).max(top - 0.018 - y).max(y - top),
                3 => ((top - 0.02 - y) + (x - left) / (2.0 * half) * 0.02).max((x - middle).abs() - half).max(y - top),
                4 => {
                    ((x - middle).abs() - half * 0.5 * ((y - top + spire) / spire).clamp(0.0, 1.0).powi(2)).max(y - top)
                }
                _ => f32::MAX,
            };
            body.min(roof)
        },
        |x, y| {
            let side = if x > middle + half * 0.3 { ink } else { face };
            blend(side, haze, lerp(0.62, 0.1, near) * smooth(top, shore, y) + lerp(0.12, 0.0, near))
        },
    );
    if near < 0.4 {
        return;
    }
    // Lit windows; their light spills a little.
    let (wide, tall) = (0.0072, 0.0105);
    c.alter([left + 0.004, top + 0.008, right - 0.004, shore - 0.012], |x, y, below| {
        let (i, j) = (((x - left) / wide).floor(), ((y - top) / tall).floor());
        let inside = x > left + 0.004 && x < right - 0.004 && y > top + 0.006 && y < shore - 0.012;
        let floor_dark = hash_unit(j as i32, 3, seed) < 0.25;
        let chance = hash_unit(i as i32, j as i32, seed);
        if !inside || floor_dark || chance > lit {
            return below;
        }
        let (u, v) = ((x - left) / wide - i - 0.5, (y - top) / tall - j - 0.5);
        let soft = c_soft(u.abs(), 0.28) * c_soft(v.abs(), 0.26);
        let warm = 0.45 + 0.55 * hash_unit(j as i32, i as i32, !seed);
        screen(below, lamp, soft * warm * lerp(0.5, 0.95, near))
    });
}

fn c_soft(distance: f32, half: f32) -> f32 {
    1.0 - smooth(half - 0.08, half + 0.08, distance)
}
