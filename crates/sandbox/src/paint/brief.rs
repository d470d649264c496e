//! What a prompt asks for, read from its words; the rest is decided by its hash.

use sha2::{Digest, Sha256};

use super::{
    motifs::Motif,
    noise::Rng,
    palette::{Mood, Palette},
};

/// How the sentence begins that tells the strength of a change.
const SENTENCE: &str = "change strength";
/// Change strength of an image-to-image prompt that names none.
const USUAL_STRENGTH: f32 = 0.6;

/// Everything a motif needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Brief {
    pub(crate) motif: Motif,
    pub(crate) palette: Palette,
    /// Whether the words say that it is night.
    pub(crate) night: bool,
    pub(crate) flowers: bool,
    pub(crate) water: bool,
    pub(crate) rng: Rng,
}

impl Brief {
    /// Reads a prompt; each variation of the same prompt is another picture of the same kind.
    ///
    /// `over` says that it goes over another picture, where scattered shapes would only be in the way.
    pub(crate) fn read(prompt: &str, variation: u32, over: bool) -> Self {
        let lower = prompt.to_lowercase();
        let text = without_strength(&lower);
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let has = |stems: &[&str]| words.iter().any(|word| matches(word, stems));

        let digest = Sha256::digest(text.as_bytes());
        let seed = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|at| digest[at]));
        let mut taste = Rng::new(seed);
        let mut rng = Rng::new(seed ^ (u64::from(variation) + 1).wrapping_mul(0x9fb2_1c65_1e98_df25));

        let night = has(NIGHT);
        let motif = named(MOTIFS, &words).unwrap_or_else(|| {
            // Without a word to go by, a batch shows two or three ideas instead of one.
            let ideas = [(); 3].map(|()| taste.pick(if over { Motif::CALM } else { Motif::FREE }));
            ideas[variation as usize % ideas.len()]
        });
        let moods = named(MOODS, &words).unwrap_or_else(|| motif.moods());
        let offset = taste.below(moods.len());
        let mood = if night && !moods.iter().any(|mood| mood.is_night()) && motif.is_outdoors() {
            rng.pick(&[Mood::Night, Mood::Indigo])
        } else {
            moods[(offset + variation as usize) % moods.len()]
        };
        Self {
            motif,
            palette: mood.palette(&mut rng),
            night: night || mood.is_night(),
            flowers: has(FLOWERS),
            water: has(WATER),
            rng,
        }
    }
}

/// `Change strength: 65%.` as 0.65.
pub(crate) fn strength(prompt: &str) -> f32 {
    let lower = prompt.to_lowercase();
    let Some(at) = lower.rfind(SENTENCE).or_else(|| lower.rfind("strength")) else {
        return USUAL_STRENGTH;
    };
    let Some((number, _)) = lower[at..].split_once('%') else {
        return USUAL_STRENGTH;
    };
    let digits = number.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse::<f32>().map_or(USUAL_STRENGTH, |percent| percent.clamp(0.0, 100.0) / 100.0)
}

/// The prompt up to the sentence about strength, which comes last: another strength shall not be another picture.
fn without_strength(lower: &str) -> &str {
    lower.rfind(SENTENCE).map_or(lower, |at| &lower[..at]).trim_end()
}

/// The first entry that knows a word of the prompt: tables begin with what outranks the rest.
fn named<T: Copy>(table: &[(&[&str], T)], words: &[&str]) -> Option<T> {
    table.iter().find(|(stems, _)| words.iter().any(|word| matches(word, stems))).map(|(_, it)| *it)
}

/// A stem with a star matches every word that begins so, one without only itself and its plural.
fn matches(word: &str, stems: &[&str]) -> bool {
    stems.iter().any(|stem| match stem.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == *stem || word.strip_suffix('s') == Some(stem),
    })
}

const NIGHT: &[&str] = &["night*", "midnight", "moon*", "star", "stars", "starry", "dark", "nocturnal", "ноч*", "лун*"];
const FLOWERS: &[&str] = &["flower*", "blossom*", "bloom*", "rose", "tulip", "poppy", "poppies", "daisy", "цвет*"];
const WATER: &[&str] = &["lake", "river", "reflection*", "pond", "fjord", "озер*", "рек*"];

/// Things before places, places before moods.
const MOTIFS: &[(&[&str], Motif)] = &[
    (&["cat", "kitten", "kitty", "кот", "кота", "котик*", "котен*", "кошк*"], Motif::Cat),
    (&["aurora*", "northern", "polar", "сияни*"], Motif::Aurora),
    (
        &["space*", "planet*", "galaxy", "galaxies", "cosmos", "cosmic", "nebula*", "astronaut*", "saturn", "космос*"],
        Motif::Planet,
    ),
    (
        &[
            "city*",
            "cities",
            "skyline*",
            "urban",
            "street",
            "town",
            "skyscraper",
            "cyberpunk",
            "neon",
            "tokyo",
            "город*",
        ],
        Motif::Skyline,
    ),
    (&["geometr*", "bauhaus", "poster", "logo*", "icon*", "minimal*", "shape", "grid*", "pattern*"], Motif::Bauhaus),
    (&["terrazzo", "mosaic", "stone", "marble", "confetti", "tile*"], Motif::Terrazzo),
    (&["dune", "desert*", "sahara", "sand*", "camel", "пустын*"], Motif::Dunes),
    (&["forest*", "wood", "tree", "pine", "jungle", "cabin", "лес*"], Motif::Forest),
    (
        &[
            "sea*",
            "ocean*",
            "wave",
            "beach*",
            "boat",
            "ship",
            "sail*",
            "island",
            "lighthouse",
            "море",
            "моря",
            "океан*",
        ],
        Motif::Sea,
    ),
    (
        &[
            "leaf",
            "leaves",
            "plant",
            "botanic*",
            "garden*",
            "flower*",
            "blossom*",
            "bloom*",
            "rose",
            "tulip",
            "poppy",
            "poppies",
            "fern",
            "palm",
            "цвет*",
        ],
        Motif::Leaves,
    ),
    (
        &[
            "mountain*",
            "alps",
            "peak",
            "hill",
            "valley",
            "landscape*",
            "ridge",
            "volcano",
            "lake",
            "fog*",
            "mist*",
            "гор*",
        ],
        Motif::Ridges,
    ),
    (&["silk*", "fabric", "flow*", "liquid", "smoke", "wallpaper", "abstract*", "gradient", "fluid"], Motif::Silk),
    (&["bokeh", "bubble*", "light", "glow*", "soft", "dream*", "lantern", "firefl*"], Motif::Bokeh),
    (&["sunset*", "sunrise*", "dusk", "dawn", "закат*", "рассвет*"], Motif::Sea),
    (&["night*", "star*", "moon*", "ноч*"], Motif::Ridges),
];

/// Named colours before times of day, those before seasons and places.
const MOODS: &[(&[&str], &[Mood])] = &[
    (&["red", "crimson", "scarlet", "красн*"], &[Mood::Ember]),
    (&["blue", "azure", "navy", "синий", "синя*", "голуб*"], &[Mood::Sea, Mood::Ice]),
    (&["green", "зел*"], &[Mood::Forest, Mood::Mint]),
    (&["pink", "розов*"], &[Mood::Rose]),
    (&["purple", "violet", "lavender", "lilac", "фиолет*"], &[Mood::Lavender, Mood::Indigo]),
    (&["gold*", "yellow", "honey", "желт*", "золот*"], &[Mood::Gold]),
    (&["orange", "оранж*"], &[Mood::Sunset, Mood::Ember]),
    (&["teal", "turquoise", "mint"], &[Mood::Mint, Mood::Sea]),
    (&["brown", "amber"], &[Mood::Autumn, Mood::Desert]),
    (&["black", "white", "monochrome", "gray", "grey", "ink", "noir"], &[Mood::Mono]),
    (&["neon", "cyberpunk", "galaxy", "cosmic"], &[Mood::Indigo]),
    (&["night*", "midnight", "moon*", "starry", "ноч*"], &[Mood::Night, Mood::Indigo]),
    (&["sunset*", "закат*"], &[Mood::Sunset, Mood::Ember]),
    (&["sunrise*", "dawn", "morning", "рассвет*", "утр*"], &[Mood::Dawn, Mood::Rose]),
    (&["dusk", "evening", "twilight", "вечер*"], &[Mood::Dusk, Mood::Lavender]),
    (&["fire*", "lava", "volcano"], &[Mood::Ember]),
    (&["ice", "snow*", "winter*", "arctic", "cold", "зим*", "снег*"], &[Mood::Ice]),
    (&["autumn*", "fall", "october", "осен*"], &[Mood::Autumn]),
    (&["spring", "rose", "cherry", "valentine"], &[Mood::Rose, Mood::Mint]),
    (&["pastel*", "fresh", "summer", "sunny"], &[Mood::Mint, Mood::Rose, Mood::Gold]),
    (&["forest*", "jungle", "лес*"], &[Mood::Forest, Mood::Mint, Mood::Dawn, Mood::Autumn]),
    (&["desert*", "dune", "sand*", "пустын*"], &[Mood::Desert, Mood::Sunset, Mood::Gold]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_is_read_from_its_sentence() {
        for (prompt, expected) in [
            ("at night. Change strength: 65%.", 0.65),
            ("change strength 5 %", 0.05),
            ("Change strength: 5%", 0.05),
            ("strength 250%", 1.0),
            ("a man of strength, 100% gold\n\nChange strength: 20%. Stay close.", 0.2),
            ("50% off, in red", USUAL_STRENGTH),
            ("strength of a lion", USUAL_STRENGTH),
        ] {
            assert!((strength(prompt) - expected).abs() < 1e-6, "{prompt}: {}", strength(prompt));
        }
    }

    #[test]
    fn another_strength_is_not_another_picture() {
        let plain = Brief::read("a quiet sea", 0, true).rng.next();
        assert_ne!(plain, Brief::read("a quiet sea", 1, true).rng.next());
        let seed =
            |percent: u32| Brief::read(&format!("a quiet sea. Change strength: {percent}%."), 0, true).rng.next();
        assert_eq!(seed(10), seed(90));
    }

    #[test]
    fn things_outrank_places_and_colours_outrank_times() {
        let brief = |prompt: &str| Brief::read(prompt, 0, false).motif;
        assert_eq!(brief("a cat on a mountain by the sea"), Motif::Cat);
        assert_eq!(brief("sunset over the mountains"), Motif::Ridges);
        assert_ne!(brief("a category of its own"), Motif::Cat);
        assert!(Brief::read("the sea at night", 0, false).night);
        assert!(!Brief::read("the sea at noon", 0, false).night);
    }
}
