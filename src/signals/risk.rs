//! How much speaks against somebody: a sum of factors that halve with time, and the level that it comes to.
//!
//! `score = sum of weight(kind) x severity x 2^(-age / half-life)`, at most 100. The level rises as soon as the score
//! reaches its threshold, and falls when the score is below it by [`Settings::hysteresis`].

use super::kind::SignalKind;
use super::signal::{Severity, Signal};
use crate::ids::SignalId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// The highest score.
pub const MAX_SCORE: f64 = 100.0;
/// What weighs less than this is forgotten, in points.
const NOTHING: f64 = 0.5;
/// Rules that ask for a score are asked again when it falls below a multiple of this, in points.
pub const STEP: f64 = 10.0;
/// How far ahead it is looked when a score falls: eight of the longest half-lives.
const HORIZON: Duration = Duration::from_secs(56 * 24 * 3600);

/// A level of risk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing, or nothing much.
    #[default]
    Low,
    /// It is worth a limit.
    Medium,
    /// It is worth a quarantine.
    High,
}

impl Level {
    /// All of them, from the least to the most.
    pub const ALL: [Level; 3] = [Level::Low, Level::Medium, Level::High];

    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
        }
    }

    /// The level of this name, if there is one.
    pub fn from_code(code: &str) -> Option<Level> {
        Self::ALL.into_iter().find(|level| level.code() == code)
    }
}

/// How risk is reckoned.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// What signals of a kind weigh, in points at severity `high`, where it is not the kind's own weight.
    pub weights: HashMap<SignalKind, f64>,
    /// After which time they weigh half as much, where it is not the kind's own.
    pub half_lives: HashMap<SignalKind, Duration>,
    /// The score from which the level is medium.
    pub medium: f64,
    /// The score from which the level is high.
    pub high: f64,
    /// How far the score must be below a threshold for the level to fall.
    pub hysteresis: f64,
    /// What detectors go by.
    pub travel: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            weights: HashMap::new(),
            half_lives: HashMap::new(),
            medium: 40.0,
            high: 70.0,
            hysteresis: 10.0,
            travel: Duration::from_secs(600),
        }
    }
}

impl Settings {
    /// What a signal of this kind weighs at severity `high`, in points.
    pub fn weight(&self, kind: SignalKind) -> f64 {
        self.weights.get(&kind).copied().unwrap_or_else(|| f64::from(kind.weight()))
    }

    /// After which time it weighs half as much.
    pub fn half_life(&self, kind: SignalKind) -> Duration {
        self.half_lives.get(&kind).copied().unwrap_or_else(|| kind.half_life())
    }

    /// The level of a score that comes after a level: it rises at once, and falls late.
    pub fn level(&self, before: Level, score: f64) -> Level {
        let at = |margin: f64| match score {
            score if score >= self.high - margin => Level::High,
            score if score >= self.medium - margin => Level::Medium,
            _ => Level::Low,
        };
        at(0.0).max(before.min(at(self.hysteresis)))
    }
}

/// What of a signal its weight is reckoned by.
#[derive(Clone, PartialEq, Debug)]
pub struct Factor {
    /// The signal.
    pub id: SignalId,
    /// What it tells.
    pub kind: SignalKind,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so.
    pub source: String,
    /// What of this kind and source it is about.
    pub topic: String,
    /// As of when.
    pub at: Timestamp,
    /// When it came.
    pub received: Timestamp,
    /// What is particular to it.
    pub detail: String,
    /// The source's own half-life.
    pub half_life: Option<Duration>,
}

impl Factor {
    /// What counts of a signal.
    pub fn of(signal: &Signal) -> Factor {
        Factor {
            id: signal.id,
            kind: signal.kind,
            severity: signal.severity,
            source: signal.source.clone(),
            topic: signal.topic.clone(),
            at: signal.at,
            received: signal.received,
            detail: signal.detail.clone(),
            half_life: signal.half_life,
        }
    }

    /// Whether this is the same thing told again: one of them counts.
    pub fn renews(&self, other: &Factor) -> bool {
        self.kind == other.kind && self.source == other.source && self.topic == other.topic
    }

    /// What it weighed at first, in points.
    pub fn full_weight(&self, settings: &Settings) -> f64 {
        settings.weight(self.kind) * self.severity.factor()
    }

    /// After which time it weighs half as much.
    pub fn halves_in(&self, settings: &Settings) -> Duration {
        self.half_life.unwrap_or_else(|| settings.half_life(self.kind))
    }

    /// What it weighs at `now`, in points.
    pub fn weight(&self, settings: &Settings, now: Timestamp) -> f64 {
        let age = now.since(self.at).as_secs_f64() / self.halves_in(settings).as_secs_f64().max(1.0);
        self.full_weight(settings) * (-age).exp2()
    }

    /// Whether it weighs anything still.
    pub fn counts(&self, settings: &Settings, now: Timestamp) -> bool {
        self.weight(settings, now) >= NOTHING
    }
}

/// How much speaks against somebody at a moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Risk {
    /// The level.
    pub level: Level,
    /// The score, 0 to 100.
    pub score: f64,
    /// What it is the sum of, with the weight of each, the heaviest first.
    pub factors: Vec<(Factor, f64)>,
}

/// The sum of what the factors weigh at `now`, at most [`MAX_SCORE`].
pub fn score(factors: &[Factor], settings: &Settings, now: Timestamp) -> f64 {
    factors.iter().map(|factor| factor.weight(settings, now)).sum::<f64>().min(MAX_SCORE)
}

/// The risk that these factors come to at `now`, after a level.
pub fn risk(factors: &[Factor], before: Level, settings: &Settings, now: Timestamp) -> Risk {
    let mut weighed: Vec<(Factor, f64)> =
        factors.iter().map(|factor| (factor.clone(), factor.weight(settings, now))).collect();
    weighed.retain(|(factor, _)| factor.counts(settings, now));
    weighed.sort_by(|a, b| b.1.total_cmp(&a.1));
    let score = score(factors, settings, now);
    Risk { level: settings.level(before, score), score, factors: weighed }
}

/// When rules may come to something else by the time alone: the level falls, or the score falls below a multiple of
/// [`STEP`]. Nothing if it stands at the least.
pub fn until(factors: &[Factor], level: Level, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let present = score(factors, settings, now);
    let falls = match level {
        Level::High => settings.high - settings.hysteresis,
        Level::Medium => settings.medium - settings.hysteresis,
        Level::Low => 0.0,
    };
    let step = (present / STEP).floor() * STEP;
    let next = falls.max(step).min(present);
    if next <= 0.0 {
        // What weighs nothing is forgotten some day.
        return (!factors.is_empty()).then(|| now + Duration::from_secs(24 * 3600));
    }
    // A sum of decays only falls: halve the interval in which it does.
    let (mut low, mut high) = (now.as_micros(), (now + HORIZON).as_micros());
    while high - low > 1_000 {
        let middle = low + (high - low) / 2;
        match score(factors, settings, Timestamp::from_micros(middle)) < next {
            true => high = middle,
            false => low = middle,
        }
    }
    Some(Timestamp::from_micros(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_790_000_000) + Duration::from_secs(secs)
    }

    fn factor(kind: SignalKind, severity: Severity, secs: u64) -> Factor {
        let id = SignalId::new(at(secs));
        let (source, topic, detail) = ("ids".into(), String::new(), String::new());
        Factor { id, kind, severity, source, topic, at: at(secs), received: at(secs), detail, half_life: None }
    }

    #[test]
    fn a_factor_halves_with_its_half_life() {
        let settings = Settings::default();
        let malware = factor(SignalKind::Malware, Severity::High, 0);
        let day = 24 * 3600;
        for (secs, weight) in [(0, 80.0), (3 * day, 40.0), (6 * day, 20.0), (9 * day, 10.0)] {
            assert!((malware.weight(&settings, at(secs)) - weight).abs() < 1e-9, "{secs}");
        }
        assert!(malware.counts(&settings, at(20 * day)) && !malware.counts(&settings, at(25 * day)));
        assert_eq!(factor(SignalKind::Malware, Severity::Info, 0).weight(&settings, at(0)), 0.0);
    }

    #[test]
    fn the_level_rises_at_once_and_falls_late() {
        let settings = Settings::default();
        for (before, score, after) in [
            (Level::Low, 39.9, Level::Low),
            (Level::Low, 40.0, Level::Medium),
            (Level::Low, 70.0, Level::High),
            (Level::High, 60.0, Level::High),
            (Level::High, 59.9, Level::Medium),
            (Level::High, 29.9, Level::Low),
            (Level::Medium, 30.0, Level::Medium),
            (Level::Medium, 29.9, Level::Low),
        ] {
            assert_eq!(settings.level(before, score), after, "{before:?} {score}");
        }
    }

    #[test]
    fn the_sum_tells_when_it_will_have_fallen() {
        let settings = Settings::default();
        let factors = [factor(SignalKind::Malware, Severity::High, 0), factor(SignalKind::IdsAlert, Severity::Low, 0)];
        let seen = risk(&factors, Level::Low, &settings, at(0));
        assert_eq!((seen.level, seen.score), (Level::High, 91.25));
        assert_eq!(seen.factors[0].0.kind, SignalKind::Malware);
        let mut now = at(0);
        let mut level = seen.level;
        let mut steps = 0;
        while let Some(next) = until(&factors, level, &settings, now) {
            assert!(next > now);
            let before = score(&factors, &settings, now);
            let after = risk(&factors, level, &settings, next);
            let turned = after.level != level || (before / STEP).floor() > (after.score / STEP).floor();
            if turned {
                assert_eq!(risk(&factors, level, &settings, next - Duration::from_millis(2)).level, level);
                steps += 1;
            }
            (now, level) = (next, after.level);
            if after.factors.is_empty() {
                break;
            }
        }
        assert_eq!(level, Level::Low);
        assert!(steps >= 9, "{steps}");
    }
}
