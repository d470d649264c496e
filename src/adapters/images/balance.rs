/// What is left on the account behind a key, as its vendor tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Millionths of a US dollar, rounded down, below zero for an overdrawn account; `None` = without limit.
    pub micros: Option<i64>,
}

/// A number exactly as it was written: `digits × 10^exponent`. Money never passes through a float.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// A float is written with 17 digits at most; what is longer than this is no amount.
    const MAX_CHARS: usize = 40;
    const EXPONENTS: std::ops::RangeInclusive<i32> = -30..=18;

    /// A JSON number, or the same in quotes.
    pub(super) fn parse(json: &str) -> Option<Self> {
        let text = json.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(json);
        if text.len() > Self::MAX_CHARS {
            return None;
        }
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let plain = !fraction.starts_with(['+', '-']) && !whole.starts_with('+');
        let digits = plain.then(|| format!("{whole}{fraction}").parse().ok()).flatten()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        (digits == 0 || Self::EXPONENTS.contains(&exponent)).then_some(Self { digits, exponent })
    }

    /// This many times ten to the power of `places`.
    pub(super) fn shifted(self, places: i32) -> Self {
        Self { exponent: self.exponent + places, ..self }
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let digits = self.at(exponent)?.checked_sub(other.at(exponent)?)?;
        Some(Self { digits, exponent })
    }

    /// The largest whole number that is not above this one.
    pub(super) fn floor(self) -> Option<i64> {
        let whole = match u32::try_from(self.exponent) {
            Ok(_) => self.at(0)?,
            Err(_) => self.digits.div_euclid(10i128.checked_pow(self.exponent.unsigned_abs())?),
        };
        whole.try_into().ok()
    }

    /// The digits for a smaller exponent.
    fn at(self, exponent: i32) -> Option<i128> {
        if self.digits == 0 {
            return Some(0);
        }
        self.digits.checked_mul(10i128.checked_pow(u32::try_from(self.exponent - exponent).ok()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn micros(dollars: &str) -> Option<i64> {
        Decimal::parse(dollars)?.shifted(6).floor()
    }

    #[test]
    fn what_is_written_is_what_counts() {
        for (written, millionths) in [
            ("0", 0),
            ("0.0", 0),
            ("-0", 0),
            ("12.5", 12_500_000),
            ("0.1", 100_000),
            ("\"0.3\"", 300_000),
            ("100000000", 100_000_000_000_000),
            ("1e8", 100_000_000_000_000),
            ("1E+2", 100_000_000),
            ("1e-06", 1),
            ("9.99999999999999e-07", 0),
            ("-1e-07", -1),
            ("-2.25", -2_250_000),
            ("19.989999999999998", 19_989_999),
            ("0e999", 0),
        ] {
            assert_eq!(micros(written), Some(millionths), "{written}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in [
            "", "\"\"", ".", "-", "e5", "null", "true", "{}", "1.2.3", "1,5", "0x10", "1.-5", "+1", "NaN", "1e99",
            "1e-99",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
        assert_eq!(micros(&"9".repeat(41)), None);
        assert_eq!(micros("99999999999999"), None, "more than an i64 of millionths");
    }

    #[test]
    fn a_difference_is_exact() {
        let difference =
            |a: &str, b: &str| Decimal::parse(a)?.minus(Decimal::parse(b)?.shifted(-2))?.shifted(6).floor();
        assert_eq!(difference("0.3", "10"), Some(200_000), "0.3 - 0.1 of floats is 0.19999999999999998");
        assert_eq!(difference("5", "1234.5678"), Some(-7_345_678));
        assert_eq!(difference("1e8", "0.000001"), Some(99_999_999_999_999));
        assert_eq!(difference("0", "0"), Some(0));
        assert_eq!(difference("1e18", "1e-30"), None, "too far apart to be money");
    }
}
