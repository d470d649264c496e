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

    /// What a person reads in the part that matches, line by line as it is marked up.
    pub fn lines(&self, selector: &str) -> String {
        const UNSEEN: [&str; 4] = ["script", "style", "noscript", "template"];
        let document = Document::parse_document(&self.0);
        let element = document.select(&Selector::parse(selector).unwrap()).next();
        let element = element.unwrap_or_else(|| panic!("no {selector} in {}", self.0));
        let mut lines = Vec::new();
        for node in element.descendants() {
            let is_seen = !node.ancestors().any(|a| a.value().as_element().is_some_and(|e| UNSEEN.contains(&e.name())));
            if let Some(text) = node.value().as_text().filter(|_| is_seen) {
                let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                lines.extend((!words.is_empty()).then_some(words));
            }
        }
        lines.join("\n")
    }

    /// A form as a browser without JavaScript would send it now.
    pub fn form(&self, selector: &str) -> Filled {
        let document = Document::parse_document(&self.0);
        let form = document.select(&Selector::parse(selector).unwrap()).next();
        let form = form.unwrap_or_else(|| panic!("no form {selector} in {}", self.0));
        let mut fields = Vec::new();
        for control in form.select(&Selector::parse("input, textarea, select").unwrap()) {
            let control_is = |name: &str| control.value().attr(name);
            let Some(name) = control_is("name").filter(|_| control_is("disabled").is_none()) else { continue };
            let value = match (control.value().name(), control_is("type").unwrap_or("text")) {
                (_, "file") => continue,
                (_, "radio" | "checkbox") if control_is("checked").is_none() => continue,
                ("textarea", _) => control.text().collect(),
                ("select", _) => {
                    let options: Vec<_> = control.select(&Selector::parse("option").unwrap()).collect();
                    let chosen = options.iter().find(|o| o.value().attr("selected").is_some()).or(options.first());
                    chosen.and_then(|o| o.value().attr("value")).unwrap_or_default().to_owned()
                }
                _ => control_is("value").unwrap_or_default().to_owned(),
            };
            fields.push((name.to_owned(), value));
        }
        let attribute = |name: &str| form.value().attr(name).unwrap_or_default().to_owned();
        Filled { action: attribute("action"), is_multipart: attribute("enctype") == "multipart/form-data", fields }
    }
}

/// A form, filled in.
#[derive(Debug, Clone)]
pub struct Filled {
    pub action: String,
    pub is_multipart: bool,
    pub fields: Vec<(String, String)>,
}

impl Filled {
    /// Types into a field that the form shows.
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        let field = self.fields.iter_mut().find(|(known, _)| known == name);
        value.clone_into(&mut field.unwrap_or_else(|| panic!("the form has no {name}")).1);
        self
    }
}
