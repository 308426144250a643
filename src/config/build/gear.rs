//! Dictionaries and NAS profiles of one's own.

use super::{Builder, Faults};
use crate::config::files::with_extension;
use crate::config::{Config, ConfigError};
use crate::enforcement::nas_profile::{NasProfileError, NasProfiles};
use crate::radius::dictionary::{Dictionary, DictionaryError};
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;

impl From<NasProfileError> for Faults {
    fn from(error: NasProfileError) -> Self {
        packaged("the packaged NAS profiles", error.to_string())
    }
}

impl From<DictionaryError> for Faults {
    fn from(error: DictionaryError) -> Self {
        packaged("the packaged dictionaries", error.to_string())
    }
}

fn packaged(what: &str, message: String) -> Faults {
    ConfigError { file: what.into(), line: None, message, remedy: "this is a bug in Cordon".into() }.into()
}

impl Builder<'_> {
    /// Adds the dictionaries of the configured directory.
    pub(super) fn own_dictionaries(&mut self, config: &Config) {
        let Some(dir) = &config.server.dictionaries else { return };
        let own: Vec<_> =
            self.files_of(dir, "dict").into_iter().map(|(p, text)| (p.display().to_string(), text)).collect();
        match Dictionary::with(own.iter().map(|(path, text)| (path.as_str(), text.as_str()))) {
            Ok(dictionary) => self.dictionary = Arc::new(dictionary),
            Err(DictionaryError { file, line, message }) => {
                let remedy =
                    "docs/configuration.md explains the form; a file may add to the packaged ones, not change them";
                self.errors.push(ConfigError { file: file.into(), line: Some(line), message, remedy: remedy.into() });
            }
        }
    }

    /// Adds the NAS profiles of the configured directory, which may name
    /// attributes of one's own.
    pub(super) fn own_nas_profiles(&mut self, config: &Config) {
        let Some(dir) = &config.server.nas_profiles else { return };
        let name = |path: PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let own: Vec<_> = self.files_of(dir, "toml").into_iter().map(|(path, text)| (name(path), text)).collect();
        let more = own.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        match NasProfiles::new(&self.dictionary, more) {
            Ok(profiles) => self.nas_profiles = profiles,
            Err(e) => self.wrong(dir.span(), e.to_string(), "docs/vendors.md explains the form"),
        }
    }

    /// The files of a directory whose names end so, in their order; all are
    /// watched, and the directory too.
    fn files_of(&mut self, dir: &Spanned<PathBuf>, extension: &str) -> Vec<(PathBuf, String)> {
        let resolved = self.source.resolve(dir.get_ref());
        self.files.push(resolved.clone());
        let paths = match with_extension(&resolved, extension) {
            Ok(paths) => paths,
            Err(e) => {
                let message = format!("the directory {} cannot be read: {e}", resolved.display());
                self.wrong(dir.span(), message, "paths are relative to the configuration file");
                return Vec::new();
            }
        };
        let mut read = Vec::new();
        for path in paths {
            self.files.push(path.clone());
            match std::fs::read_to_string(&path) {
                Ok(text) => read.push((path, text)),
                Err(e) => self.wrong(dir.span(), format!("{}: {e}", path.display()), "save it as UTF-8 text"),
            }
        }
        read
    }
}
