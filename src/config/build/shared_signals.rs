//! `[ssf]`, checked as it is read.

use super::Builder;
use crate::config::Config;
use crate::config::shared_signals::TransmitterSection;
use crate::pki::pem;
use crate::secret::Secret;
use crate::shared_signals::event::EventType;
use crate::shared_signals::receivers::{MAX_RECEIVERS, Place, Receivers};
use crate::shared_signals::transmitter::{Ends, Keys, MAX_TRANSMITTERS, Poll, Transmitter, is_safe};
use crate::signals::signal::{OURSELVES, Severity};
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;

/// The longest name of a transmitter, in characters.
const MAX_NAME: usize = 64;
/// The shortest token that is worth the name, in octets.
const MIN_TOKEN: usize = 16;

impl Builder<'_> {
    /// All transmitters.
    pub(super) fn transmitters(&mut self, config: &Config) -> Arc<[Arc<Transmitter>]> {
        let sections = &config.ssf.transmitter;
        if let Some(one) = sections.get(MAX_TRANSMITTERS) {
            let message = format!("there are more than {MAX_TRANSMITTERS} transmitters");
            self.wrong(one.name.span(), message, "have a hub gather what they tell");
        }
        let mut all: Vec<Arc<Transmitter>> = Vec::new();
        for section in sections {
            let name = section.name.get_ref();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) || name == OURSELVES {
                let remedy = format!("give it 1 to {MAX_NAME} of a-z, A-Z, 0-9, - and _, and not {OURSELVES:?}");
                self.wrong(section.name.span(), format!("a transmitter is called {name:?}"), remedy);
            }
            if all.iter().any(|other| other.name == *name) {
                let message = format!("two transmitters are called {name:?}");
                self.wrong(section.name.span(), message, "give each its own name");
            }
            if config.risk.hook.iter().any(|hook| hook.name.get_ref() == name) {
                let message = format!("a hook is called {name:?}, too");
                self.wrong(section.name.span(), message, "both are sources of signals: give each its own name");
            }
            all.extend(self.transmitter(section).map(Arc::new));
        }
        all.into()
    }

    /// Where events may be pushed to.
    pub(super) fn receivers(&mut self, config: &Config) -> Arc<Receivers> {
        let written = &config.ssf.receivers;
        if let Some(one) = written.get(MAX_RECEIVERS) {
            let message = format!("there are more than {MAX_RECEIVERS} receivers");
            self.wrong(one.span(), message, "there are no more streams than that: list those that are used");
        }
        let mut all = Vec::new();
        for one in written {
            match one.get_ref().parse::<Place>() {
                Ok(place) => all.push(place),
                Err(error) => {
                    let remedy = "give a host or an address, with its port if that is not 443: \"siem.example:8443\"";
                    self.wrong(one.span(), error.to_string(), remedy);
                }
            }
        }
        Arc::new(Receivers::new(all))
    }

    fn transmitter(&mut self, section: &TransmitterSection) -> Option<Transmitter> {
        let name = section.name.get_ref();
        self.https(&section.issuer, "issuer");
        for url in [&section.jwks_uri, &section.poll_endpoint].into_iter().flatten() {
            self.https(url, "URL");
        }
        if section.audience.get_ref().is_empty() || section.audience.get_ref().iter().any(String::is_empty) {
            let message = format!("the transmitter {name} has no audience");
            self.wrong(section.audience.span(), message, "say what it calls this server: the `aud` of its stream");
        }
        let keys = match (&section.jwks_uri, &section.jwks_file) {
            (Some(uri), None) => Keys::At(uri.get_ref().clone()),
            (None, None) => Keys::Discovered,
            (None, Some(file)) => {
                let text = self.read(file, "the keys of a transmitter")?;
                match serde_json::from_slice(&text) {
                    Ok(keys) => Keys::Fixed(keys),
                    Err(e) => {
                        self.wrong(file.span(), format!("the keys of {name}: {e}"), "give a JSON Web Key Set");
                        return None;
                    }
                }
            }
            (Some(uri), Some(_)) => {
                self.wrong(uri.span(), "there are both jwks_uri and jwks_file", "say where the keys are once");
                return None;
            }
        };
        let cas = match &section.ca {
            Some(file) => {
                let bundle = self.read(file, "the CA file of a transmitter")?;
                match pem::certificates(&bundle) {
                    Ok(all) => all.into_iter().map(|certificate| certificate.to_vec()).collect(),
                    Err(e) => {
                        self.wrong(file.span(), format!("the CA file of {name}: {e}"), "give PEM certificates");
                        return None;
                    }
                }
            }
            None => Vec::new(),
        };
        let push_token = self.token(section.push_token_file.as_ref());
        let poll_token = self.token(section.poll_token_file.as_ref());
        let poll = match (&section.poll_endpoint, &section.poll_token_file, poll_token) {
            (Some(endpoint), _, Some(token)) => Some(Poll { endpoint: endpoint.get_ref().clone(), token }),
            (Some(endpoint), None, None) => {
                let message = format!("the transmitter {name} is polled without a token");
                self.wrong(endpoint.span(), message, "give it poll_token_file");
                None
            }
            (None, Some(file), _) => {
                self.wrong(file.span(), "there is poll_token_file, and no poll_endpoint", "say where it is polled");
                None
            }
            (_, _, None) => None,
            (None, None, Some(_)) => None,
        };
        if section.push_token_file.is_none() && section.poll_endpoint.is_none() {
            let message = format!("the transmitter {name} can tell nothing");
            let remedy =
                "give it push_token_file, with what it shows when it pushes, or poll_endpoint and poll_token_file";
            self.wrong(section.name.span(), message, remedy);
        }
        let events = section.events.as_ref().map(|events| {
            let known = || EventType::ALL.iter().map(|event| event.code()).collect::<Vec<_>>().join(", ");
            let read = events.iter().map(|code| {
                let event = EventType::from_code(code.get_ref());
                if event.is_none() {
                    let message = format!("{:?} is no event", code.get_ref());
                    self.wrong(code.span(), message, format!("there are {}", known()));
                }
                event
            });
            read.collect::<Vec<_>>().into_iter().flatten().collect()
        });
        let severity = section.severity_at_most.as_ref().map_or(Some(Severity::Critical), |written| {
            let found = Severity::from_code(written.get_ref());
            let known = || Severity::ALL.map(Severity::code).join(", ");
            self.word(written, found, "severity", known)
        });
        let ends = section.end_sessions.as_ref().map_or(Some(Ends::Disconnect), |written| {
            let found = Ends::ALL.into_iter().find(|ends| ends.code() == written.get_ref());
            self.word(written, found, "way to end sessions", || Ends::ALL.map(Ends::code).join(", "))
        });
        let issuer = section.issuer.get_ref().clone();
        let subject_issuers = std::iter::once(issuer.clone()).chain(section.subject_issuers.iter().cloned());
        Some(Transmitter {
            name: name.clone(),
            audience: section.audience.get_ref().clone(),
            keys,
            cas,
            push_token,
            poll,
            subject_issuers: subject_issuers.collect(),
            opaque_subjects: section.opaque_subjects,
            events,
            severity_at_most: severity?,
            ends: ends?,
            owned: section.owned,
            issuer,
        })
    }

    fn token(&mut self, file: Option<&Spanned<PathBuf>>) -> Option<Secret> {
        let file = file?;
        let text = self.read(file, "the token of a transmitter")?;
        let text = text.trim_ascii();
        if text.len() < MIN_TOKEN {
            let message = format!("the token of a transmitter is shorter than {MIN_TOKEN} octets");
            self.wrong(file.span(), message, "`openssl rand -hex 32` makes a good one");
        }
        Some(Secret::new(text))
    }

    /// Others than those on this host are asked by TLS alone.
    fn https(&mut self, url: &Spanned<String>, what: &str) {
        let text = url.get_ref();
        if !is_safe(text) {
            self.wrong(url.span(), format!("{text:?} is no https {what}"), "give it as the transmitter says it");
        }
    }

    fn word<T>(
        &mut self,
        written: &Spanned<String>,
        found: Option<T>,
        what: &str,
        known: impl FnOnce() -> String,
    ) -> Option<T> {
        if found.is_none() {
            let message = format!("{:?} is no {what}", written.get_ref());
            self.wrong(written.span(), message, format!("there are {}", known()));
        }
        found
    }
}
