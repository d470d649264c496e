//! A list as a spreadsheet opens it. Text that a spreadsheet would take for a formula gets an apostrophe in front: people
//! choose their own words, and operators open them.

use crate::models::admin::description::Cell;

/// What a formula begins with, in one program or another.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// One line, as CSV.
///
/// # Errors
/// Never, for what is written into memory.
pub fn line(fields: impl Iterator<Item = String>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(fields)?;
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[must_use]
pub fn field(cell: &Cell) -> String {
    match cell {
        // Made by us from numbers alone.
        Cell::Nothing | Cell::Number(_) | Cell::Money(..) | Cell::Micros(_) | Cell::Moment(_) => cell.plain(),
        Cell::Text(_) | Cell::Code(_) | Cell::State(..) | Cell::Link(..) | Cell::Deed(..) => harmless(cell.plain()),
    }
}

fn harmless(text: String) -> String {
    let first = text.trim_start_matches([' ', '\n', '\u{a0}', '\u{feff}']).chars().next();
    if first.is_some_and(|first| FORMULA.contains(&first) || is_wide(first)) { format!("'{text}") } else { text }
}

/// The same signs at full width, which some programs read alike.
const fn is_wide(sign: char) -> bool {
    matches!(sign, '＝' | '＋' | '－' | '＠')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "\u{feff}=1", "＝1", "\r=1"] {
            let written = field(&Cell::Text(text.into()));
            assert!(written.starts_with('\''), "{text:?} is written as {written:?}");
        }
        assert_eq!(field(&Cell::Text("a-b=c".into())), "a-b=c");
        assert_eq!(field(&Cell::Number(-5)), "-5");
    }

    #[test]
    fn a_line_keeps_its_fields() {
        let fields = ["a,b", "c\"d", "e\r\nf", ""].map(str::to_owned);
        let bytes = line(fields.clone().into_iter()).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        let read = reader.records().next().unwrap().unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), fields);
    }
}
