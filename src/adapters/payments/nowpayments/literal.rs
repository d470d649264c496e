use serde::de::IgnoredAny;

/// JSON with its numbers as they were written: signatures and amounts both depend on the digits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// `true`, `false`, `null` or a number.
    Word(String),
    Text(String),
    List(Vec<Self>),
    /// In the order of the text; of a name given twice the last counts, as in JavaScript.
    Object(Vec<(String, Self)>),
}

impl Literal {
    /// `None` for what is not JSON, or nested deeper than serde allows (128).
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<IgnoredAny>(text).ok()?;
        let text = std::str::from_utf8(text).ok()?;
        Walk { text, at: 0 }.value()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().rev().find(|(it, _)| it == name).map(|(_, value)| value),
            Self::Word(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// A text, or a number as text: ids and amounts come as either. `None` for null.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Text(text) => Some(text),
            Self::Word(word) => (!matches!(word.as_str(), "null" | "true" | "false")).then_some(word),
            Self::List(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> &[Self] {
        match self.get(name) {
            Some(Self::List(all)) => all,
            _ => &[],
        }
    }

    /// The value itself as text or number.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            Self::List(_) | Self::Object(_) => None,
        }
    }
}

/// Walks over what is known to be JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl Walk<'_> {
    fn value(&mut self) -> Option<Literal> {
        match self.peek()? {
            b'{' => {
                let mut fields = Vec::new();
                self.each(b'}', |walk| {
                    let name = walk.string()?;
                    walk.step(b':')?;
                    fields.push((name, walk.value()?));
                    Some(())
                })?;
                Some(Literal::Object(fields))
            }
            b'[' => {
                let mut all = Vec::new();
                self.each(b']', |walk| {
                    all.push(walk.value()?);
                    Some(())
                })?;
                Some(Literal::List(all))
            }
            b'"' => self.string().map(Literal::Text),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                self.at += end;
                Some(Literal::Word(rest[..end].to_owned()))
            }
        }
    }

    /// Items between commas, from the opening mark to `end`.
    fn each(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                it if it == end => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.peek().filter(|it| *it == b'"')?;
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let quoted = &self.text[self.at..=end];
        self.at = end + 1;
        serde_json::from_str(quoted).ok()
    }

    fn step(&mut self, over: u8) -> Option<()> {
        self.peek().filter(|it| *it == over)?;
        self.at += 1;
        Some(())
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }
}
