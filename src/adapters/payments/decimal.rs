use std::fmt;

/// More than any coin has; what is longer is nobody's amount.
const MAX_DIGITS: usize = 36;
const MAX_SCALE: i64 = 36;

/// An exact decimal number that is not negative, for amounts of coins and rates: no binary fraction ever comes near money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The value is `units` / 10^`scale`.
    units: i128,
    scale: u32,
}

impl Decimal {
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// `12`, `0.5`, `9.0e-7`, `1E+21`; `None` for everything else, negative numbers included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() || (mantissa.contains('.') && fraction.is_empty()) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        if !digits.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        let fraction = i64::try_from(fraction.len()).ok()?;
        let scale = fraction.checked_sub(exponent)?;
        if digits.is_empty() {
            return Some(Self::ZERO);
        }
        if digits.len() > MAX_DIGITS || !(-MAX_SCALE..=MAX_SCALE).contains(&scale) {
            return None;
        }
        let units: i128 = digits.parse().ok()?;
        let it = match u32::try_from(scale) {
            Ok(scale) => Self { units, scale },
            Err(_) => Self { units: units.checked_mul(10_i128.checked_pow(u32::try_from(-scale).ok()?)?)?, scale: 0 },
        };
        Some(it.shortest())
    }

    /// What is negative counts as nothing.
    #[must_use]
    pub fn from_minor(minor: i64, digits: u32) -> Self {
        Self { units: i128::from(minor.max(0)), scale: digits }
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.units == 0
    }

    /// In units of 10^-`digits`, rounded down; `None` above what an `i64` holds.
    #[must_use]
    pub fn to_minor(self, digits: u32) -> Option<i64> {
        let units = if digits >= self.scale {
            self.units.checked_mul(power(digits - self.scale)?)?
        } else {
            self.units / power(self.scale - digits)?
        };
        i64::try_from(units).ok()
    }

    /// As [`Self::to_minor`]; `None` if something would be rounded off.
    #[must_use]
    pub fn to_minor_exactly(self, digits: u32) -> Option<i64> {
        (self.shortest().scale <= digits).then(|| self.to_minor(digits)).flatten()
    }

    /// The sum; `None` above 10^36.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let of = |it: Self| it.units.checked_mul(power(scale - it.scale)?);
        Some(Self { units: of(self)?.checked_add(of(other)?)?, scale }.shortest())
    }

    /// The difference, zero at least.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let of = |it: Self| it.units.checked_mul(power(scale - it.scale)?);
        Some(Self { units: of(self)?.checked_sub(of(other)?)?.max(0), scale }.shortest())
    }

    /// The product; digits that no longer fit are cut off at the end, so it is never too large.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let (mut a, mut b) = (self, other);
        loop {
            if let Some(units) = a.units.checked_mul(b.units) {
                return Some(Self { units, scale: a.scale + b.scale }.shortest());
            }
            let longer = if a.scale >= b.scale { &mut a } else { &mut b };
            *longer = Self { units: longer.units / 10, scale: longer.scale.checked_sub(1)? };
        }
    }

    /// `minor` × self / `whole`, rounded down: what a part of the coins is worth when all of them are worth `minor`.
    #[must_use]
    pub fn share_of(self, minor: i64, whole: Self) -> Option<i64> {
        let scale = self.scale.max(whole.scale);
        let of = |it: Self| it.units.checked_mul(power(scale - it.scale)?);
        let (part, whole) = (of(self)?, of(whole)?);
        i64::try_from(part.checked_mul(i128::from(minor))?.checked_div(whole)?).ok()
    }

    fn shortest(mut self) -> Self {
        while self.scale > 0 && self.units % 10 == 0 {
            self = Self { units: self.units / 10, scale: self.scale - 1 };
        }
        self
    }
}

fn power(of_ten: u32) -> Option<i128> {
    10_i128.checked_pow(of_ten)
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(unit) = power(self.scale).filter(|_| self.scale > 0) else { return write!(f, "{}", self.units) };
        write!(f, "{}.{:0width$}", self.units / unit, self.units % unit, width = self.scale as usize)
    }
}
