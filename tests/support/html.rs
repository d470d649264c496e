//! Reading a page as a person does: by what stands where.

use scraper::{Html as Document, Selector};

/// A page or a fragment.
#[derive(Debug, Clone)]
pub struct Html(pub String);

impl Html {
    fn select<T>(&self, selector: &str, read: impl Fn(scraper::ElementRef<'_>) -> T) -> Vec<T> {
        let document = Document::parse_document(&self.0);
        document.select(&Selector::parse(selector).unwrap()).map(read).collect()
    }

    /// The texts of all elements that match, white space folded.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.select(selector, |element| {
            element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    /// The text of everything.
    pub fn text(&self) -> String {
        self.texts("body").join(" ")
    }

    pub fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        self.select(selector, |element| element.value().attr(name).unwrap_or_default().to_owned())
    }

    pub fn attribute(&self, selector: &str, name: &str) -> String {
        self.attributes(selector, name).into_iter().next().unwrap_or_else(|| panic!("no {selector} in {}", self.0))
    }

    pub fn has(&self, selector: &str) -> bool {
        !self.select(selector, |_| ()).is_empty()
    }

    /// The value of a form's field.
    pub fn value(&self, name: &str) -> String {
        self.attribute(&format!("[name=\"{name}\"]"), "value")
    }
}
