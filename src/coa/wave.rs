//! Changes that one cause asks of many sessions at once.

use super::life::{Ending, WAITING};
use crate::ids::WaveId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// So many changes go at once and before all others; more are a wave that is paced.
pub const SMALL: usize = 20;

/// A wave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wave {
    /// Its id.
    pub id: WaveId,
    /// What set it off.
    pub trigger: String,
    /// What it does, in words.
    pub detail: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its first change may go: later than it was made where it is held, to be
    /// stopped or let go.
    pub begins: Timestamp,
    /// How many sessions it changes.
    pub total: u64,
    /// How many sessions there were.
    pub live: u64,
    /// Who stopped it, and when.
    pub aborted: Option<Aborted>,
}

/// Who stopped a wave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Aborted {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// How far a wave has come.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Counts {
    /// Changes that are to be tried.
    pub waiting: u64,
    /// Those that are over, by how they ended; in the order of [`Ending::ALL`].
    pub over: Vec<(&'static str, u64)>,
}

impl Counts {
    /// From how many stand where, by name. Names that are not known are left out.
    pub fn of(rows: &[(String, u64)]) -> Counts {
        let of = |code: &str| rows.iter().filter(|(name, _)| name == code).map(|(_, n)| n).sum();
        let over = Ending::ALL.iter().map(|ending| (ending.code(), of(ending.code())));
        Counts { waiting: of(WAITING), over: over.filter(|(_, n)| *n > 0).collect() }
    }
}

impl Wave {
    /// Where it stands.
    pub fn state(&self, counts: &Counts, now: Timestamp) -> &'static str {
        match (&self.aborted, counts.waiting) {
            (Some(_), _) => "aborted",
            (None, 0) => "over",
            (None, _) if self.begins > now => "held",
            (None, _) => "running",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn where_a_wave_stands() {
        let at = Timestamp::from_unix_secs(1_767_225_600);
        let later = at + Duration::from_secs(60);
        let wave = Wave {
            id: WaveId::new(at),
            trigger: "policy 1".into(),
            detail: String::new(),
            created: at,
            begins: later,
            total: 3,
            live: 3,
            aborted: None,
        };
        let rows = [("waiting".to_owned(), 2), ("done".to_owned(), 1), ("dance".to_owned(), 9)];
        let counts = Counts::of(&rows);
        assert_eq!((counts.waiting, counts.over.as_slice()), (2, [("done", 1)].as_slice()));
        assert_eq!((wave.state(&counts, at), wave.state(&counts, later)), ("held", "running"));
        assert_eq!(wave.state(&Counts::of(&rows[1..]), later), "over");
        let aborted = Wave { aborted: Some(Aborted { at, by: "anna".into() }), ..wave };
        assert_eq!(aborted.state(&counts, later), "aborted");
    }
}
