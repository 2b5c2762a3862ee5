//! Words for people: escaped names, sizes, counts, aligned fields.

use std::fmt::Write;

/// Characters of a text that are shown; a name in a bundle may have millions.
const MAX_SHOWN: usize = 4_096;

/// Makes a text from outside safe to print: a file name must not write to the terminal or reorder what stands beside
/// it.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MAX_SHOWN {
            out.push_str(&format!("… ({} in all)", size(text.len() as u64)));
            break;
        }
        if is_unsafe(character) { out.extend(character.escape_unicode()) } else { out.push(character) }
    }
    out
}

/// Makes a JSON text from outside safe to print, and the same JSON still: such a character can only stand in a string, but
/// for spaces and ends of lines.
pub(crate) fn json_text(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\t' => out.push(character),
            '\r' => {}
            _ if is_unsafe(character) => {
                out.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            _ => out.push(character),
        }
    }
    out
}

/// A JSON document that was signed, laid out for people and safe to print, and as a value. It was read as JSON before.
pub(crate) fn signed_json(payload: &[u8]) -> (String, serde_json::Value) {
    let value: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    (json_text(&text) + "\n", value)
}

/// Control characters, and those of format: invisible, or changing the direction of what follows.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Bytes in decimal units, three digits.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut scaled, mut unit) = (bytes as f64 / 1e3, 0);
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1e3;
        unit += 1;
    }
    let decimals = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.decimals$} {}", UNITS[unit])
}

/// Lines of `label  value`, the values below each other.
#[derive(Default)]
pub(crate) struct Fields(String);

impl Fields {
    /// Adds a line; `value` is escaped.
    pub(crate) fn add(&mut self, label: &str, value: impl AsRef<str>) {
        // Writing to a `String` can't fail.
        let _ = writeln!(self.0, "  {label:<12} {}", escape(value.as_ref()));
    }

    /// Adds a line for each value, the label before the first; with no value, none.
    pub(crate) fn add_list<'a>(&mut self, label: &str, values: impl IntoIterator<Item = &'a str>) {
        for (index, value) in values.into_iter().enumerate() {
            self.add(if index == 0 { label } else { "" }, value);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_write_to_the_terminal() {
        assert_eq!(escape("a\x1b[2J\n\r\u{9b}"), r"a\u{1b}[2J\u{a}\u{d}\u{9b}");
        assert_eq!(escape("safe\u{202e}nib.gnp"), r"safe\u{202e}nib.gnp");
        assert_eq!(escape("模型 é \\ '"), "模型 é \\ '");
        let long = escape(&"x".repeat(1_000_000));
        assert!(long.starts_with("xxx") && long.ends_with("… (1.00 MB in all)") && long.len() < 5_000);
    }

    #[test]
    fn json_that_is_safe_to_print_says_the_same() {
        let text = "{\r\n\t\"a\": \"\u{9b}\u{202e}\u{e0001}模\u{7f}\"}";
        let safe = json_text(text);
        assert_eq!(safe, "{\n\t\"a\": \"\\u009b\\u202e\\udb40\\udc01模\\u007f\"}");
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parse(&safe), parse(text));
    }

    #[test]
    fn sizes_have_three_digits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_999, "10.0 kB"),
            (215_000_000, "215 MB"),
            (999_950, "1.00 MB"),
            (2_800_000_000, "2.80 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
