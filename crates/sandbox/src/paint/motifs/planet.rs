//! A planet with rings before a nebula.

use super::sky;
use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Ramp, blend, mix, scale, screen},
    noise::{Norm as _, fbm, hash_unit, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let flats = b.palette.flats;
    let deep = scale(flats[5], 0.55);
    let seed = b.rng.seed();
    let (sin, cos) = b.rng.range(-0.9, 0.9).sin_cos();
    let (wide, tall) = (c.width, c.height);
    let cloud = Field::new(c, 3.0, move |x, y| {
        let (u, v) = (x * cos - y * sin, x * sin + y * cos);
        let w = fbm(u * 1.4, v * 2.2, 3, seed);
        fbm(u * 1.7 + w * 1.1, v * 2.6 + w, 5, seed ^ 0x1f)
    });
    let gas = Ramp::new(&[deep, flats[4], flats[3], b.palette.accent, b.palette.light]);
    c.shade(|x, y, _| {
        let (dx, dy) = (x - wide / 2.0, y - tall / 2.0);
        let band = (-((dx * sin + dy * cos) / 0.42).powi(2)).exp();
        let thick = smooth(-0.25, 0.75, cloud.at(x, y)) * (0.25 + 0.75 * band);
        blend(deep, gas.at(thick * 0.85), (thick * 1.15).min(0.85))
    });
    sky::stars(c, b, tall * 2.2);
    sparks(c, b);

    let radius = b.rng.range(0.19, 0.27);
    let at = (wide / 2.0 + b.rng.range(-0.14, 0.14), tall / 2.0 + b.rng.range(-0.08, 0.08));
    let ringed = b.rng.chance(0.7);
    let tilt = b.rng.range(-0.5, 0.5);
    let lamp = (b.rng.side() * 0.62, -0.5);
    if ringed {
        ring(c, b, at, radius, tilt, false);
    }
    globe(c, b, at, radius, tilt, lamp);
    if ringed {
        ring(c, b, at, radius, tilt, true);
    }
    let moon = (at.0 - lamp.0 * b.rng.range(0.55, 0.8), at.1 + b.rng.range(-0.3, -0.12));
    let small = radius * b.rng.range(0.13, 0.22);
    globe(c, b, moon, small, 0.3, lamp);
    c.vignette(0.25);
}

/// A few bright stars with rays.
fn sparks(c: &mut Canvas, b: &mut Brief) {
    let light = b.palette.light;
    for _ in 0..9 {
        let (x0, y0, size) = (c.width * b.rng.unit(), c.height * b.rng.unit(), b.rng.range(0.008, 0.022));
        c.alter([x0 - size, y0 - size, x0 + size, y0 + size], |x, y, below| {
            let (dx, dy) = ((x - x0).abs() / size, (y - y0).abs() / size);
            let rays =
                (-dx * 26.0).exp() * (1.0 - dy).max(0.0).powi(2) + (-dy * 26.0).exp() * (1.0 - dx).max(0.0).powi(2);
            let core = (-(dx.norm(dy)) * 9.0).exp();
            screen(below, light, (rays * 0.8 + core).min(1.0))
        });
    }
}

fn globe(c: &mut Canvas, b: &mut Brief, (x0, y0): (f32, f32), radius: f32, tilt: f32, lamp: (f32, f32)) {
    let seed = b.rng.seed();
    let flats = b.palette.flats;
    let skin = Ramp::new(&[flats[3], flats[1], b.palette.accent, flats[0], flats[2], flats[1], flats[3]]);
    let (sin, cos) = tilt.sin_cos();
    let stripes = b.rng.range(2.2, 4.5);
    let (light, dark) = (b.palette.light, scale(flats[5], 0.45));
    let air = mix(b.palette.accent, light, 0.4);
    let halo = radius * 1.16;
    c.alter([x0 - halo, y0 - halo, x0 + halo, y0 + halo], |x, y, below| {
        let (dx, dy) = ((x - x0) / radius, (y - y0) / radius);
        let d = dx.norm(dy);
        let facing = (dx * lamp.0 + dy * lamp.1).max(0.0);
        screen(below, air, 0.5 * facing * (-(d - 1.0).max(0.0) * 16.0).exp() * f32::from(u8::from(d >= 0.99)))
    });
    c.fill(
        [x0 - radius, y0 - radius, x0 + radius, y0 + radius],
        |x, y| (x - x0).norm(y - y0) - radius,
        |x, y| {
            let (dx, dy) = ((x - x0) / radius, (y - y0) / radius);
            let dz = (1.0 - dx * dx - dy * dy).max(0.0).sqrt();
            let (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
            let storm = fbm(u * 1.6 + 3.0, v * 4.5, 4, seed);
            let band = 0.5 + 0.5 * (v * stripes * 3.0 + storm * 1.5).sin();
            let colour = skin.at(band * 0.8 + storm * 0.22 + 0.1);
            let lit = (dx * lamp.0 + dy * lamp.1 + dz * 0.62).max(0.0);
            let shaded = blend(dark, colour, smooth(0.0, 0.85, lit));
            screen(shaded, air, (1.0 - dz).powi(3) * 0.7 * smooth(0.1, 0.8, lit + 0.2))
        },
    );
}

/// The half of the rings behind the planet, or the half before it.
fn ring(c: &mut Canvas, b: &Brief, (x0, y0): (f32, f32), radius: f32, tilt: f32, front: bool) {
    let (sin, cos) = tilt.sin_cos();
    let (inner, outer) = (radius * 1.32, radius * 2.05);
    let (bright, dim) = (b.palette.flats[0], b.palette.flats[2]);
    let px = c.px;
    c.cover([x0 - outer, y0 - outer, x0 + outer, y0 + outer], |x, y| {
        let (dx, dy) = (x - x0, y - y0);
        let (u, v) = (dx * cos + dy * sin, (dy * cos - dx * sin) / 0.26);
        if (v > 0.0) != front {
            return None;
        }
        let d = u.norm(v);
        let edge = px / 0.26;
        let cover = ((d - inner) / edge + 0.5).clamp(0.0, 1.0) * ((outer - d) / edge + 0.5).clamp(0.0, 1.0);
        let t = (d - inner) / (outer - inner);
        let groove = 0.55 + 0.45 * (t * 31.0).sin() * hash_unit((t * 14.0) as i32, 1, 5);
        let gap = 1.0 - 0.85 * (1.0 - smooth(0.0, 0.035, (t - 0.62).abs()));
        Some((blend(dim, bright, groove), cover * gap * (0.35 + 0.5 * groove)))
    });
}
