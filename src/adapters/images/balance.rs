/// What is left on the account behind a key, as its vendor tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Millionths of a US dollar, rounded down, below zero for an overdrawn account; `None` = without limit.
    pub micros: Option<i64>,
}

/// A number exactly as it was written: `digits × 10^exponent`. Money never passes through a float.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// A float is written with 17 digits at most; what is longer than this is no amount.
    const MAX_CHARS: usize = 40;
    const EXPONENTS: std::ops::RangeInclusive<i32> = -30..=18;

    /// A JSON number, or the same in quotes; `None` if it is no amount.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
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
    #[must_use]
    pub fn shifted(self, places: i32) -> Self {
        Self { exponent: self.exponent + places, ..self }
    }

    /// Exact; `None` where the two are too far apart to be money.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let digits = self.at(exponent)?.checked_sub(other.at(exponent)?)?;
        Some(Self { digits, exponent })
    }

    /// The largest whole number that is not above this one.
    #[must_use]
    pub fn floor(self) -> Option<i64> {
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
