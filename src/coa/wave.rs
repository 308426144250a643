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

/// What a change is stored as while its NAS is asked, and is not stopped any more:
/// what comes of it is what the NAS answers.
pub const ASKING: &str = "asking";

/// What a wave is called that waits to be stopped or let go.
pub const HELD: &str = "held";

/// How far a wave has come.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Counts {
    /// Changes that are to be tried.
    pub waiting: u64,
    /// Those of them whose NAS is being asked.
    pub asking: u64,
    /// Those that are over, by how they ended; in the order of [`Ending::ALL`].
    pub over: Vec<(&'static str, u64)>,
}

impl Counts {
    /// From how many stand where, by name. Names that are not known are left out.
    pub fn of(rows: &[(String, u64)]) -> Counts {
        let of = |code: &str| rows.iter().filter(|(name, _)| name == code).map(|(_, n)| n).sum();
        let over = Ending::ALL.iter().map(|ending| (ending.code(), of(ending.code())));
        let asking = of(ASKING);
        Counts { waiting: of(WAITING) + asking, asking, over: over.filter(|(_, n)| *n > 0).collect() }
    }
}

impl Wave {
    /// Where it stands.
    pub fn state(&self, counts: &Counts, now: Timestamp) -> &'static str {
        match (&self.aborted, counts.waiting) {
            (Some(_), _) => "aborted",
            (None, 0) => "over",
            (None, _) if self.begins > now => HELD,
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
        let rows = [("waiting", 2), ("asking", 1), ("done", 1), ("dance", 9)].map(|(code, n)| (code.to_owned(), n));
        let counts = Counts::of(&rows);
        assert_eq!((counts.waiting, counts.asking, counts.over.as_slice()), (3, 1, [("done", 1)].as_slice()));
        assert_eq!((wave.state(&counts, at), wave.state(&counts, later)), ("held", "running"));
        assert_eq!(wave.state(&Counts::of(&rows[2..]), later), "over");
        let aborted = Wave { aborted: Some(Aborted { at, by: "anna".into() }), ..wave };
        assert_eq!(aborted.state(&counts, later), "aborted");
    }
}
