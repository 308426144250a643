//! What a webhook is told of: the kinds of messages, in dotted names from the general to the particular.

use crate::audit::decision::DecisionOutcome;
use crate::audit::reason::Reason;
use crate::playbooks::run::State;
use crate::session::state::SessionState;
use crate::signals::kind::SignalKind;
use std::fmt;
use std::str::FromStr;

/// The longest name, in octets.
const MAX_LEN: usize = 100;

/// A kind of messages, or all kinds that begin so: `decision` stands for each `decision.reject.certificate_revoked`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic(String);

/// A text that names no kind of messages.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{given:?} is nothing that is told; {known}")]
pub struct NoTopic {
    given: String,
    known: &'static str,
}

impl Topic {
    /// Whether messages of this kind are among it.
    pub fn covers(&self, kind: &str) -> bool {
        kind.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether it is about the audit log.
    pub fn is_of_audit(&self) -> bool {
        self.family() == "audit"
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn family(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Topic {
    type Err = NoTopic;

    fn from_str(text: &str) -> Result<Self, NoTopic> {
        let outcome = |code: &str| DecisionOutcome::from_code(code).is_some();
        // That a session goes on is told each few minutes, and is no news.
        let state = |code: &str| SessionState::from_code(code).is_some_and(|state| state != SessionState::Active);
        let word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let parts: Vec<&str> = text.split('.').collect();
        let (good, known) = match parts.as_slice() {
            ["decision", rest @ ..] => (
                match rest {
                    [] => true,
                    [given] => outcome(given),
                    [given, reason] => outcome(given) && Reason::from_code(reason).is_some(),
                    _ => false,
                },
                "decisions are decision.OUTCOME.REASON, such as decision.reject.certificate_revoked; docs/api.md lists the reasons",
            ),
            ["session", rest @ ..] => (
                matches!(rest, [] | [_]) && rest.iter().all(|given| state(given)),
                "sessions are session.authenticated, session.started, session.stopped and session.inferred",
            ),
            ["signal", rest @ ..] => (
                matches!(rest, [] | [_]) && rest.iter().all(|code| SignalKind::from_code(code).is_some()),
                "signals are signal.KIND, such as signal.mac_in_two_places; docs/api.md lists them",
            ),
            ["playbook", rest @ ..] => (
                matches!(rest, [] | [_]) && rest.iter().all(|code| *code == "notify" || State::CODES.contains(code)),
                "playbooks are playbook.held, contained, failed, released, rehearsed and notify",
            ),
            ["audit", rest @ ..] => (
                rest.len() <= 2 && rest.iter().all(word),
                "events of the audit log are audit.ACTION, such as audit.identity.update",
            ),
            _ => (false, "there are decision, session, signal, playbook and audit, and what begins so"),
        };
        if good && text.len() <= MAX_LEN {
            Ok(Topic(text.to_owned()))
        } else {
            Err(NoTopic { given: text.chars().take(MAX_LEN).collect(), known })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_covers_what_begins_with_its_words() {
        let topic: Topic = "decision.reject".parse().unwrap();
        assert!(topic.covers("decision.reject") && topic.covers("decision.reject.mac_unknown"));
        assert!(!topic.covers("decision.rejected") && !topic.covers("decision") && !topic.covers("session.stopped"));
        let all: Topic = "audit".parse().unwrap();
        assert!(all.is_of_audit() && all.covers("audit.identity.update"));
    }

    #[test]
    fn what_is_never_told_cannot_be_asked_for() {
        for good in
            ["decision", "decision.accept", "decision.reject.identity_unknown", "session.stopped", "signal.os_changed"]
        {
            assert_eq!(good.parse::<Topic>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "decision.",
            "decision.refuse",
            "decision.reject.nothing",
            "session.active",
            "session.stopped.now",
            "signal.none",
            "audit.a.b.c",
            "audit.Identity",
            "webhook.test",
        ] {
            let error = bad.parse::<Topic>().unwrap_err().to_string();
            assert!(error.contains("nothing that is told"), "{error}");
        }
    }
}
