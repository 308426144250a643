//! What is kept on disk: the last report that the server has not acknowledged, and how it last said that the host
//! stands.

use super::client::{Report, Standing};
use super::config::Settings;
use crate::config::files::{Readers, write_whole};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

fn unsent_file(settings: &Settings) -> PathBuf {
    settings.state_dir.join("unsent.json")
}

fn standing_file(settings: &Settings) -> PathBuf {
    settings.state_dir.join("standing.json")
}

fn read<T: DeserializeOwned>(file: PathBuf) -> Option<T> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// What cannot be kept is told all the same, once the server is there.
fn write<T: Serialize>(file: PathBuf, what: &T) {
    let kept = serde_json::to_string(what).map_err(std::io::Error::other);
    if let Err(error) = kept.and_then(|text| write_whole(&file, &text, Readers::Owner)) {
        tracing::warn!(file = %file.display(), %error, "cannot be written");
    }
}

/// The report that was not acknowledged.
pub fn unsent(settings: &Settings) -> Option<Report> {
    read(unsent_file(settings))
}

/// Keeps a report that could not be told, in the place of the one before.
pub fn keep(settings: &Settings, report: &Report) {
    write(unsent_file(settings), report);
}

/// Everything was told.
pub fn clear(settings: &Settings) {
    // Mostly there is none.
    let _ = std::fs::remove_file(unsent_file(settings));
}

/// How the server last said that the host stands.
pub fn standing(settings: &Settings) -> Option<Standing> {
    read(standing_file(settings))
}

/// Keeps how the host stands.
pub fn keep_standing(settings: &Settings, standing: &Standing) {
    write(standing_file(settings), standing);
}
