//! A link as a QR code (ISO/IEC 18004), drawn as SVG. Pure.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// Modules of quiet around the code (ISO/IEC 18004, 6.3.8).
const QUIET: usize = 4;

/// Black on white whatever the page's colours are: cameras want it so. `None`: the text is too long.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (row, line) in code.to_colors().chunks(width).enumerate() {
        let mut column = 0;
        for run in line.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, length) = (column + QUIET, row + QUIET, run.len());
                // Writing to a text can't fail.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
            column += run.len();
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_link_still_fits() {
        let svg = svg(&format!("http://127.0.0.1/?{}", "a".repeat(900))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains("M4 4h7v1h-7z"));
        assert!(super::svg(&"a".repeat(3000)).is_none());
    }
}
