//! The few literals of Python that a header consists of.

use std::fmt;

use super::super::bytes::Stop;

const MOST_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Number(u64),
    /// `True`, `False`, `None`.
    Word(&'static str),
    /// A list or a tuple.
    Sequence(Vec<Self>),
    Dictionary(Vec<(String, Self)>),
}

impl Literal {
    /// The value of a dictionary's key.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Dictionary(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
            Self::Sequence(items) => {
                f.write_str("(")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Dictionary(_) => f.write_str("a dictionary"),
        }
    }
}

/// Parses one literal that is all there is, but for white space.
pub(super) fn parse(text: &[u8]) -> Result<Literal, Stop> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.unexpected("the end"));
    }
    Ok(value)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &str) -> Stop {
        let found = self.text.get(self.at).map_or_else(|| "its end".to_owned(), |byte| format!("0x{byte:02x}"));
        Stop::malformed(format!("{expected} is expected at byte {} of the header, found {found}", self.at))
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let is = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self, depth: usize) -> Result<Literal, Stop> {
        self.space();
        if depth == MOST_DEPTH {
            return Err(self.unexpected("no deeper value"));
        }
        match self.text.get(self.at) {
            Some(b'\'' | b'"') => self.text().map(Literal::Text),
            Some(b'0'..=b'9') => self.number(),
            Some(b'(') => self.sequence(b')', depth),
            Some(b'[') => self.sequence(b']', depth),
            Some(b'{') => self.dictionary(depth),
            _ => {
                for word in ["True", "False", "None"] {
                    if self.text[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(Literal::Word(word));
                    }
                }
                Err(self.unexpected("a value"))
            }
        }
    }

    fn text(&mut self) -> Result<String, Stop> {
        let quote = self.text[self.at];
        let start = self.at + 1;
        let length = self.text[start..].iter().position(|byte| *byte == quote);
        let length = length.ok_or_else(|| self.unexpected("a whole text"))?;
        let text = &self.text[start..start + length];
        if text.contains(&b'\\') {
            return Err(self.unexpected("a text without escapes"));
        }
        self.at = start + length + 1;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn number(&mut self) -> Result<Literal, Stop> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            let next = number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0')));
            let Some(next) = next else {
                self.at = start;
                return Err(self.unexpected("a number below 2^64"));
            };
            number = next;
            self.at += 1;
        }
        // Python 2 wrote long numbers so.
        self.at += usize::from(self.text.get(self.at) == Some(&b'L'));
        Ok(Literal::Number(number))
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<Literal, Stop> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            if self.takes(close) {
                return Ok(Literal::Sequence(items));
            }
            items.push(self.value(depth + 1)?);
            if !self.takes(b',') && self.text.get(self.at) != Some(&close) {
                return Err(self.unexpected("a comma"));
            }
        }
    }

    fn dictionary(&mut self, depth: usize) -> Result<Literal, Stop> {
        self.at += 1;
        let mut members: Vec<(String, Literal)> = Vec::new();
        loop {
            if self.takes(b'}') {
                return Ok(Literal::Dictionary(members));
            }
            if !matches!(self.text.get(self.at), Some(b'\'' | b'"')) {
                return Err(self.unexpected("a name"));
            }
            let name = self.text()?;
            if members.iter().any(|(other, _)| *other == name) {
                return Err(self.unexpected("each name once"));
            }
            if !self.takes(b':') {
                return Err(self.unexpected("a colon"));
            }
            members.push((name, self.value(depth + 1)?));
            if !self.takes(b',') && self.text.get(self.at) != Some(&b'}') {
                return Err(self.unexpected("a comma"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_numpy_is_read() {
        let header =
            parse(b"{'descr': [('a', '<f4'), ('b', '|O', (2,))], 'fortran_order': False, 'shape': (2, 3L), }  \n");
        let header = header.expect("a literal");
        assert_eq!(header.member("shape").map(ToString::to_string).as_deref(), Some("(2, 3)"));
        assert_eq!(header.member("descr").map(ToString::to_string).as_deref(), Some("((a, <f4), (b, |O, (2)))"));
        assert_eq!(header.member("none"), None);
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        let deep = "(".repeat(100_000);
        for text in [
            "",
            "{",
            "{'a'",
            "{'a':",
            "{'a': 1",
            "{'a': 1} x",
            "{'a': 1, 'a': 2}",
            "{1: 2}",
            "'\\x41'",
            "'a",
            "(1 2)",
            "99999999999999999999",
            "__import__('os')",
            &deep,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
