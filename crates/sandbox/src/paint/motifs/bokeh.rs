//! Soft lights out of focus.

use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Ramp, mix, screen},
    noise::{Norm as _, fbm, lerp, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let flats = b.palette.flats;
    let dark = b.night || b.rng.chance(0.55);
    let ramp = if dark {
        Ramp::new(&[flats[5], mix(flats[5], flats[4], 0.7), mix(flats[4], flats[3], 0.6)])
    } else {
        Ramp::new(&[flats[3], flats[2], flats[1], b.palette.sky[3]])
    };
    let (seed, lean) = (b.rng.seed(), b.rng.range(-0.5, 0.5));
    let (wide, tall) = (c.width, c.height);
    let drift = Field::new(c, 8.0, move |x, y| fbm(x * 1.2, y * 1.2, 3, seed));
    c.shade(|x, y, _| ramp.at(0.75 * y / tall + lean * (x / wide - 0.5) + 0.4 * drift.at(x, y)));

    let inks = [b.palette.accent, b.palette.light, b.palette.sky[3], flats[1], flats[2]];
    let area = c.width * c.height;
    let count = (70.0 * area.sqrt()) as usize;
    for n in 0..count {
        let far = n as f32 / count as f32;
        let radius = lerp(0.16, 0.012, far.powf(0.55)) * b.rng.range(0.6, 1.15);
        let (x0, y0) = (b.rng.range(-0.05, c.width + 0.05), c.height * b.rng.range(-0.05, 1.05));
        let ink = b.rng.pick(&inks);
        let strength = lerp(0.16, 0.75, far) * b.rng.range(0.5, 1.0);
        let blur = radius * lerp(0.5, 0.12, far).max(0.1);
        let edge = [x0 - radius - blur, y0 - radius - blur, x0 + radius + blur, y0 + radius + blur];
        c.alter(edge, |x, y, below| {
            let d = (x - x0).norm(y - y0);
            let body = 1.0 - smooth(radius - blur, radius + blur, d);
            // Lenses gather light at the edge of a blurred point.
            let rim = (-((d - radius * 0.94) / (blur * 0.5)).powi(2)).exp() * 0.35;
            let shade = 0.75 + 0.25 * (d / radius).min(1.0);
            screen(below, ink, (body * shade + rim * body) * strength)
        });
    }
    c.vignette(0.25);
}
