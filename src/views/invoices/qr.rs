//! What a wallet scans, drawn as a picture of our own.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// Modules of white on each side, as the standard wants it.
const QUIET: usize = 4;

/// An SVG, black on white in light and in dark; `None` for a text that no code can carry.
#[must_use]
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .or_else(|_| QrCode::with_error_correction_level(text, EcLevel::L))
        .ok()?;
    let width = code.width();
    let mut path = String::new();
    for (row, modules) in code.to_colors().chunks(width).enumerate() {
        for (column, _) in modules.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            write!(path, "M{} {}h1v1h-1z", column + QUIET, row + QUIET).ok()?;
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_picture_with_a_white_border() {
        let picture = svg("bitcoin:bc1qexample?amount=0.0001").unwrap();
        // Version 3 is 29 modules wide, and each corner but one has its eye of 7.
        assert!(picture.contains("viewBox=\"0 0 37 37\""), "{picture}");
        assert!(picture.contains("M4 4h1v1h-1z") && picture.contains("M32 4h1v1h-1z") && !picture.contains("M3 4h1"));
        assert_eq!(svg(&"x".repeat(3000)), None);
    }
}
