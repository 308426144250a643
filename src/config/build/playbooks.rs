//! Playbooks, checked as they are read.

use super::Builder;
use crate::config::Source;
use crate::config::document::Sections;
use crate::config::playbook::{PlaybookSection, WhenSection};
use crate::enforcement::profile::Profile;
use crate::inventory::identity::IdentityKind;
use crate::playbooks::playbook::{Limits, Playbook, Playbooks, Release, Step, Terms, Trigger};
use crate::posture::check::Check;
use crate::posture::compliance::Status;
use crate::signals::risk::Level;
use crate::signals::signal::Severity;
use crate::transport::mail::Mail;
use std::collections::HashSet;
use std::time::Duration;
use toml::Spanned;

/// The longest time that a playbook may name, in seconds: 30 days.
const MAX_SECS: u64 = 30 * 86_400;
/// The most runs that may be allowed within a window.
const MAX_RUNS: u64 = 100_000;
/// The most addresses of one step.
const MAX_ADDRESSES: usize = 20;
/// The most steps.
const MAX_STEPS: usize = 20;

/// What playbooks are not called: the last part of paths of the API.
const RESERVED: [&str; 5] = ["runs", "shipped", "state", "stop", "resume"];

impl<'a> Builder<'a> {
    /// All playbooks, in the order in which they are written.
    pub(super) fn playbooks(&mut self, documents: &[(&'a Source, Sections<'a>)], profiles: &[Profile]) -> Playbooks {
        let (mut all, mut names) = (Vec::new(), HashSet::new());
        for (source, sections) in documents {
            self.source = source;
            for section in sections.playbook {
                let name = section.name.get_ref();
                if !names.insert(name.clone()) {
                    let message = format!("two playbooks are called {name:?}");
                    self.wrong(section.name.span(), message, "give each its own name");
                }
                if RESERVED.contains(&name.as_str()) {
                    let message = format!("a playbook is called {name:?}");
                    self.wrong(
                        section.name.span(),
                        message,
                        "give it another name: the API has a meaning for this one",
                    );
                }
                all.extend(self.playbook(section, profiles));
            }
        }
        all.into()
    }

    fn playbook(&mut self, section: &PlaybookSection, profiles: &[Profile]) -> Option<Playbook> {
        let mut kinds = std::collections::BTreeSet::new();
        for kind in &section.kinds {
            match kind.get_ref().parse::<IdentityKind>() {
                Ok(known) => drop(kinds.insert(known.as_str())),
                Err(e) => self.wrong(kind.span(), e.to_string(), "name a kind of identity"),
            }
        }
        if section.steps.is_empty() || section.steps.len() > MAX_STEPS {
            let message = format!("the playbook {} has {} steps", section.name.get_ref(), section.steps.len());
            self.wrong(section.name.span(), message, format!("give it 1 to {MAX_STEPS}"));
        }
        for step in &section.steps {
            self.step(step, profiles);
            self.addresses(step);
        }
        let automatic = match section.release.as_ref().map(Spanned::get_ref).map(String::as_str) {
            None | Some("recovered") => true,
            Some("by_hand") => false,
            Some(other) => {
                let span = section.release.as_ref().map_or(0..0, Spanned::span);
                self.wrong(span, format!("release is {other:?}"), "give recovered or by_hand");
                true
            }
        };
        let after = section.release_after_secs.as_ref().map(|secs| self.at_most(secs, "release_after_secs", MAX_SECS));
        let mut limits = Limits::of(section.steps.iter().any(|step| step.get_ref().contains()));
        if let Some(runs) = &section.max_runs {
            limits.runs = self.at_most(runs, "max_runs", MAX_RUNS);
        }
        if let Some(percent) = &section.max_percent {
            limits.percent = Some(*percent.get_ref());
            if !(1..=100).contains(percent.get_ref()) {
                self.wrong(percent.span(), format!("max_percent is {}", percent.get_ref()), "give 1 to 100");
            }
        }
        if let Some(secs) = &section.window_secs {
            limits.window = Duration::from_secs(self.at_most(secs, "window_secs", MAX_SECS));
        }
        Some(Playbook {
            name: section.name.get_ref().as_str().into(),
            mode: section.mode,
            terms: Terms {
                trigger: self.trigger(&section.when)?,
                release: Release {
                    automatic,
                    risk_below: section.release_below.filter(|level| *level != Level::Low),
                    after: after.map(Duration::from_secs),
                },
            },
            kinds,
            groups: section.groups.iter().map(|group| group.as_str().into()).collect(),
            attributes: section.attributes.clone(),
            sites: section.sites.iter().map(|site| site.as_str().into()).collect(),
            steps: section.steps.iter().map(|step| step.get_ref().clone()).collect(),
            limits,
        })
    }

    fn at_most(&mut self, written: &Spanned<u64>, key: &str, most: u64) -> u64 {
        let value = *written.get_ref();
        if !(1..=most).contains(&value) {
            self.wrong(written.span(), format!("{key} is {value}"), format!("give 1 to {most}"));
        }
        value
    }

    fn step(&mut self, step: &Spanned<Step>, profiles: &[Profile]) {
        if let Step::Quarantine { profile } = step.get_ref()
            && !profiles.iter().any(|known| known.name == *profile)
        {
            let message = format!("no [[profile]] is called {profile:?}");
            self.wrong(step.span(), message, "name the profile that takes the place of others in quarantine");
        }
    }

    fn addresses(&mut self, step: &Spanned<Step>) {
        let Step::Notify { to } = step.get_ref() else { return };
        if let Some(wrong) = to.iter().find(|address| !Mail::is_address(address)) {
            self.wrong(step.span(), format!("{wrong:?} is no email address"), "write it like ben@example.com");
        }
        if to.len() > MAX_ADDRESSES {
            let message = format!("{} addresses are to be told", to.len());
            self.wrong(step.span(), message, format!("name at most {MAX_ADDRESSES}: a mailing list is one"));
        }
    }

    fn trigger(&mut self, when: &Spanned<WhenSection>) -> Option<Trigger> {
        let WhenSection { signals, severity, risk, posture, checks } = when.get_ref();
        let mut all = Vec::new();
        if let Some(signals) = signals {
            let mut kinds = std::collections::BTreeSet::new();
            for kind in signals {
                kinds.extend(self.signal_kind(kind));
            }
            all.push(Trigger::Signal { kinds, severity: severity.unwrap_or(Severity::Low) });
        }
        if let Some(level) = risk {
            if *level == Level::Low {
                self.wrong(when.span(), "everybody's risk is low or more", "give medium or high");
            }
            all.push(Trigger::Risk(*level));
        }
        if let Some(status) = posture {
            if status.get_ref() != Status::NonCompliant.code() {
                let message = format!("posture is {:?}", status.get_ref());
                self.wrong(status.span(), message, "give non_compliant; what is unknown or a warning contains nobody");
            }
            all.push(Trigger::NonCompliant);
        }
        if let Some(checks) = checks {
            let mut known = std::collections::BTreeSet::new();
            for check in checks {
                match check.get_ref().parse::<Check>() {
                    Ok(check) => drop(known.insert(check)),
                    Err(e) => self.wrong(check.span(), e.to_string(), "docs/posture.md lists the checks"),
                }
            }
            all.push(Trigger::Checks(known));
        }
        if severity.is_some() && signals.is_none() {
            self.wrong(when.span(), "severity is of no use without signals", "say which signals, or leave it out");
        }
        match (all.pop(), all.is_empty()) {
            (Some(trigger), true) => Some(trigger),
            _ => {
                let message = "it is not said what sets it off, or more than one thing is";
                self.wrong(when.span(), message, "give one of signals, risk, posture and checks");
                None
            }
        }
    }
}
