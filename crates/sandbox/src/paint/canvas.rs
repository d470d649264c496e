//! What motifs draw on.
//!
//! Coordinates count in units of the shorter side, from the upper left corner: a square runs from 0 to 1
//! on both axes, a 16:9 picture from 0 to 1.79 and from 0 to 1. Shapes so keep their size in every format.

use super::{
    colour::{Rgb, blend},
    noise::{hash, lerp},
};

#[derive(Clone, Debug)]
pub(crate) struct Canvas {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Right edge.
    pub(crate) width: f32,
    /// Lower edge.
    pub(crate) height: f32,
    /// One pixel.
    pub(crate) px: f32,
    pixels: Vec<Rgb>,
}

/// Left, top, right, bottom.
pub(crate) type Bounds = [f32; 4];

impl Canvas {
    pub(crate) fn new(columns: u32, rows: u32) -> Self {
        let (columns, rows) = (columns.max(1) as usize, rows.max(1) as usize);
        let unit = columns.min(rows) as f32;
        Self {
            columns,
            rows,
            width: columns as f32 / unit,
            height: rows as f32 / unit,
            px: 1.0 / unit,
            pixels: vec![[0.0; 3]; columns * rows],
        }
    }

    /// Recomputes every pixel from its place and its present colour, on all cores.
    pub(crate) fn shade(&mut self, f: impl Fn(f32, f32, Rgb) -> Rgb + Sync) {
        self.shade_band(0.0, self.height, f);
    }

    /// The same between two heights.
    pub(crate) fn shade_band(&mut self, top: f32, bottom: f32, f: impl Fn(f32, f32, Rgb) -> Rgb + Sync) {
        let (columns, px) = (self.columns, self.px);
        let first = ((top / px - 1.0).max(0.0) as usize).min(self.rows);
        let last = ((bottom / px + 1.0).max(0.0) as usize).clamp(first, self.rows);
        parallel_rows(&mut self.pixels[first * columns..last * columns], columns, |row, pixels| {
            let y = ((first + row) as f32 + 0.5) * px;
            for (column, pixel) in pixels.iter_mut().enumerate() {
                *pixel = f((column as f32 + 0.5) * px, y, *pixel);
            }
        });
    }

    /// Paints a shape given by its signed distance: negative inside, in canvas units.
    pub(crate) fn fill(&mut self, bounds: Bounds, distance: impl Fn(f32, f32) -> f32, ink: impl Fn(f32, f32) -> Rgb) {
        let px = self.px;
        self.cover(bounds, |x, y| {
            let cover = (0.5 - distance(x, y) / px).clamp(0.0, 1.0);
            (cover > 0.0).then(|| (ink(x, y), cover))
        });
    }

    /// Lays colour with a cover of 0 to 1 over the pixels within bounds.
    pub(crate) fn cover(&mut self, bounds: Bounds, f: impl Fn(f32, f32) -> Option<(Rgb, f32)>) {
        self.alter(bounds, |x, y, below| f(x, y).map_or(below, |(ink, cover)| blend(below, ink, cover)));
    }

    /// Changes the pixels within bounds.
    pub(crate) fn alter(&mut self, [left, top, right, bottom]: Bounds, f: impl Fn(f32, f32, Rgb) -> Rgb) {
        let first = |edge: f32| ((edge / self.px).floor() - 1.0).max(0.0) as usize;
        let last = |edge: f32, most: usize| ((edge / self.px).ceil() + 1.0).clamp(0.0, most as f32) as usize;
        let (x0, x1) = (first(left), last(right, self.columns));
        let (y0, y1) = (first(top), last(bottom, self.rows));
        if x0 >= x1 {
            return;
        }
        for row in y0..y1 {
            let y = (row as f32 + 0.5) * self.px;
            let start = row * self.columns;
            for (column, pixel) in self.pixels[start + x0..start + x1].iter_mut().enumerate() {
                *pixel = f(((x0 + column) as f32 + 0.5) * self.px, y, *pixel);
            }
        }
    }

    /// The colour at a place, between pixels.
    pub(crate) fn sample(&self, x: f32, y: f32) -> Rgb {
        let (x, y) = ((x / self.px - 0.5).max(0.0), (y / self.px - 0.5).max(0.0));
        let (column, row) = ((x as usize).min(self.columns - 1), (y as usize).min(self.rows - 1));
        let (right, below) = ((column + 1).min(self.columns - 1), (row + 1).min(self.rows - 1));
        let (dx, dy) = ((x - column as f32).min(1.0), (y - row as f32).min(1.0));
        let at = |column: usize, row: usize| self.pixels[row * self.columns + column];
        blend(blend(at(column, row), at(right, row), dx), blend(at(column, below), at(right, below), dx), dy)
    }

    /// Where a pixel column is.
    pub(crate) fn columns_x(&self) -> impl Iterator<Item = f32> + use<> {
        let px = self.px;
        (0..self.columns).map(move |column| (column as f32 + 0.5) * px)
    }

    /// A line of values, one for each column.
    pub(crate) fn profile(&self, f: impl Fn(f32) -> f32) -> Profile {
        Profile { px: self.px, values: self.columns_x().map(f).collect() }
    }

    /// Darkens the corners a little.
    pub(crate) fn vignette(&mut self, amount: f32) {
        let (cx, cy) = (self.width / 2.0, self.height / 2.0);
        self.shade(|x, y, below| {
            let (dx, dy) = ((x - cx) / cx, (y - cy) / cy);
            let dark = 1.0 - amount * ((dx * dx + dy * dy) * 0.5).powi(2);
            below.map(|channel| channel * dark)
        });
    }

    /// Bytes for the encoder, enlarged when asked for more pixels: dithered, with a breath of film grain.
    pub(crate) fn to_bytes(&self, columns: usize, rows: usize, seed: u32) -> Vec<u8> {
        const GRAIN: f32 = 1.6;
        let (wide, tall) = (self.width / columns as f32, self.height / rows as f32);
        let same = (columns, rows) == (self.columns, self.rows);
        let mut bytes = vec![[0u8; 3]; columns * rows];
        parallel_rows(&mut bytes, columns, |row, line| {
            let y = (row as f32 + 0.5) * tall;
            for (column, out) in line.iter_mut().enumerate() {
                let pixel = if same {
                    self.pixels[row * columns + column]
                } else {
                    self.sample((column as f32 + 0.5) * wide, y)
                };
                let bits = hash(column as i32, row as i32, seed);
                let chance = ((bits & 0xffff) + (bits >> 16)) as f32 / 65_536.0 - 1.0;
                *out = pixel.map(|channel| (channel * 255.0 + chance * GRAIN + 0.5).clamp(0.0, 255.0) as u8);
            }
        });
        bytes.into_flattened()
    }

    pub(crate) fn from_bytes(columns: u32, rows: u32, bytes: &[u8]) -> Self {
        let mut canvas = Self::new(columns, rows);
        for (pixel, channels) in canvas.pixels.iter_mut().zip(bytes.as_chunks::<3>().0) {
            *pixel = channels.map(|channel| f32::from(channel) / 255.0);
        }
        canvas
    }
}

/// One value for each pixel column.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    px: f32,
    values: Vec<f32>,
}

impl Profile {
    #[inline]
    pub(crate) fn at(&self, x: f32) -> f32 {
        self.values[((x / self.px) as usize).min(self.values.len() - 1)]
    }

    /// The line without its details: the mean over `reach` to both sides.
    pub(crate) fn blurred(&self, reach: f32) -> Self {
        let (last, reach) = (self.values.len() - 1, ((reach / self.px) as usize).max(1));
        let mut sums = Vec::with_capacity(self.values.len() + 1);
        sums.push(0.0f64);
        for value in &self.values {
            sums.push(sums.last().copied().unwrap_or_default() + f64::from(*value));
        }
        let mean = |column: usize| {
            let (from, to) = (column.saturating_sub(reach), (column + reach).min(last) + 1);
            ((sums[to] - sums[from]) / (to - from) as f64) as f32
        };
        Self { px: self.px, values: (0..=last).map(mean).collect() }
    }

    /// The highest point, which is the smallest value.
    pub(crate) fn top(&self) -> f32 {
        self.values.iter().copied().fold(f32::MAX, f32::min)
    }

    /// Rise per unit, over a few pixels.
    pub(crate) fn slope(&self, x: f32) -> f32 {
        let column = ((x / self.px) as usize).min(self.values.len() - 1);
        let (from, to) = (column.saturating_sub(3), (column + 3).min(self.values.len() - 1));
        (self.values[to] - self.values[from]) / ((to - from).max(1) as f32 * self.px)
    }
}

/// A smooth field computed coarsely and read between its points.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    columns: usize,
    step: f32,
    values: Vec<f32>,
}

impl Field {
    /// Evaluates `f` on every `coarse`th pixel; of a large picture, as if it had a thousand rows.
    pub(crate) fn new(canvas: &Canvas, coarse: f32, f: impl Fn(f32, f32) -> f32 + Sync) -> Self {
        let step = canvas.px.max(1.0 / 1024.0) * coarse;
        let columns = (canvas.width / step).ceil() as usize + 3;
        let rows = (canvas.height / step).ceil() as usize + 3;
        let mut values = vec![0.0; columns * rows];
        parallel_rows(&mut values, columns, |row, line| {
            for (column, value) in line.iter_mut().enumerate() {
                *value = f((column as f32 - 1.0) * step, (row as f32 - 1.0) * step);
            }
        });
        Self { columns, step, values }
    }

    #[inline]
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = ((x / self.step + 1.0).max(0.0), (y / self.step + 1.0).max(0.0));
        let rows = self.values.len() / self.columns;
        let (column, row) = ((x as usize).min(self.columns - 2), (y as usize).min(rows - 2));
        let (dx, dy) = (x - column as f32, y - row as f32);
        let start = row * self.columns + column;
        let (above, below) = (&self.values[start..], &self.values[start + self.columns..]);
        lerp(lerp(above[0], above[1], dx), lerp(below[0], below[1], dx), dy)
    }

    /// How the field rises to the right and downwards.
    #[inline]
    pub(crate) fn gradient(&self, x: f32, y: f32) -> (f32, f32) {
        let d = self.step;
        ((self.at(x + d, y) - self.at(x - d, y)) / (2.0 * d), (self.at(x, y + d) - self.at(x, y - d)) / (2.0 * d))
    }
}

/// Runs over rows on as many threads as there are cores, up to four.
fn parallel_rows<T: Send>(of: &mut [T], columns: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let rows = of.len() / columns.max(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let share = rows.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let f = &f;
        for (part, chunk) in of.chunks_mut(share * columns).enumerate() {
            scope.spawn(move || {
                for (row, line) in chunk.chunks_mut(columns).enumerate() {
                    f(part * share + row, line);
                }
            });
        }
    });
}
