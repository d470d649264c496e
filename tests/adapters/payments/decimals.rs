//! Amounts are exact.

use nproxy::adapters::payments::{Decimal, Price};
use proptest::prelude::*;

#[test]
fn what_is_written_is_what_is_read() {
    for (written, read) in [
        ("9.99", "9.99"),
        ("9.990", "9.99"),
        ("0", "0"),
        ("000.100", "0.1"),
        ("9.0e-7", "0.0000009"),
        ("1E+21", "1000000000000000000000"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("12345678901234567.123456789012345678", "12345678901234567.123456789012345678"),
    ] {
        assert_eq!(Decimal::parse(written).unwrap().to_string(), read);
    }
    for wrong in ["", "-1", "+1", ".5", "5.", "1,5", "0x10", "1e", "NaN", " 1", "1e99", "1e-99", "٣", "1e999999999999"]
    {
        assert_eq!(Decimal::parse(wrong), None, "{wrong:?}");
    }
    assert_eq!(Price::read("9.99", "usd"), Some(Price::new(999, "USD")));
    assert_eq!(Price::read("9.990000000000000000", "USD"), Some(Price::new(999, "USD")));
    assert_eq!(Price::read("9.991", "USD"), None, "a fraction of a cent is no price");
    assert_eq!(Price::read("1000", "jpy"), Some(Price::new(1000, "JPY")));
    assert_eq!(Price::read("99999999999999999999", "USD"), None);
    assert_eq!(Price::new(5, "USD").in_words(), "0.05");
    assert_eq!(Price::new(100_000, "USD").in_words(), "1000.00");
}

proptest! {
    /// A part is never worth more than its share, and never a whole cent less.
    #[test]
    fn shares_are_rounded_down(price in 1_i64..10_000_000, part in 0_u64..2_000_000_000, whole in 1_u64..1_000_000_000) {
        let coins = |units: u64| Decimal::parse(&format!("{}.{:08}", units / 100_000_000, units % 100_000_000)).unwrap();
        let share = i128::from(coins(part).share_of(price, coins(whole)).unwrap());
        let exact = i128::from(price) * i128::from(part);
        prop_assert!(share * i128::from(whole) <= exact);
        prop_assert!((share + 1) * i128::from(whole) > exact);
    }

    #[test]
    fn sums_and_products_are_those_of_whole_numbers(a in 0_u32..u32::MAX, b in 0_u32..u32::MAX, digits in 0_u32..9) {
        let (x, y) = (Decimal::from_minor(a.into(), digits), Decimal::from_minor(b.into(), 2));
        let product = i128::from(a) * i128::from(b);
        let minor = x.times(y).unwrap().to_minor(2);
        prop_assert_eq!(minor, i64::try_from(product / 10_i128.pow(digits)).ok(), "none beyond what fits");
        let same = Decimal::from_minor(b.into(), digits);
        prop_assert_eq!(x.plus(same).unwrap().to_minor(digits), Some(i64::from(a) + i64::from(b)));
        prop_assert_eq!(x.minus(same).unwrap().to_minor(digits), Some((i64::from(a) - i64::from(b)).max(0)));
        prop_assert_eq!(Decimal::parse(&x.to_string()).unwrap().to_minor(digits), Some(i64::from(a)));
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,60}") {
        if let Some(read) = Decimal::parse(&text) {
            prop_assert_eq!(Decimal::parse(&read.to_string()), Some(read));
        }
    }
}
