//! What is printed: each figure with its bound and whether it holds, in words and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

/// Which side of the bound is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    AtMost,
    AtLeast,
}

/// Something that was measured.
#[derive(Debug, Clone)]
pub struct Figure {
    /// For scripts, and for the recorded baseline.
    pub id: String,
    pub words: String,
    pub mode: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub bound: Option<(Side, f64)>,
    /// Free of the machine's speed (a ratio, a count, a size): how much worse than recorded it may be, as a share.
    pub margin: Option<f64>,
}

impl Figure {
    pub fn new(id: &str, words: &str, mode: &'static str, value: f64, unit: &'static str) -> Self {
        Self { id: format!("{id}.{mode}"), words: words.into(), mode, value, unit, bound: None, margin: None }
    }

    pub fn at_most(self, bound: f64) -> Self {
        Self { bound: Some((Side::AtMost, bound)), ..self }
    }

    pub fn at_least(self, bound: f64) -> Self {
        Self { bound: Some((Side::AtLeast, bound)), ..self }
    }

    pub fn compared(self, margin: f64) -> Self {
        Self { margin: Some(margin), ..self }
    }

    pub fn holds(&self) -> Option<bool> {
        self.bound.map(|(side, bound)| match side {
            Side::AtMost => self.value <= bound,
            Side::AtLeast => self.value >= bound,
        })
    }

    fn line(&self) -> String {
        let bound = match self.bound {
            Some((Side::AtMost, bound)) => format!("≤ {bound}"),
            Some((Side::AtLeast, bound)) => format!("≥ {bound}"),
            None => String::new(),
        };
        let verdict = match self.holds() {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "",
        };
        let value = if self.value >= 1000.0 { format!("{:.0}", self.value) } else { format!("{:.2}", self.value) };
        format!("{:<9} {:<62} {value:>10} {:<8} {bound:<9} {verdict}", self.mode, self.words, self.unit)
    }
}

/// Ratios first: they say something on any machine.
pub fn table(figures: &[Figure]) -> String {
    let mut text = String::new();
    let (ratios, others): (Vec<_>, Vec<_>) = figures.iter().partition(|figure| figure.unit == "×");
    for figure in ratios.into_iter().chain(others) {
        let _ = writeln!(text, "{}", figure.line().trim_end());
    }
    text
}

pub fn to_json(figures: &[Figure], about: &Value) -> Value {
    let shown: Vec<Value> = figures
        .iter()
        .map(|it| {
            json!({
                "id": it.id, "words": it.words, "mode": it.mode, "value": it.value, "unit": it.unit,
                "bound": it.bound.map(|(_, bound)| bound), "holds": it.holds(), "margin": it.margin,
            })
        })
        .collect();
    json!({ "about": about, "figures": shown })
}

/// Figures that are worse than recorded by more than their margin.
pub fn worse(figures: &[Figure], baseline: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for figure in figures {
        let Some(margin) = figure.margin else { continue };
        let Some(recorded) = baseline[&figure.id].as_f64() else { continue };
        if figure.value > recorded * (1.0 + margin) {
            found.push(format!("{}: {:.3} {}, recorded {recorded:.3}", figure.id, figure.value, figure.unit));
        }
    }
    found
}

/// What of these is worth recording.
pub fn recorded(figures: &[Figure]) -> Value {
    let mut all = serde_json::Map::new();
    for figure in figures.iter().filter(|figure| figure.margin.is_some()) {
        all.insert(figure.id.clone(), json!((figure.value * 1000.0).round() / 1000.0));
    }
    Value::Object(all)
}

/// The middle of what was measured; nothing measured is infinitely slow.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

pub fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a list that lies in memory"
    )]
    let index = ((sorted.len() as f64 * at) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::INFINITY)
}
