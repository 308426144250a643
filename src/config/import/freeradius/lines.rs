//! What both files have in common: lines, `$INCLUDE` and quoting.

use crate::config::Source;
use crate::config::import::report::{Place, Report};
use std::path::Path;
use std::sync::Arc;

/// Files that include each other this deep do so in a circle.
const MAX_DEPTH: usize = 8;
/// Files that one import reads; an entry per switch in a file of its own is the
/// most that is seen.
const MAX_FILES: usize = 10_000;
/// Octets that one import reads: a million users take about 100 MiB.
const MAX_OCTETS: usize = 512 << 20;

/// Reads what an `$INCLUDE` names: a file, or all files of a directory.
pub type Include<'a> = &'a dyn Fn(&Path) -> Result<Vec<Source>, String>;

/// A line with its place. What a backslash at the end of a line continues is
/// one line.
pub(super) struct Line {
    pub place: Place,
    pub text: String,
}

/// Reads the lines of a file and of all that it includes.
pub(super) struct Lines<'a> {
    include: Include<'a>,
    files: usize,
    octets: usize,
    lines: Vec<Line>,
    complete: bool,
}

impl<'a> Lines<'a> {
    /// The lines, and whether they are all.
    pub(super) fn read(source: &Source, include: Include<'a>, report: &mut Report) -> (Vec<Line>, bool) {
        let mut lines = Self { include, files: 0, octets: 0, lines: Vec::new(), complete: true };
        lines.file(source, 0, report);
        (lines.lines, lines.complete)
    }

    fn file(&mut self, source: &Source, depth: usize, report: &mut Report) {
        let file: Arc<Path> = source.file.as_path().into();
        self.files += 1;
        self.octets = self.octets.saturating_add(source.text.len());
        if self.files > MAX_FILES || self.octets > MAX_OCTETS {
            self.complete = false;
            let message = format!("more than {MAX_FILES} files or {MAX_OCTETS} octets; this file was not read");
            return report.add(&Place { file, line: 1 }, message, "import the files one after another");
        }
        let mut continued = false;
        for (index, text) in source.text.trim_start_matches('\u{feff}').lines().enumerate() {
            let place = Place { file: file.clone(), line: index + 1 };
            if let Some(named) = included(text) {
                self.included(named, &place, depth, report);
                continued = false;
                continue;
            }
            let comment = text.trim_start().starts_with('#') && !continued;
            let (text, goes_on) = match text.strip_suffix('\\').filter(|_| !comment) {
                Some(text) => (text, true),
                None => (text, false),
            };
            match self.lines.last_mut().filter(|_| continued) {
                Some(line) => line.text.push_str(text),
                None => self.lines.push(Line { place, text: text.to_owned() }),
            }
            continued = goes_on;
        }
    }

    fn included(&mut self, named: &str, place: &Place, depth: usize, report: &mut Report) {
        if named.contains("${") {
            self.complete = false;
            let message = format!("$INCLUDE {named}: the name holds a variable");
            return report.add(place, message, "write the path in its place, and import again");
        }
        if depth >= MAX_DEPTH {
            self.complete = false;
            let message = format!("$INCLUDE {named}: files include each other more than {MAX_DEPTH} deep");
            return report.add(place, message, "a file includes itself; remove the line");
        }
        let path = place.file.parent().unwrap_or(Path::new("")).join(named);
        match (self.include)(&path) {
            Ok(sources) => sources.iter().for_each(|source| self.file(source, depth + 1, report)),
            Err(e) => {
                self.complete = false;
                let message = format!("$INCLUDE {named}: {} cannot be read: {e}", path.display());
                report.add(place, message, "copy the file to where the line says, and import again");
            }
        }
    }
}

fn included(line: &str) -> Option<&str> {
    let line = line.trim();
    let named = line.strip_prefix("$INCLUDE").or_else(|| line.strip_prefix("$-INCLUDE"))?;
    named.starts_with([' ', '\t']).then(|| named.trim().trim_matches(['"', '\'']))
}

/// How a word was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quote {
    Bare,
    Single,
    Double,
    Back,
}

/// A word without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    pub text: String,
    pub quote: Quote,
}

/// A line of which words are taken off the front.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    /// What is left, without white space before it.
    pub(super) fn rest(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    /// Whether the line has ended, or only a comment is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.rest().is_empty() || self.rest.starts_with('#')
    }

    /// Takes this off, if it is next.
    pub(super) fn take(&mut self, token: &str) -> bool {
        match self.rest().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the first of these that is next.
    pub(super) fn one_of(&mut self, tokens: &[&'static str]) -> Option<&'static str> {
        tokens.iter().copied().find(|token| self.take(token))
    }

    /// Takes a word: quoted, or up to white space or one of `stops`. `None` for
    /// an empty one without quotes, and for a quote that nothing closes.
    pub(super) fn word(&mut self, stops: &[char]) -> Option<Word> {
        let quote = match self.rest().chars().next()? {
            '"' => Quote::Double,
            '\'' => Quote::Single,
            '`' => Quote::Back,
            _ => {
                let stop = |c: char| c.is_whitespace() || stops.contains(&c);
                let (text, rest) = self.rest.split_at(self.rest.find(stop).unwrap_or(self.rest.len()));
                self.rest = rest;
                return (!text.is_empty()).then(|| Word { text: text.to_owned(), quote: Quote::Bare });
            }
        };
        let mut chars = self.rest.char_indices();
        let (_, mark) = chars.next()?;
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            if c == mark {
                self.rest = self.rest.get(at + mark.len_utf8()..).unwrap_or_default();
                return Some(Word { text, quote });
            }
            text.push(c);
            if c == '\\' {
                // An escaped quote does not end the word, and loses its backslash;
                // what other escapes mean depends on the file.
                match chars.next() {
                    Some((_, next)) if next == mark => {
                        text.pop();
                        text.push(next);
                    }
                    Some((_, next)) => text.push(next),
                    None => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &str, text: &str) -> Source {
        Source { file: file.into(), text: text.into() }
    }

    #[test]
    fn included_files_stand_where_they_are_named() {
        let mut report = Report::default();
        let include = |path: &Path| match path.to_str() {
            Some("dir/more") => Ok(vec![source("dir/more", "b\n$INCLUDE more")]),
            _ => Err("no such file".into()),
        };
        let top = source("dir/top", "a\\\n  a\n$INCLUDE more\n$INCLUDE none\n$INCLUDE ${x}/y\nc");
        let (lines, complete) = Lines::read(&top, &include, &mut report);
        assert!(!complete);
        let texts: Vec<_> = lines.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(texts, ["a  a", "b", "b", "b", "b", "b", "b", "b", "b", "c"]);
        assert_eq!(lines.last().unwrap().place.line, 6);
        let text = report.to_string();
        for part in ["dir/more:2: $INCLUDE more: files include each other", "dir/top:4", "no such file", "variable"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn words_and_quotes() {
        let mut scanner = Scanner::new(r#"  one,'t w\'o' "th\"r\101ee"   "open"#);
        let mut next = || scanner.word(&[',']).map(|w| w.text);
        assert_eq!(next().as_deref(), Some("one"));
        assert_eq!(next(), None);
        assert!(scanner.take(","));
        let mut next = || scanner.word(&[',']).map(|w| (w.text, w.quote));
        assert_eq!(next(), Some(("t w'o".into(), Quote::Single)));
        assert_eq!(next(), Some((r#"th"r\101ee"#.into(), Quote::Double)));
        assert_eq!(next(), None);
    }
}
