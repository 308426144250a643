//! Writes documents: TOML of the form that [`crate::config::Config`] reads.

use std::fmt::Write;

/// A document that grows section by section.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Document {
    text: String,
}

impl Document {
    /// A document that begins with these lines as comments.
    pub fn with_comment(lines: &str) -> Self {
        let text = lines.lines().fold(String::new(), |all, line| all + format!("# {line}").trim_end() + "\n");
        Self { text }
    }

    /// Adds these lines as comments.
    pub fn comment(&mut self, lines: &str) {
        for line in lines.lines() {
            self.line(format_args!("{}", if line.is_empty() { String::new() } else { format!("# {line}") }));
        }
    }

    /// Begins `[name]`.
    pub fn single_section(&mut self, name: &str) {
        self.line(format_args!("\n[{name}]"));
    }

    /// Begins `[[name]]`.
    pub fn section(&mut self, name: &str) {
        self.line(format_args!("\n[[{name}]]"));
    }

    /// `key = "value"`.
    pub fn text(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {}", quoted(value)));
    }

    /// `key = "value"`, if there is one.
    pub fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// `key = 1`.
    pub fn number(&mut self, key: &str, value: u32) {
        self.line(format_args!("{key} = {value}"));
    }

    /// `key = ["a", "b"]`, unless it is empty.
    pub fn list<T: AsRef<str>>(&mut self, key: &str, values: &[T]) {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|v| quoted(v.as_ref())).collect();
            self.line(format_args!("{key} = [{}]", values.join(", ")));
        }
    }

    /// `key = { "a" = "b" }`, unless it is empty.
    pub fn table<K: AsRef<str>, V: AsRef<str>>(&mut self, key: &str, pairs: &[(K, V)]) {
        if !pairs.is_empty() {
            self.line(format_args!("{key} = {}", inline(pairs)));
        }
    }

    /// `key = [{ "a" = "b" }, { "c" = "d" }]`, unless it is empty.
    pub fn tables<K: AsRef<str>, V: AsRef<str>>(&mut self, key: &str, tables: &[Vec<(K, V)>]) {
        if !tables.is_empty() {
            let tables: Vec<String> = tables.iter().map(|pairs| inline(pairs)).collect();
            self.line(format_args!("{key} = [{}]", tables.join(", ")));
        }
    }

    /// The document.
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn inline<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let bare = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let key = |key: &str| if bare(key) { key.to_owned() } else { quoted(key) };
    let pairs: Vec<String> =
        pairs.iter().map(|(k, v)| format!("{} = {}", key(k.as_ref()), quoted(v.as_ref()))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A basic string of TOML, on one line whatever it holds.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_can_be_read(key in "\\PC{1,12}", value in any::<String>()) {
            let mut document = Document::with_comment("imported\n\nby a test");
            document.section("identity");
            document.text("name", &value);
            document.list("groups", &[&value, "x"]);
            document.table("attributes", &[(&key, &value)]);
            let text = document.into_text();
            let table: toml::Table = toml::from_str(&text).unwrap();
            let identity = &table["identity"][0];
            prop_assert_eq!(identity["name"].as_str(), Some(value.as_str()));
            prop_assert_eq!(identity["groups"][0].as_str(), Some(value.as_str()));
            prop_assert_eq!(identity["attributes"][&key].as_str(), Some(value.as_str()));
        }
    }
}
