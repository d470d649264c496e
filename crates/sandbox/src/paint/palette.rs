//! Colours that go together.

use super::{
    colour::{Ramp, Rgb, adjust, hex},
    noise::Rng,
};

/// Colours of one mood, from the sky down to the ground.
#[derive(Clone, Debug)]
pub(crate) struct Palette {
    /// Zenith to horizon.
    pub(crate) sky: [Rgb; 4],
    /// The furthest and the nearest ground.
    pub(crate) far: Rgb,
    pub(crate) near: Rgb,
    /// Sun, moon, lamps.
    pub(crate) light: Rgb,
    /// The one thing that stands out.
    pub(crate) accent: Rgb,
    /// Inks for flat shapes: paper first, darkest last.
    pub(crate) flats: [Rgb; 6],
}

impl Palette {
    pub(crate) fn sky_ramp(&self) -> Ramp {
        Ramp::new(&self.sky)
    }

    /// Everything from paper to ink, for tone mapping: dark first.
    pub(crate) fn tones(&self) -> Ramp {
        Ramp::new(&[self.flats[5], self.near, self.flats[3], self.flats[2], self.flats[1], self.flats[0]])
    }
}

/// Names of [`ALL`], for words to point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Dawn,
    Sunset,
    Dusk,
    Night,
    Forest,
    Sea,
    Desert,
    Ice,
    Rose,
    Lavender,
    Autumn,
    Mint,
    Mono,
    Ember,
    Gold,
    Indigo,
}

struct Inks {
    sky: [u32; 4],
    ground: [u32; 2],
    light: u32,
    accent: u32,
    flats: [u32; 6],
}

impl Mood {
    /// What a prompt without a colour may get.
    pub(crate) const ANY: &[Self] = &[
        Self::Dawn,
        Self::Sunset,
        Self::Dusk,
        Self::Forest,
        Self::Sea,
        Self::Desert,
        Self::Rose,
        Self::Lavender,
        Self::Autumn,
        Self::Mint,
        Self::Indigo,
        Self::Gold,
    ];

    pub(crate) fn is_night(self) -> bool {
        matches!(self, Self::Night | Self::Indigo)
    }

    /// The palette, tuned a little so that no two pictures share it exactly.
    pub(crate) fn palette(self, rng: &mut Rng) -> Palette {
        let turn = rng.range(-0.09, 0.09);
        let chroma = rng.range(0.94, 1.08);
        let tune = |code: u32| adjust(hex(code), turn, 1.0, chroma);
        let inks = self.inks();
        Palette {
            sky: inks.sky.map(tune),
            far: tune(inks.ground[0]),
            near: tune(inks.ground[1]),
            light: tune(inks.light),
            accent: tune(inks.accent),
            flats: inks.flats.map(tune),
        }
    }

    fn inks(self) -> Inks {
        let (sky, ground, light, accent, flats) = match self {
            Self::Dawn => (
                [0x5f74ad, 0xae9cc4, 0xf0bfb4, 0xffe4c4],
                [0xc7aabb, 0x2b3153],
                0xfff3da,
                0xee8468,
                [0xf8eadb, 0xf3c2a2, 0xe2887f, 0x9a6a94, 0x5a5a8c, 0x2b3153],
            ),
            Self::Sunset => (
                [0x2f2b5e, 0x8d3c70, 0xef6f5c, 0xffc777],
                [0xb9525f, 0x1d1432],
                0xffecb8,
                0xff7a4d,
                [0xfdeedb, 0xffc777, 0xf5825a, 0xc84867, 0x6d2f68, 0x241a3e],
            ),
            Self::Dusk => (
                [0x1d2350, 0x4d427f, 0xa76892, 0xf3b89e],
                [0x80608f, 0x14132f],
                0xffe6cf,
                0xf58f7c,
                [0xf6e7e1, 0xeab4a8, 0xb9739a, 0x6f5592, 0x3c3a72, 0x181a3c],
            ),
            Self::Night => (
                [0x060a1d, 0x0d1a3c, 0x1b3661, 0x3e6a91],
                [0x27476f, 0x040711],
                0xf6f2dd,
                0xf4c455,
                [0xeef0ea, 0xa9c0d6, 0x5b86b0, 0x2c5584, 0x15305a, 0x081228],
            ),
            Self::Forest => (
                [0xa9c8bb, 0xc9ddc9, 0xe8eed8, 0xfaf4de],
                [0x98b8a4, 0x102c26],
                0xfffbe3,
                0xdb8d3a,
                [0xf5f2e0, 0xcfdcb0, 0x8fb07f, 0x4f8063, 0x2a5546, 0x12312a],
            ),
            Self::Sea => (
                [0x3c90ba, 0x86c6d8, 0xcfe9e5, 0xfff2da],
                [0x63adc0, 0x0a3656],
                0xfffaf0,
                0xf26a5a,
                [0xf6f3e8, 0xbfe0dc, 0x6fb9c4, 0x2f86a6, 0x175b80, 0x0b2f4d],
            ),
            Self::Desert => (
                [0x5e9bb5, 0xb9cfc6, 0xf4dcae, 0xf9bd86],
                [0xe3a577, 0x6d3128],
                0xfff2d0,
                0xd9512c,
                [0xfaeed8, 0xf2cf9b, 0xe59c63, 0xc4643f, 0x7f3b31, 0x3d2024],
            ),
            Self::Ice => (
                [0x7aa3cf, 0xafcce6, 0xd9e9f4, 0xf8fafb],
                [0xb3cce1, 0x2c4c72],
                0xffffff,
                0xf0876b,
                [0xf7fafc, 0xd3e4f0, 0x9fc2de, 0x6795c2, 0x3a6597, 0x1c3558],
            ),
            Self::Rose => (
                [0xc9799c, 0xe6a6b5, 0xf8d3cc, 0xfff0e2],
                [0xd695aa, 0x5a2344],
                0xfff7ea,
                0xe4526b,
                [0xfdf1ea, 0xf7cfc8, 0xeb98a5, 0xc95f83, 0x87386a, 0x3f1a3a],
            ),
            Self::Lavender => (
                [0x6d6bb3, 0xa39bd3, 0xd6c6e8, 0xfde9e9],
                [0xa497cc, 0x2a2555],
                0xfff6e8,
                0xf3a0b4,
                [0xf7f2fa, 0xdacdee, 0xb09fd9, 0x8070b9, 0x514990, 0x252253],
            ),
            Self::Autumn => (
                [0xc9a57c, 0xe7c99b, 0xf7e3bf, 0xfff3d9],
                [0xd39a5f, 0x3f1a18],
                0xfff8e2,
                0xc63f28,
                [0xfbf1dd, 0xf3c987, 0xe1923f, 0xbb5328, 0x7a2f24, 0x38191a],
            ),
            Self::Mint => (
                [0x4fa3a0, 0x8fcfc0, 0xcdebd6, 0xfdf6de],
                [0x83c4b4, 0x123f47],
                0xfffbe8,
                0xff8a6b,
                [0xf6f6e9, 0xc6e8d4, 0x86cdb9, 0x3f9f9b, 0x1f6c75, 0x103840],
            ),
            Self::Mono => (
                [0x6d7076, 0xa5a8ad, 0xd3d4d6, 0xf3f2ef],
                [0xabadb1, 0x16181c],
                0xffffff,
                0xb9b6ae,
                [0xf5f4f1, 0xd5d5d4, 0xa3a5a8, 0x6c6f75, 0x3b3e44, 0x15171b],
            ),
            Self::Ember => (
                [0x3a0f1f, 0x8c1f2f, 0xd9432f, 0xf9a03f],
                [0x9c2f34, 0x1a0710],
                0xffe2a8,
                0xff5d3a,
                [0xfbe9dc, 0xf7b08a, 0xe8583f, 0xb82636, 0x6e1830, 0x2a0c1b],
            ),
            Self::Gold => (
                [0xd79a3c, 0xf0bf62, 0xfadf9c, 0xfff5d8],
                [0xe0ae5a, 0x4a2b16],
                0xfffbe6,
                0xe2612b,
                [0xfdf5df, 0xfadb8c, 0xf0b13f, 0xcf7f24, 0x87501f, 0x3b2418],
            ),
            Self::Indigo => (
                [0x0b0f33, 0x1f2468, 0x4a3c9b, 0x9a63b8],
                [0x44388c, 0x080a22],
                0xffeedd,
                0xff8fa3,
                [0xf1edf8, 0xc3b3ea, 0x8a76d6, 0x5646ad, 0x2f2b7b, 0x10123d],
            ),
        };
        Inks { sky, ground, light, accent, flats }
    }
}
