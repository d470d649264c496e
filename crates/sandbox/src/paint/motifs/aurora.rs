//! Northern lights over a dark shore.

use super::{pines, ridges, sky};
use crate::paint::{
    brief::Brief,
    canvas::Canvas,
    colour::{Ramp, hex, mix, screen},
    noise::{fbm, lerp, noise, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    b.night = true;
    let shore = c.height * b.rng.range(0.72, 0.8);
    let ramp = b.palette.sky_ramp();
    c.shade(|_, y, _| ramp.at((y / shore).powf(1.5) * 0.82));
    sky::stars(c, b, shore);

    let greens = [hex(0x2ee6a0), hex(0x3de0c4), hex(0x7cf29a)];
    let tops = [hex(0x6a5cff), hex(0xb05cf0), hex(0xf0609a), hex(0x3f8cff)];
    for n in 0..3 + b.rng.below(2) {
        let glow = Ramp::new(&[b.rng.pick(&greens), b.rng.pick(&greens), b.rng.pick(&tops), b.rng.pick(&tops)]);
        let foot = shore * lerp(0.78, 0.38, n as f32 / 3.0) * b.rng.range(0.9, 1.08);
        let tall = b.rng.range(0.26, 0.42);
        curtain(c, b, &glow, foot, tall);
    }

    let sun = sky::Sun { x: c.width / 2.0, y: shore * 0.5, radius: 0.05 };
    let hills = ridges::layers(c, b, 3, shore * 0.97, shore * 1.02);
    let dark: Vec<ridges::Layer> = hills
        .into_iter()
        .map(|layer| ridges::Layer { ink: mix(layer.ink, b.palette.near, 0.75), haze: 0.25, ..layer })
        .collect();
    ridges::stack(c, b, &dark, sun);
    if b.water || b.rng.chance(0.6) {
        sky::mirror(c, b, shore);
    } else {
        c.alter([0.0, shore, c.width, c.height], |_, y, below| if y < shore { below } else { b.palette.near });
    }
    let ground = c.height * 0.97;
    let trees = pines::Row::new(c, b, ground, 0.2);
    pines::row(c, &trees, mix(b.palette.near, [0.0; 3], 0.4), None);
    c.vignette(0.3);
}

/// One curtain: a winding foot from which rays stand up.
fn curtain(c: &mut Canvas, b: &mut Brief, glow: &Ramp, foot: f32, tall: f32) {
    let (seed, tilt) = (b.rng.seed(), b.rng.range(-0.22, 0.22));
    let strength = b.rng.range(0.85, 1.15);
    let middle = c.width / 2.0;
    let line = c.profile(|x| {
        foot + tilt * (x - middle) + 0.16 * fbm(x * 1.1, 0.0, 2, seed) + 0.05 * fbm(x * 3.6, 2.0, 3, seed ^ 3)
    });
    let rays = c.profile(|x| {
        let fold = 0.25 + 0.75 * smooth(-0.6, 0.5, fbm(x * 1.6, 5.0, 2, seed ^ 11));
        let ray = 0.62 + 0.3 * noise(x * 26.0, 0.0, seed ^ 21) + 0.14 * noise(x * 75.0, 0.0, seed ^ 31);
        fold * ray.clamp(0.0, 1.0)
    });
    let heights = c.profile(|x| tall * (0.7 + 0.45 * noise(x * 7.0, 9.0, seed)));
    c.shade(|x, y, below| {
        let up = (line.at(x) - y) / heights.at(x);
        if !(-0.12..3.2).contains(&up) {
            return below;
        }
        let body = if up < 0.0 { (up / 0.05).exp() } else { (-up * 1.35).exp() };
        screen(below, glow.at(up * 0.75), body * rays.at(x) * strength)
    });
}
