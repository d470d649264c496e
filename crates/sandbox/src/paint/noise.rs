//! Numbers that look like chance and always come out the same.

/// A small deterministic generator (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, without, 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub(crate) fn range(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.unit()
    }

    /// From 0 up to, without, `n`; 0 when `n` is.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, of: f32) -> bool {
        self.unit() < of
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Minus one or one.
    pub(crate) fn side(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    pub(crate) fn seed(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }
}

/// A well mixed word for a place on the integer grid.
#[inline]
pub(crate) fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77) ^ seed;
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}

/// The same, from 0 to 1.
#[inline]
pub(crate) fn hash_unit(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Smooth noise from -1 to 1.
#[inline]
pub(crate) fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let (i, j) = (floor(x), floor(y));
    let (dx, dy) = (x - i as f32, y - j as f32);
    let (u, v) = (fade(dx), fade(dy));
    let corner = |a: i32, b: i32| hash_unit(i.wrapping_add(a), j.wrapping_add(b), seed);
    let above = lerp(corner(0, 0), corner(1, 0), u);
    let below = lerp(corner(0, 1), corner(1, 1), u);
    lerp(above, below, v) * 2.0 - 1.0
}

/// Octaves of noise, about -1 to 1.
#[inline]
pub(crate) fn fbm(mut x: f32, mut y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += weight * noise(x, y, seed.wrapping_add(octave.wrapping_mul(0x68bc_21eb)));
        total += weight;
        weight *= 0.5;
        // A turn between octaves hides the grid.
        (x, y) = (x * 1.6 - y * 1.2 + 7.3, x * 1.2 + y * 1.6 - 3.1);
    }
    sum / total
}

/// Octaves along a line, about -1 to 1, folded into sharp crests.
pub(crate) fn crests(x: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
    for octave in 0..octaves {
        let n = noise(x * scale, 0.37 * f32::from(octave as u16), seed.wrapping_add(octave * 7919));
        sum += weight * (1.0 - 2.0 * n.abs());
        total += weight;
        weight *= 0.47;
        scale *= 2.03;
    }
    sum / total
}

/// Without a call into the C library, which every octave would pay for.
#[inline]
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}

/// Distances in a plane.
pub(crate) trait Norm {
    fn norm(self, other: Self) -> Self;
}

impl Norm for f32 {
    /// `hypot` for numbers that are neither huge nor tiny, several times as fast.
    #[inline]
    fn norm(self, other: f32) -> f32 {
        (self * self + other * other).sqrt()
    }
}

#[inline]
fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

#[inline]
pub(crate) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// 0 before `from`, 1 after `to`, smooth between.
#[inline]
pub(crate) fn smooth(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
