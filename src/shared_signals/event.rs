//! What events there are: CAEP 1.0, RISC 1.0, and those of the Shared Signals Framework itself.

/// Where the names of CAEP's events lie.
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
/// Where those of RISC lie.
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
/// Where those about streams lie.
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// Says each event once; everything else about the list follows from it.
macro_rules! events {
    ($($variant:ident $family:ident $name:literal $doc:literal)+) => {
        /// A type of events. The list is closed; others are acknowledged, and change nothing.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum EventType {
            $(#[doc = $doc] $variant,)+
        }

        impl EventType {
            /// All of them.
            pub const ALL: &[EventType] = &[$(EventType::$variant,)+];

            /// Its name, without the place where such names lie.
            pub const fn code(self) -> &'static str {
                match self { $(EventType::$variant => $name,)+ }
            }

            const fn family(self) -> &'static str {
                match self { $(EventType::$variant => $family,)+ }
            }
        }
    };
}

events! {
    SessionRevoked CAEP "session-revoked" "A session was ended there (CAEP 1.0, section 3.1)."
    TokenClaimsChange CAEP "token-claims-change" "A token would say something else now (section 3.2)."
    CredentialChange CAEP "credential-change" "A credential was made, changed or taken away (section 3.3)."
    AssuranceLevelChange CAEP "assurance-level-change" "Somebody proved who they are more or less well than before (section 3.4)."
    DeviceComplianceChange CAEP "device-compliance-change" "A device is as it should be, or is not any more (section 3.5)."
    SessionEstablished CAEP "session-established" "A session began (section 3.6)."
    SessionPresented CAEP "session-presented" "A session was seen in use (section 3.7)."
    RiskLevelChange CAEP "risk-level-change" "The risk of somebody is judged anew (section 3.8)."
    CredentialChangeRequired RISC "account-credential-change-required" "An account wants another credential (RISC 1.0, section 2.1)."
    AccountPurged RISC "account-purged" "An account is gone for good."
    AccountDisabled RISC "account-disabled" "An account is barred."
    AccountEnabled RISC "account-enabled" "An account is open again."
    IdentifierChanged RISC "identifier-changed" "An address or number is another now."
    IdentifierRecycled RISC "identifier-recycled" "An address or number is somebody else's now."
    CredentialCompromise RISC "credential-compromise" "A credential is known to somebody else."
    OptIn RISC "opt-in" "Somebody takes part."
    OptOutInitiated RISC "opt-out-initiated" "Somebody wants to take part no more."
    OptOutCancelled RISC "opt-out-cancelled" "Somebody takes that back."
    OptOutEffective RISC "opt-out-effective" "Somebody takes part no more."
    RecoveryActivated RISC "recovery-activated" "Somebody recovers an account."
    RecoveryInformationChanged RISC "recovery-information-changed" "The way to recover an account is another now."
    SessionsRevoked RISC "sessions-revoked" "All sessions of an account were ended."
    Verification SSF "verification" "The stream is tried out (SSF 1.0, section 8.1.4)."
    StreamUpdated SSF "stream-updated" "The stream is paused, ended or goes on (section 8.1.5)."
}

impl EventType {
    /// Its URI.
    pub fn uri(self) -> String {
        format!("{}{}", self.family(), self.code())
    }

    /// The type with this URI, if it is one of those that are known.
    pub fn from_uri(uri: &str) -> Option<EventType> {
        Self::ALL.iter().copied().find(|event| uri.strip_prefix(event.family()) == Some(event.code()))
    }

    /// The type of this name.
    pub fn from_code(code: &str) -> Option<EventType> {
        Self::ALL.iter().copied().find(|event| event.code() == code)
    }

    /// Whether it is about the stream, and about nobody.
    pub fn is_of_stream(self) -> bool {
        self.family() == SSF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_codes_lead_back() {
        for event in EventType::ALL {
            assert_eq!(EventType::from_uri(&event.uri()), Some(*event));
            assert_eq!(EventType::from_code(event.code()), Some(*event));
        }
        assert_eq!(
            EventType::SessionRevoked.uri(),
            "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
        );
        for other in ["session-revoked", "https://schemas.openid.net/secevent/risc/event-type/session-revoked", ""] {
            assert_eq!(EventType::from_uri(other), None);
        }
    }
}
