//! How sessions are changed while they last.

use super::Builder;
use crate::coa::{Hold, Settings};
use crate::config::{Config, HoldValue};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

/// What `in_flight` may be: each is a task and a packet.
const IN_FLIGHT: RangeInclusive<u64> = 1..=1_000;
/// What `in_flight_per_nas` may be: an Identifier has 256 values, and those of
/// requests without an answer stay in use for a minute.
const PER_NAS: RangeInclusive<u64> = 1..=32;
/// What `per_second` may be.
const PER_SECOND: RangeInclusive<u64> = 1..=10_000;
/// What `deadline_secs` may be: one form is tried for 30 s, and what is a week old
/// is not what anybody wants.
const DEADLINE_SECS: RangeInclusive<u64> = 30..=604_800;
/// What `recheck_secs` may be: a look at all sessions costs about 0.1 ms for each.
const RECHECK_SECS: RangeInclusive<u64> = 10..=86_400;

impl Builder<'_> {
    /// `[changes]`.
    pub(super) fn changes(&mut self, config: &Config) -> Settings {
        let section = &config.changes;
        let mut settings = Settings::default();
        let wide = |n: &Spanned<usize>| Spanned::new(n.span(), *n.get_ref() as u64);
        let limits = &mut settings.limits;
        if let Some(n) = self.within("in_flight", section.in_flight.as_ref().map(wide), IN_FLIGHT) {
            limits.in_flight = n as usize;
        }
        if let Some(n) = self.within("in_flight_per_nas", section.in_flight_per_nas.as_ref().map(wide), PER_NAS) {
            limits.per_nas = n as usize;
        }
        let per_second = section.per_second.as_ref().map(|n| Spanned::new(n.span(), u64::from(*n.get_ref())));
        if let Some(n) = self.within("per_second", per_second, PER_SECOND) {
            limits.per_second = u32::try_from(n).unwrap_or(limits.per_second);
        }
        if let Some(n) = self.within("deadline_secs", section.deadline_secs.clone(), DEADLINE_SECS) {
            settings.deadline = Duration::from_secs(n);
        }
        if let Some(n) = self.within("recheck_secs", section.recheck_secs.clone(), RECHECK_SECS) {
            settings.recheck = Duration::from_secs(n);
        }
        settings.reevaluate = section.reevaluate.unwrap_or(settings.reevaluate);
        settings.hold_for = section.hold_secs.map_or(settings.hold_for, Duration::from_secs);
        match section.hold_above.as_ref().map(|value| (value.get_ref(), value.span())) {
            None => {}
            Some((HoldValue::Sessions(most), _)) => settings.hold = Hold::Above(*most),
            Some((HoldValue::Share(text), span)) => match text.strip_suffix('%').and_then(|n| n.trim().parse().ok()) {
                Some(percent @ 1..=100) => settings.hold = Hold::Share(percent),
                _ => self.wrong(
                    span,
                    format!("hold_above is {text:?}"),
                    "give a number of sessions, or a share of them from \"1%\" to \"100%\"",
                ),
            },
        }
        settings
    }

    fn within(&mut self, key: &str, value: Option<Spanned<u64>>, range: RangeInclusive<u64>) -> Option<u64> {
        let value = value?;
        if range.contains(value.get_ref()) {
            return Some(*value.get_ref());
        }
        let message = format!("{key} is {}", value.get_ref());
        self.wrong(value.span(), message, format!("give {} to {}", range.start(), range.end()));
        None
    }
}
