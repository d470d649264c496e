//! Folded silk: a smooth surface bent over and over, with light running along its folds.

use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Ramp, blend, screen},
    noise::{fbm, smooth},
};

const BENDS: usize = 5;

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let (sin, cos) = b.rng.range(0.0, 6.3).sin_cos();
    let zoom = b.rng.range(2.6, 3.8);
    let phases = [(); BENDS].map(|()| (b.rng.range(0.0, 6.3), b.rng.range(0.0, 6.3)));
    let bend = b.rng.range(0.75, 1.05);
    let pitch = b.rng.range(1.3, 1.9);
    let cloth = Field::new(c, 2.0, move |x, y| {
        let (mut u, mut v) = ((x * cos - y * sin) * zoom, (x * sin + y * cos) * zoom);
        for (n, (p, q)) in phases.iter().enumerate() {
            let n = n as f32 + 1.0;
            u += bend / n * (n * 1.25 * v + p).sin();
            v += bend / n * (n * 1.15 * u + q).cos();
        }
        ((u * pitch + v * 0.7).sin() + 0.35 * (v * 1.7).sin()) * 0.5
    });

    let flats = b.palette.flats;
    let mut inks = [flats[5], flats[4], flats[3], flats[2], flats[1]];
    if b.rng.chance(0.45) {
        inks[3] = b.palette.accent;
    }
    let ramp = Ramp::new(&inks);
    let seed = b.rng.seed();
    let tint = Field::new(c, 8.0, move |x, y| fbm(x * 0.9 + 9.0, y * 0.9, 2, seed));
    let (light, glow) = (b.palette.light, b.palette.accent);
    let base = if b.night { 0.34 } else { 0.5 };
    c.shade(|x, y, _| {
        let z = cloth.at(x, y);
        let (gx, gy) = cloth.gradient(x, y);
        // A lamp to the upper left of a surface that stands this tall.
        let steep = 0.16;
        let length = (1.0 + steep * steep * (gx * gx + gy * gy)).sqrt();
        let lit = (0.6 + steep * (gx * 0.5 + gy * 0.8)) / length;
        let tone = base + 0.2 * z + 0.42 * (lit - 0.55) + 0.3 * tint.at(x, y);
        let colour = blend(ramp.at(tone), glow, 0.16 * smooth(0.1, 0.6, tint.at(x, y)));
        let sheen = smooth(0.7, 1.0, lit).powi(2) * 0.5;
        screen(colour, light, sheen)
    });
    c.vignette(0.18);
}
