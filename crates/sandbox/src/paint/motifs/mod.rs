//! The things the painter can paint, one file each.

mod aurora;
mod bauhaus;
mod bokeh;
mod cat;
mod dunes;
mod leaves;
mod pines;
mod planet;
mod ridges;
mod sea;
mod silk;
mod sky;
mod skyline;
mod terrazzo;

use super::{brief::Brief, canvas::Canvas, palette::Mood};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motif {
    Ridges,
    Forest,
    Sea,
    Dunes,
    Aurora,
    Skyline,
    Planet,
    Cat,
    Leaves,
    Bauhaus,
    Terrazzo,
    Silk,
    Bokeh,
}

impl Motif {
    /// What a prompt without any known word may get.
    pub(crate) const FREE: &[Self] = &[
        Self::Ridges,
        Self::Sea,
        Self::Dunes,
        Self::Silk,
        Self::Bauhaus,
        Self::Leaves,
        Self::Planet,
        Self::Bokeh,
        Self::Forest,
        Self::Terrazzo,
    ];

    /// The ones another picture can shine through.
    pub(crate) const CALM: &[Self] = &[Self::Ridges, Self::Sea, Self::Forest, Self::Silk, Self::Bokeh, Self::Dunes];

    pub(crate) fn draw(self, canvas: &mut Canvas, brief: &mut Brief) {
        match self {
            Self::Ridges => ridges::draw(canvas, brief),
            Self::Forest => pines::draw(canvas, brief),
            Self::Sea => sea::draw(canvas, brief),
            Self::Dunes => dunes::draw(canvas, brief),
            Self::Aurora => aurora::draw(canvas, brief),
            Self::Skyline => skyline::draw(canvas, brief),
            Self::Planet => planet::draw(canvas, brief),
            Self::Cat => cat::draw(canvas, brief),
            Self::Leaves => leaves::draw(canvas, brief),
            Self::Bauhaus => bauhaus::draw(canvas, brief),
            Self::Terrazzo => terrazzo::draw(canvas, brief),
            Self::Silk => silk::draw(canvas, brief),
            Self::Bokeh => bokeh::draw(canvas, brief),
        }
    }

    /// Moods that suit it when the prompt names no colour.
    pub(crate) fn moods(self) -> &'static [Mood] {
        match self {
            Self::Forest => &[Mood::Forest, Mood::Dawn, Mood::Autumn, Mood::Mint, Mood::Dusk],
            Self::Sea => &[Mood::Dusk, Mood::Sunset, Mood::Sea, Mood::Rose, Mood::Gold],
            Self::Dunes => &[Mood::Desert, Mood::Sunset, Mood::Gold, Mood::Rose, Mood::Dusk],
            Self::Aurora => &[Mood::Night],
            Self::Skyline | Self::Planet => &[Mood::Indigo, Mood::Night, Mood::Dusk, Mood::Sunset],
            Self::Cat => &[Mood::Dusk, Mood::Night, Mood::Sunset, Mood::Lavender],
            Self::Leaves => &[Mood::Forest, Mood::Mint, Mood::Autumn, Mood::Rose, Mood::Gold],
            Self::Ridges | Self::Bauhaus | Self::Terrazzo | Self::Silk | Self::Bokeh => Mood::ANY,
        }
    }

    /// Whether night falls on it.
    pub(crate) fn is_outdoors(self) -> bool {
        match self {
            Self::Ridges
            | Self::Forest
            | Self::Sea
            | Self::Dunes
            | Self::Aurora
            | Self::Skyline
            | Self::Planet
            | Self::Cat
            | Self::Bokeh => true,
            Self::Leaves | Self::Bauhaus | Self::Terrazzo | Self::Silk => false,
        }
    }
}
