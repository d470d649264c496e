//! Circles, quarters, bars: a composition on a grid.

use crate::paint::{
    brief::Brief,
    canvas::{Canvas, Field},
    colour::{Rgb, scale},
    noise::{Norm as _, fbm},
};

pub(super) fn draw(c: &mut Canvas, b: &mut Brief) {
    let flats = b.palette.flats;
    let paper = if b.night { flats[5] } else { flats[0] };
    c.shade(|_, _, _| paper);

    let across = 3 + b.rng.below(3);
    let cell = 1.0 / across as f32;
    let (columns, rows) = ((c.width / cell).round() as usize, (c.height / cell).round() as usize);
    let (wide, tall) = (c.width / columns as f32, c.height / rows as f32);
    let mut taken = vec![false; columns * rows];
    for row in 0..rows {
        for column in 0..columns {
            if taken[row * columns + column] {
                continue;
            }
            // Now and then one shape fills four cells.
            let free = |r: usize, k: usize, taken: &[bool]| r < rows && k < columns && !taken[r * columns + k];
            let big = b.rng.chance(0.22)
                && free(row + 1, column, &taken)
                && free(row, column + 1, &taken)
                && free(row + 1, column + 1, &taken);
            let span = if big { 2 } else { 1 };
            for r in row..row + span {
                for k in column..column + span {
                    taken[r * columns + k] = true;
                }
            }
            let place =
                [column as f32 * wide, row as f32 * tall, (column + span) as f32 * wide, (row + span) as f32 * tall];
            tile(c, b, place, paper);
        }
    }

    let seed = b.rng.seed();
    let fibre =
        Field::new(c, 2.0, move |x, y| fbm(x * 34.0, y * 42.0, 2, seed) + 0.6 * fbm(x * 4.0, y * 4.0, 2, !seed));
    c.shade(|x, y, below| scale(below, 1.0 + 0.022 * fibre.at(x, y)));
    c.vignette(0.08);
}

fn tile(c: &mut Canvas, b: &mut Brief, place: [f32; 4], paper: Rgb) {
    let [left, top, right, bottom] = place;
    let flats = b.palette.flats;
    let mut inks = vec![flats[1], flats[2], flats[3], flats[4], flats[5], flats[0], b.palette.accent];
    let ground = if b.rng.chance(0.3) { paper } else { b.rng.pick(&inks) };
    inks.retain(|ink| *ink != ground);
    let (first, second) = (b.rng.pick(&inks), b.rng.pick(&inks));
    let (w, h) = (right - left, bottom - top);
    let size = w.min(h);
    let (cx, cy) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let (sx, sy) = (b.rng.side(), b.rng.side());

    c.fill(place, |x, y| rect(x, y, cx, cy, w / 2.0 + 0.001, h / 2.0 + 0.001), |_, _| ground);
    let inside = |x: f32, y: f32| rect(x, y, cx, cy, w / 2.0, h / 2.0);
    match b.rng.below(8) {
        0 => {
            c.fill(place, |x, y| (x - cx).norm(y - cy) - size * 0.42, |_, _| first);
            c.fill(place, |x, y| (x - cx).norm(y - cy) - size * 0.18, |_, _| second);
        }
        1 => {
            let (qx, qy) = (cx - sx * w / 2.0, cy - sy * h / 2.0);
            c.fill(place, |x, y| ((x - qx).norm(y - qy) - size).max(inside(x, y)), |_, _| first);
        }
        2 => {
            let (qx, qy) = (cx - sx * w / 2.0, cy - sy * h / 2.0);
            for (n, ink) in [first, ground, second, ground].into_iter().enumerate() {
                let r = size * (1.0 - 0.25 * n as f32);
                c.fill(place, |x, y| ((x - qx).norm(y - qy) - r).max(inside(x, y)), |_, _| ink);
            }
        }
        3 => {
            c.fill(place, |x, y| ((x - cx).norm(y - (cy - sy * h / 2.0)) - size / 2.0).max(inside(x, y)), |_, _| first)
        }
        4 => c.fill(place, |x, y| ((x - cx) / w * sx + (y - cy) / h * sy).max(inside(x, y)) * size, |_, _| first),
        5 => {
            let bars = 5.0;
            c.fill(
                place,
                |x, y| {
                    let along = if sx > 0.0 { (x - left) / w } else { (y - top) / h };
                    let d = ((along * bars).fract() - 0.25).abs() - 0.25;
                    (d * size / bars).max(inside(x, y))
                },
                |_, _| first,
            );
        }
        6 => {
            for (n, ink) in [(0, first), (1, second)] {
                let qx = cx + (n as f32 - 0.5) * w * sx;
                c.fill(place, |x, y| ((x - qx).norm(y - cy) - size / 2.0).max(inside(x, y)), |_, _| ink);
            }
        }
        _ => {
            let dots = 3.0;
            c.fill(
                place,
                |x, y| {
                    let (u, v) = (((x - left) / w * dots).fract() - 0.5, ((y - top) / h * dots).fract() - 0.5);
                    (u.norm(v) - 0.28) * size / dots
                },
                |_, _| first,
            );
        }
    }
}

fn rect(x: f32, y: f32, cx: f32, cy: f32, half_w: f32, half_h: f32) -> f32 {
    ((x - cx).abs() - half_w).max((y - cy).abs() - half_h)
}
