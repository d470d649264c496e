//! Money as vendors write it, never through a float.

use nproxy::adapters::images::Decimal;

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
    for text in
        ["", "\"\"", ".", "-", "e5", "null", "true", "{}", "1.2.3", "1,5", "0x10", "1.-5", "+1", "NaN", "1e99", "1e-99"]
    {
        assert_eq!(micros(text), None, "{text}");
    }
    assert_eq!(micros(&"9".repeat(41)), None);
    assert_eq!(micros("99999999999999"), None, "more than an i64 of millionths");
}

#[test]
fn a_difference_is_exact() {
    let difference = |a: &str, b: &str| Decimal::parse(a)?.minus(Decimal::parse(b)?.shifted(-2))?.shifted(6).floor();
    assert_eq!(difference("0.3", "10"), Some(200_000), "0.3 - 0.1 of floats is 0.19999999999999998");
    assert_eq!(difference("5", "1234.5678"), Some(-7_345_678));
    assert_eq!(difference("1e8", "0.000001"), Some(99_999_999_999_999));
    assert_eq!(difference("0", "0"), Some(0));
    assert_eq!(difference("1e18", "1e-30"), None, "too far apart to be money");
}
