//! What signals weigh, and how those of other systems are read, checked as it is read.

use super::Builder;
use crate::config::Config;
use crate::config::risk::HookSection;
use crate::signals::hook::{Hook, SURICATA, suricata};
use crate::signals::kind::SignalKind;
use crate::signals::risk::{MAX_SCORE, Settings};
use crate::signals::signal::{MAX_HALF_LIFE, OURSELVES, Severity};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// The longest time to travel, in seconds: a day around the world.
const MAX_TRAVEL_SECS: u64 = 86_400;
/// The longest name of a hook, in characters.
const MAX_NAME: usize = 64;

impl Builder<'_> {
    /// `[risk]`, but for its hooks.
    pub(super) fn risk(&mut self, config: &Config) -> Arc<Settings> {
        let (section, mut settings) = (&config.risk, Settings::default());
        let thresholds = [
            ("medium", &section.medium, &mut settings.medium),
            ("high", &section.high, &mut settings.high),
            ("hysteresis", &section.hysteresis, &mut settings.hysteresis),
        ];
        for (key, written, value) in thresholds {
            if let Some(written) = written {
                *value = *written.get_ref();
                if !(0.0..=MAX_SCORE).contains(value) {
                    self.wrong(written.span(), format!("{key} is {value}"), "give 0 to 100");
                }
            }
        }
        let Settings { medium, high, hysteresis, .. } = settings;
        let span = [&section.high, &section.medium, &section.hysteresis].into_iter().flatten().next();
        let span = span.map_or(0..0, Spanned::span);
        if medium >= high {
            let message = format!("medium is {medium}, and high is {high}");
            self.wrong(span, message, "high begins above medium: without either they are 40 and 70");
        } else if hysteresis >= medium {
            let message = format!("hysteresis is {hysteresis}, and medium is {medium}: the level would never fall");
            self.wrong(span, message, "give a hysteresis below medium: without it, it is 10");
        }
        for (kind, weight) in &section.weights {
            if !(0.0..=MAX_SCORE).contains(weight.get_ref()) {
                self.wrong(weight.span(), format!("the weight is {}", weight.get_ref()), "give 0 to 100");
            }
            let kind = self.signal_kind(kind);
            settings.weights.extend(kind.map(|kind| (kind, *weight.get_ref())));
        }
        for (kind, secs) in &section.half_life_secs {
            if !(1..=MAX_HALF_LIFE.as_secs()).contains(secs.get_ref()) {
                let remedy = format!("give 1 to {}, which is a week", MAX_HALF_LIFE.as_secs());
                self.wrong(secs.span(), format!("the half-life is {} s", secs.get_ref()), remedy);
            }
            let kind = self.signal_kind(kind);
            settings.half_lives.extend(kind.map(|kind| (kind, Duration::from_secs(*secs.get_ref()))));
        }
        if let Some(secs) = &section.travel_secs {
            if *secs.get_ref() > MAX_TRAVEL_SECS {
                self.wrong(secs.span(), format!("travel_secs is {}", secs.get_ref()), "give 0 to 86400");
            }
            settings.travel = Duration::from_secs(*secs.get_ref());
        }
        Arc::new(settings)
    }

    /// All hooks: `[[risk.hook]]`, and that of Suricata unless one has its name.
    pub(super) fn hooks(&mut self, config: &Config) -> Arc<[Hook]> {
        let mut hooks: Vec<Hook> = Vec::new();
        for section in &config.risk.hook {
            let name = section.name.get_ref();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) || name == OURSELVES {
                let remedy = format!("give it 1 to {MAX_NAME} of a-z, A-Z, 0-9, - and _, and not {OURSELVES:?}");
                self.wrong(section.name.span(), format!("a hook is called {name:?}"), remedy);
            }
            if hooks.iter().any(|hook| hook.name == *name) {
                self.wrong(section.name.span(), format!("two hooks are called {name:?}"), "give each its own name");
            }
            let hook = self.hook(section);
            hooks.push(hook);
        }
        if hooks.iter().all(|hook| hook.name != SURICATA) {
            hooks.push(suricata());
        }
        hooks.into()
    }

    fn hook(&mut self, section: &HookSection) -> Hook {
        if section.identity.is_none() && section.mac.is_none() && section.ip.is_empty() {
            let message = format!("the hook {} does not say whom its events are about", section.name.get_ref());
            self.wrong(section.name.span(), message, "give it `identity`, `mac` or `ip`: where to find them");
        }
        let kind = self.pointer(section.kind.as_ref());
        let severity = self.pointer(section.severity.as_ref());
        let kinds =
            section.kinds.iter().filter_map(|(said, kind)| Some((said.clone(), self.signal_kind(kind)?))).collect();
        let severities =
            section.severities.iter().filter_map(|(said, is)| Some((said.clone(), self.severity(is)?))).collect();
        let evidence: BTreeMap<_, _> =
            section.evidence.iter().filter_map(|(name, at)| Some((name.clone(), self.pointer(Some(at))?))).collect();
        Hook {
            name: section.name.get_ref().clone(),
            only: section.only.iter().filter_map(|(at, is)| Some((self.pointer(Some(at))?, is.clone()))).collect(),
            id: self.pointer(section.id.as_ref()),
            at: self.pointer(section.at.as_ref()),
            identity: self.pointer(section.identity.as_ref()),
            mac: self.pointer(section.mac.as_ref()),
            ips: section.ip.iter().filter_map(|at| self.pointer(Some(at))).collect(),
            kind: kind.map(|at| (at, kinds)),
            default_kind: section.default_kind.as_ref().and_then(|kind| self.signal_kind(kind)),
            severity: severity.map(|at| (at, severities)),
            default_severity: section.default_severity.as_ref().and_then(|is| self.severity(is)),
            topic: self.pointer(section.topic.as_ref()),
            detail: self.pointer(section.detail.as_ref()),
            evidence: evidence.into_iter().collect(),
        }
    }

    fn pointer(&mut self, written: Option<&Spanned<String>>) -> Option<String> {
        let written = written?;
        if !written.get_ref().starts_with('/') {
            let message = format!("{:?} is no JSON pointer", written.get_ref());
            self.wrong(written.span(), message, "begin it with /: \"/alert/severity\" is severity within alert");
        }
        Some(written.get_ref().clone())
    }

    pub(super) fn signal_kind(&mut self, written: &Spanned<String>) -> Option<SignalKind> {
        self.one_of(written, SignalKind::from_code(written.get_ref()), "kind of signal", || {
            SignalKind::ALL.iter().map(|kind| kind.code()).collect::<Vec<_>>().join(", ")
        })
    }

    fn severity(&mut self, written: &Spanned<String>) -> Option<Severity> {
        self.one_of(written, Severity::from_code(written.get_ref()), "severity", || {
            Severity::ALL.map(Severity::code).join(", ")
        })
    }

    fn one_of<T>(
        &mut self,
        written: &Spanned<String>,
        found: Option<T>,
        what: &str,
        known: impl FnOnce() -> String,
    ) -> Option<T> {
        if found.is_none() {
            let span: Range<usize> = written.span();
            self.wrong(span, format!("{:?} is no {what}", written.get_ref()), format!("there are {}", known()));
        }
        found
    }
}
