//! Colours: stored as display values, mixed the way the eye mixes them.

use super::noise::lerp;

/// Red, green and blue as shown, 0 to 1.
pub(crate) type Rgb = [f32; 3];

pub(crate) fn hex(code: u32) -> Rgb {
    [16, 8, 0].map(|shift| ((code >> shift) & 0xff) as f32 / 255.0)
}

#[inline]
pub(crate) fn blend(below: Rgb, above: Rgb, cover: f32) -> Rgb {
    [lerp(below[0], above[0], cover), lerp(below[1], above[1], cover), lerp(below[2], above[2], cover)]
}

/// Lightens like light does: never beyond white.
#[inline]
pub(crate) fn screen(below: Rgb, light: Rgb, amount: f32) -> Rgb {
    [0, 1, 2].map(|i| 1.0 - (1.0 - below[i]) * (1.0 - (light[i] * amount).clamp(0.0, 1.0)))
}

#[inline]
pub(crate) fn scale(of: Rgb, by: f32) -> Rgb {
    of.map(|channel| channel * by)
}

#[inline]
pub(crate) fn luma(of: Rgb) -> f32 {
    0.299 * of[0] + 0.587 * of[1] + 0.114 * of[2]
}

/// Between two colours through `OKLab`, where the middle is not mud.
pub(crate) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    let (a, b) = (to_lab(a), to_lab(b));
    from_lab([0, 1, 2].map(|i| lerp(a[i], b[i], t)))
}

/// Turns the hue by an angle and moves lightness and chroma.
pub(crate) fn adjust(of: Rgb, turn: f32, lightness: f32, chroma: f32) -> Rgb {
    let [l, a, b] = to_lab(of);
    let (sin, cos) = turn.sin_cos();
    from_lab([l * lightness, (a * cos - b * sin) * chroma, (a * sin + b * cos) * chroma])
}

/// A ready-made gradient.
#[derive(Clone, Debug)]
pub(crate) struct Ramp(Vec<Rgb>);

const STEPS: usize = 512;

impl Ramp {
    pub(crate) fn new(stops: &[Rgb]) -> Self {
        let last = stops.len() - 1;
        Self(
            (0..=STEPS)
                .map(|step| {
                    let at = step as f32 / STEPS as f32 * last as f32;
                    let stop = (at as usize).min(last.saturating_sub(1));
                    mix(stops[stop], stops[(stop + 1).min(last)], at - stop as f32)
                })
                .collect(),
        )
    }

    #[inline]
    pub(crate) fn at(&self, t: f32) -> Rgb {
        let at = t.clamp(0.0, 1.0) * STEPS as f32;
        let step = at as usize;
        blend(self.0[step], self.0[(step + 1).min(STEPS)], at - step as f32)
    }
}

fn to_lab(of: Rgb) -> Rgb {
    let [r, g, b] = of.map(|c| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    let l = (0.412_221_47 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

fn from_lab([lightness, a, b]: Rgb) -> Rgb {
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
    .map(|c| if c <= 0.003_130_8 { (c * 12.92).max(0.0) } else { (1.055 * c.powf(1.0 / 2.4) - 0.055).min(1.0) })
}
