use std::fmt::Write;

use super::literal::Literal;

/// How a body may have been written before it was signed. The processor's own library and its documented sample differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub numbers: Numbers,
    /// The sample turns `[1,2]` into `{"0":1,"1":2}`; the library leaves it.
    pub arrays_as_objects: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// The digits of the body.
    AsWritten,
    /// As JavaScript prints the value: `9e-7`, `1e+21`, `40`.
    AsJavaScript,
}

/// The commonest first.
pub(super) const FORMS: [Form; 4] = [
    Form { numbers: Numbers::AsWritten, arrays_as_objects: false },
    Form { numbers: Numbers::AsJavaScript, arrays_as_objects: false },
    Form { numbers: Numbers::AsWritten, arrays_as_objects: true },
    Form { numbers: Numbers::AsJavaScript, arrays_as_objects: true },
];

/// `JSON.stringify` of the value with the names of all its objects sorted, the inner ones too.
pub(super) fn canonical(value: &Literal, form: Form) -> String {
    let mut text = String::new();
    write(&mut text, value, form);
    text
}

fn write(to: &mut String, value: &Literal, form: Form) {
    match value {
        Literal::Word(word) => match (form.numbers, word.as_str()) {
            (Numbers::AsWritten, _) | (_, "null" | "true" | "false") => to.push_str(word),
            (Numbers::AsJavaScript, number) => to.push_str(&javascript(number)),
        },
        Literal::Text(text) => quote(to, text),
        Literal::List(all) if form.arrays_as_objects => {
            let names: Vec<String> = (0..all.len()).map(|it| it.to_string()).collect();
            object(to, names.iter().map(String::as_str).zip(all), form);
        }
        Literal::List(all) => {
            to.push('[');
            for (index, item) in all.iter().enumerate() {
                if index > 0 {
                    to.push(',');
                }
                write(to, item, form);
            }
            to.push(']');
        }
        Literal::Object(fields) => {
            // JavaScript sorts by UTF-16, and of one name the last counts.
            let mut sorted: Vec<&(String, Literal)> = fields.iter().rev().collect();
            sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            sorted.dedup_by(|next, kept| next.0 == kept.0);
            object(to, sorted.into_iter().map(|(name, value)| (name.as_str(), value)), form);
        }
    }
}

fn object<'a>(to: &mut String, fields: impl Iterator<Item = (&'a str, &'a Literal)>, form: Form) {
    to.push('{');
    for (index, (name, value)) in fields.enumerate() {
        if index > 0 {
            to.push(',');
        }
        quote(to, name);
        to.push(':');
        write(to, value, form);
    }
    to.push('}');
}

/// `serde_json` escapes what `JSON.stringify` escapes, and nothing else.
fn quote(to: &mut String, text: &str) {
    to.push_str(&serde_json::Value::from(text).to_string());
}

/// `Number.prototype.toString`: the shortest digits that read back as the same number, laid out as ECMAScript says.
/// Rust finds the same digits.
fn javascript(number: &str) -> String {
    let Ok(value) = number.parse::<f64>() else { return number.to_owned() };
    if !value.is_finite() {
        return "null".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |it| ("-", it));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // How many of the digits stand before the point.
    let (point, count) = (exponent + 1, i32::try_from(digits.len()).unwrap_or(i32::MAX));
    let zeros = |many: i32| "0".repeat(usize::try_from(many).unwrap_or_default());
    let mut text = sign.to_owned();
    let _ = match point {
        _ if (count..=21).contains(&point) => write!(text, "{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or_default());
            write!(text, "{whole}.{fraction}")
        }
        -5..=0 => write!(text, "0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
            write!(text, "{first}{rest}e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
    };
    text
}

#[cfg(test)]
mod tests {
    use super::{FORMS, canonical, javascript};
    use crate::adapters::payments::nowpayments::literal::Literal;

    #[test]
    fn numbers_are_printed_as_javascript_prints_them() {
        for (written, printed) in [
            ("9.0e-7", "9e-7"),
            ("0.0000009", "9e-7"),
            ("0.000001", "0.000001"),
            ("1e-6", "0.000001"),
            ("40.0", "40"),
            ("1e21", "1e+21"),
            ("1E20", "100000000000000000000"),
            ("-0", "0"),
            ("-1.50", "-1.5"),
            ("123456.789e3", "123456789"),
            ("5077125051", "5077125051"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("5e-324", "5e-324"),
            ("0.1", "0.1"),
            ("123.456", "123.456"),
            ("12345678901234567890123", "1.2345678901234568e+22"),
            ("1e999", "null"),
        ] {
            assert_eq!(javascript(written), printed, "{written}");
        }
    }

    #[test]
    fn names_are_sorted_in_every_object_and_arrays_have_two_forms() {
        let body = r#"{ "b" : [ {"z":1.0,"a":"\u00e9\/\n"} , 2 ], "a":{"y":null,"x":true}, "a" : {"y":false,"é":[],"x":-1E2} }"#;
        let value = Literal::parse(body.as_bytes()).unwrap();
        let forms: Vec<String> = FORMS.iter().map(|form| canonical(&value, *form)).collect();
        assert_eq!(forms[0], r#"{"a":{"x":-1E2,"y":false,"é":[]},"b":[{"a":"é/\n","z":1.0},2]}"#);
        assert_eq!(forms[1], r#"{"a":{"x":-100,"y":false,"é":[]},"b":[{"a":"é/\n","z":1},2]}"#);
        assert_eq!(forms[2], r#"{"a":{"x":-1E2,"y":false,"é":{}},"b":{"0":{"a":"é/\n","z":1.0},"1":2}}"#);
        assert_eq!(forms[3], r#"{"a":{"x":-100,"y":false,"é":{}},"b":{"0":{"a":"é/\n","z":1},"1":2}}"#);
    }
}
