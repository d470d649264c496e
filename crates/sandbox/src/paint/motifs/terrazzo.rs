//! Terrazzo: polished chips of stone in a pale ground.

use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{blend, scale},
    noise::{Norm as _, Rng, fbm, lerp, smooth},
};

const CORNERS: usize = 6;

/// A convex chip: its middle and the half planes that cut it out.
struct Chip {
    x: f32,
    y: f32,
    radius: f32,
    cuts: [(f32, f32, f32); CORNERS],
}

impl Chip {
    fn new(rng: &mut Rng, x: f32, y: f32, radius: f32) -> Self {
        let start = rng.range(0.0, 6.3);
        let long = rng.range(0.0, 6.3);
        let cuts = [0, 1, 2, 3, 4, 5].map(|n| {
            let angle = start + (n as f32 + rng.range(-0.32, 0.32)) * std::f32::consts::TAU / CORNERS as f32;
            let stretch = 0.72 + 0.28 * (angle - long).cos().powi(2);
            (angle.cos(), angle.sin(), radius * stretch * rng.range(0.55, 0.86))
        });
        Self { x, y, radius, cuts }
    }

    fn distance(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let mut worst = f32::MIN;
        // Soft corners: two edges close to each other count together.
        let round = self.radius * 0.08;
        for (nx, ny, far) in self.cuts {
            let d = dx * nx + dy * ny - far;
            let blend = (0.5 + 0.5 * (d - worst) / round).clamp(0.0, 1.0);
            worst = if worst == f32::MIN { d } else { lerp(worst, d, blend) + round * blend * (1.0 - blend) };
        }
        worst
    }
}

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let flats = b.palette.flats;
    let ground = if b.night { flats[5] } else { flats[0] };
    let seed = b.rng.seed();
    let stain = Field::new(c, 4.0, move |x, y| fbm(x * 2.2, y * 2.2, 4, seed));
    c.shade(|x, y, _| scale(ground, 1.0 + 0.03 * stain.at(x, y)));

    let mut inks = vec![flats[1], flats[2], flats[3], flats[4], b.palette.accent];
    inks.push(if b.night { flats[0] } else { flats[5] });
    let mut placed: Vec<(f32, f32, f32)> = Vec::new();
    let sizes = [(0.105, 10), (0.07, 26), (0.04, 90), (0.019, 320), (0.008, 700)];
    let area = c.width * c.height;
    for (size, count) in sizes {
        for _ in 0..(count as f32 * area) as usize {
            let radius = size * b.rng.range(0.75, 1.2);
            let (x, y) = (b.rng.range(-0.03, c.width + 0.03), b.rng.range(-0.03, c.height + 0.03));
            let crowded = |(a, d, r): &(f32, f32, f32)| (x - a).norm(y - d) < (radius + r) * 0.86 + 0.003;
            if placed.iter().any(crowded) {
                continue;
            }
            placed.push((x, y, radius));
            let chip = Chip::new(&mut b.rng, x, y, radius);
            let ink = b.rng.pick(&inks);
            let vein = b.rng.seed();
            let edge = [x - radius, y - radius, x + radius, y + radius];
            let light = b.palette.light;
            c.fill(
                edge,
                |x, y| chip.distance(x, y),
                |x, y| {
                    let marble = fbm(x * 13.0, y * 13.0, 3, vein);
                    let line = 1.0 - smooth(0.0, 0.07, (marble - 0.1).abs());
                    blend(scale(ink, 1.0 + 0.07 * marble), light, line * 0.16)
                },
            );
        }
    }
    let (wide, tall) = (c.width, c.height);
    c.shade(|x, y, below| scale(below, 1.02 - 0.07 * (x / wide * 0.4 + y / tall * 0.6)));
}
