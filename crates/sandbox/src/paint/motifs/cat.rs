//! A cat on a wall, watching the moon.

use super::{ridges, sky, sky::Sun};
use crate::paint::{
    brief::Brief,
    canvas::Canvas,
    colour::{Rgb, blend, mix, scale, screen},
    noise::{Norm as _, fbm, smooth},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let ledge = c.height * b.rng.range(0.8, 0.86);
    let at = c.width / 2.0 + b.rng.range(-0.16, 0.16);
    let sun = Sun {
        x: at + b.rng.range(-0.1, 0.1),
        y: ledge - b.rng.range(0.36, 0.46).min(ledge * 0.6),
        radius: b.rng.range(0.21, 0.27),
    };
    sky::draw_with(c, b, ledge, sun);
    let hills = ridges::layers(c, b, 4, ledge * 0.92, ledge * 1.04);
    ridges::stack(c, b, &hills, sun);

    let ink = mix(b.palette.near, b.palette.flats[5], 0.5);
    let stone = mix(ink, b.palette.far, 0.22);
    wall(c, b, ledge, stone);
    let ink = scale(ink, 0.6);
    let size = b.rng.range(0.3, 0.36).min(c.height * 0.4);
    cat(c, b, (at, ledge + 0.004), size, ink);
    c.vignette(0.24);
}

fn wall(c: &mut Canvas, b: &mut Brief, ledge: f32, ink: Rgb) {
    let seed = b.rng.seed();
    let line = c.profile(|x| ledge + 0.004 * fbm(x * 9.0, 0.0, 3, seed));
    let (px, light) = (c.px, b.palette.light);
    let joint = mix(ink, b.palette.far, 0.14);
    let bottom = c.height;
    c.shade_band(line.top(), bottom, |x, y, below| {
        let under = y - line.at(x);
        let cover = (under / px + 0.5).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return below;
        }
        let row = (under / 0.045).floor();
        let shift = if row as i32 % 2 == 0 { 0.0 } else { 0.05 };
        let (u, v) = (((x + shift) / 0.1).fract(), (under / 0.045).fract());
        let gap = (1.0 - smooth(0.0, 0.05, v.min(1.0 - v))).max(1.0 - smooth(0.0, 0.03, u.min(1.0 - u)));
        let stone = blend(ink, joint, gap * 0.5 + 0.25 * fbm(x * 22.0, y * 22.0, 2, seed ^ 3).max(0.0));
        let lit = screen(stone, light, (1.0 - smooth(0.0, 0.006, under)) * 0.3);
        blend(below, lit, cover)
    });
}

/// Seen from behind, tail over the edge; a rim of light where the moon is.
fn cat(c: &mut Canvas, b: &mut Brief, (x0, y0): (f32, f32), size: f32, ink: Rgb) {
    let side = b.rng.side();
    let curl = b.rng.range(0.5, 1.1);
    let tilt = b.rng.range(-0.14, 0.14);
    let shape = move |x: f32, y: f32| {
        // One cat is one unit tall; up is positive, the tail is to the right.
        let (u, v) = ((x - x0) / size * side, (y0 - y) / size);
        let hips = ellipse(u, v, 0.0, 0.19, 0.28, 0.215);
        let back = ellipse(u, v, -0.01, 0.38, 0.21, 0.33);
        let mut d = join(hips, back, 0.12);
        let (hu, hv) = (u + 0.02 - tilt * (v - 0.62), v);
        let head = ellipse(hu, hv, 0.0, 0.745, 0.2, 0.162);
        d = join(d, head, 0.11);
        for ear in [-1.0, 1.0] {
            d = join(d, triangle(hu, hv, (ear * 0.182, 0.78), (ear * 0.04, 0.88), (ear * 0.165, 0.985)) - 0.012, 0.03);
        }
        d = join(d, tail(u, v, curl).min(1.0), 0.03);
        d.max(-v - 0.5) * size
    };
    let edge = [x0 - size * 0.9, y0 - size * 1.1, x0 + size * 0.9, y0 + size * 0.6];
    let light = b.palette.light;
    let fur = mix(ink, b.palette.far, 0.1);
    let px = c.px;
    c.cover(edge, |x, y| {
        let d = shape(x, y);
        let cover = (0.5 - d / px).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return None;
        }
        let inside = -d / size;
        let above = smooth(0.1, 0.9, (y0 - y) / size);
        let rim = (1.0 - smooth(0.0, 0.02, inside)) * (0.1 + 0.45 * above);
        Some((screen(blend(ink, fur, smooth(0.0, 0.2, inside)), light, rim), cover))
    });
}

/// A tail along the ledge that hangs down and curls up at its end.
fn tail(u: f32, v: f32, curl: f32) -> f32 {
    let mut nearest = f32::MAX;
    if v > 0.4 || u < 0.0 {
        return nearest;
    }
    let (mut x, mut y, mut angle) = (0.2f32, 0.07f32, -0.35f32);
    for n in 0..40 {
        let t = n as f32 / 40.0;
        nearest = nearest.min((u - x).norm(v - y) - (0.052 - 0.022 * t));
        angle += if t < 0.35 { -0.0765 } else { 0.117 * curl };
        x += angle.cos() * 0.0153;
        y += angle.sin() * 0.0153;
    }
    nearest
}

fn ellipse(u: f32, v: f32, cx: f32, cy: f32, rx: f32, ry: f32) -> f32 {
    let (du, dv) = ((u - cx) / rx, (v - cy) / ry);
    (du.norm(dv) - 1.0) * rx.min(ry)
}

/// Union with a soft seam.
fn join(a: f32, b: f32, soft: f32) -> f32 {
    let h = (0.5 + 0.5 * (b - a) / soft).clamp(0.0, 1.0);
    b + (a - b) * h - soft * h * (1.0 - h)
}

fn triangle(u: f32, v: f32, a: (f32, f32), b: (f32, f32), c: (f32, f32)) -> f32 {
    let edge = |p: (f32, f32), q: (f32, f32)| {
        let (ex, ey) = (q.0 - p.0, q.1 - p.1);
        ((u - p.0) * ey - (v - p.1) * ex) / ex.norm(ey)
    };
    let turn = ((b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)).signum();
    edge(a, b).mul_add(turn, 0.0).max(edge(b, c) * turn).max(edge(c, a) * turn)
}
