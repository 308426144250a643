//! What could not come along, where it stood, and what to do about it.

use crate::config::ConfigError;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Places that one line of a report names; the others are counted.
const NAMED_PLACES: usize = 10;

/// A line of a file that is imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// From 1.
    pub line: usize,
}

/// All that could not come along. It is shown in the order of files and lines.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    findings: Vec<ConfigError>,
}

impl Report {
    /// Adds what stood at a place, and what to do about it.
    pub fn add(&mut self, place: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        let (message, remedy) = (message.into(), remedy.into());
        self.findings.push(ConfigError { file: place.file.to_path_buf(), line: Some(place.line), message, remedy });
    }

    /// Adds all of another report.
    pub fn append(&mut self, other: Report) {
        self.findings.extend(other.findings);
    }

    /// The findings, one for each place.
    pub fn findings(&self) -> &[ConfigError] {
        &self.findings
    }
}

/// What is the same at many places is said once.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<Vec<&ConfigError>> = Vec::new();
        let mut by_words = HashMap::new();
        let mut findings: Vec<&ConfigError> = self.findings.iter().collect();
        findings.sort_by_key(|finding| (&finding.file, finding.line));
        for finding in findings {
            let group = *by_words.entry((&finding.file, &finding.message, &finding.remedy)).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        for mut group in groups {
            group.dedup_by_key(|finding| finding.line);
            let Some(first) = group.first() else { continue };
            writeln!(f, "{first}")?;
            let others: Vec<String> =
                group.iter().skip(1).take(NAMED_PLACES).filter_map(|e| e.line).map(|line| line.to_string()).collect();
            if !others.is_empty() {
                write!(f, "  also in line {}", others.join(", "))?;
                match group.len() - 1 - others.len() {
                    0 => writeln!(f)?,
                    more => writeln!(f, " and {more} more")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_said_once() {
        let mut report = Report::default();
        for line in 1..=15 {
            report.add(&Place { file: Path::new("users").into(), line }, "a password", "issue a certificate");
        }
        report.add(&Place { file: Path::new("users").into(), line: 3 }, "a regex", "list them");
        let text = report.to_string();
        assert_eq!(
            text,
            "users:1: a password\n  -> issue a certificate\n  also in line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 4 more\n\
             users:3: a regex\n  -> list them\n"
        );
        assert_eq!(report.findings().len(), 16);
    }
}
