//! What a NAS's refusal means, and what to do: Error-Cause (RFC 5176, section
//! 3.5), put into words for whoever finds it in the record of a change.

use std::fmt;

/// Says each cause once; everything else about the list follows from it.
macro_rules! causes {
    ($($variant:ident $number:literal $code:literal $cause:literal $remedy:literal)+) => {
        /// Why a NAS refused, out of the closed list of RFC 5176 and of the
        /// numbers that came later.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCause {
            $(#[doc = $cause] $variant,)+
            /// A NAK without Error-Cause.
            Unsaid,
            /// A number that is not on the list.
            Unlisted(u32),
        }

        impl ErrorCause {
            /// All that have a number, in its order.
            pub const ALL: &[ErrorCause] = &[$(ErrorCause::$variant,)+];

            /// The number on the wire; `None` where the NAS said none.
            pub const fn number(self) -> Option<u32> {
                match self {
                    $(ErrorCause::$variant => Some($number),)+
                    ErrorCause::Unsaid => None,
                    ErrorCause::Unlisted(number) => Some(number),
                }
            }

            /// The stable name.
            pub const fn code(self) -> &'static str {
                match self {
                    $(ErrorCause::$variant => $code,)+
                    ErrorCause::Unsaid => "unsaid",
                    ErrorCause::Unlisted(_) => "unlisted",
                }
            }

            /// What happened, in plain words.
            pub const fn cause(self) -> &'static str {
                match self {
                    $(ErrorCause::$variant => $cause,)+
                    ErrorCause::Unsaid => "The NAS refused the change and gave no reason.",
                    ErrorCause::Unlisted(_) => "The NAS refused the change with a reason whose number is in no RFC that this version knows.",
                }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(ErrorCause::$variant => $remedy,)+
                    ErrorCause::Unsaid => "Look at the log of the NAS at this time. Older firmware refuses so what it does not support: try another change, or update it.",
                    ErrorCause::Unlisted(_) => "Look the number up in the vendor's documents of dynamic authorization, and at the log of the NAS at this time.",
                }
            }

            /// The cause with this number.
            pub fn from_number(number: u32) -> ErrorCause {
                match number {
                    $($number => ErrorCause::$variant,)+
                    other => ErrorCause::Unlisted(other),
                }
            }
        }
    };
}

causes! {
    ResidualContextRemoved 201 "residual_context_removed"
        "There was no such session any more, but traces of it, which the NAS has removed."
        "Nothing to do: the session is gone."
    InvalidEapPacket 202 "invalid_eap_packet"
        "The NAS ignored an EAP packet that it could not read."
        "It belongs to logins and not to changes: report it to the vendor of the NAS with a capture."

    UnsupportedAttribute 401 "unsupported_attribute"
        "The NAS does not support an attribute of the request, and so did nothing."
        "The vendor set for this NAS does not fit its model or firmware: choose another, or write a NAS profile that sends fewer attributes. Gear that knows no CoA-Request at all answers so too: there only a disconnect works."
    MissingAttribute 402 "missing_attribute"
        "The NAS needs an attribute that the request did not hold, such as another name of the session."
        "Compare the attributes that were sent with the vendor's guide, and add what is missing to [coa.session] of a NAS profile of your own. What is not known of the session must first come with its accounting."
    NasIdentificationMismatch 403 "nas_identification_mismatch"
        "The NAS says that the request names another NAS."
        "Set the address or name of the NAS to what its own requests say, and look for address translation between it and this server."
    InvalidRequest 404 "invalid_request"
        "The NAS finds the request malformed or contradictory."
        "Report it with a capture of the request. Often an attribute has a form that this firmware does not read: compare it with the vendor's guide."
    UnsupportedService 405 "unsupported_service"
        "The NAS does not do this kind of change, for this session or at all."
        "Switch dynamic authorization on in the NAS, or use another change: what each kind of gear can do is in docs/vendors.md."
    UnsupportedExtension 406 "unsupported_extension"
        "The NAS does not know this kind of request."
        "Switch dynamic authorization on in the NAS, or update it. If it answers so to a disconnect too, it does not support RFC 5176."
    InvalidAttributeValue 407 "invalid_attribute_value"
        "The NAS does not accept a value in the request, such as a VLAN or role that it does not have."
        "Create the VLAN or role on the NAS, or correct its name in the profile."

    AdministrativelyProhibited 501 "administratively_prohibited"
        "The NAS is set to refuse changes to this session or from this server."
        "Allow it there: on many switches a line per server, and on some per port, says which changes are taken."
    RequestNotRoutable 502 "request_not_routable"
        "A proxy on the way could not pass the request on to the NAS."
        "Look at the proxy: it must know the NAS, or have a connection from it, and the realm or name by which the request finds it."
    SessionNotFound 503 "session_not_found"
        "The NAS has no such session: it ended without a word, or is known there by another name."
        "As a rule nothing: it is gone. If its accounting goes on, the NAS finds sessions by other attributes than were sent: correct [coa.session] of its NAS profile."
    SessionNotRemovable 504 "session_not_removable"
        "The NAS found the session but could not end it."
        "Look at the log of the NAS. A session that another component holds, such as a controller, must be ended there."
    OtherProxyError 505 "other_proxy_error"
        "A proxy on the way failed."
        "Look at the log of the proxy at this time."
    ResourcesUnavailable 506 "resources_unavailable"
        "The NAS had no memory or time for the request."
        "Wait, or make waves slower (in_flight_per_nas and per_second in [changes]); if it goes on, the NAS is overloaded."
    RequestInitiated 507 "request_initiated"
        "The NAS has begun a new login of this session instead of answering: that is how it authorizes again."
        "Nothing to do: the login's own record tells what came of it."
    MultipleSessionsUnsupported 508 "multiple_sessions_unsupported"
        "The request fits several sessions of the NAS, and it changes only one at a time."
        "Name the session by more attributes in [coa.session] of a NAS profile of your own, Acct-Session-Id above all."
    LocationInfoRequired 509 "location_info_required"
        "The NAS wants to be asked for its location first."
        "This server does not ask for locations: switch the demand off in the NAS."
    MissingMessageAuthenticator 510 "missing_message_authenticator"
        "The NAS or a proxy found no Message-Authenticator in the request, which always carries one."
        "Something on the way removes it: look for an old proxy between this server and the NAS."
    ResponseTooBig 601 "response_too_big"
        "The answer of the NAS would have been longer than its packets may be."
        "Report it to the vendor of the NAS: answers to changes are short."
}

impl ErrorCause {
    /// What a NAK says.
    pub fn of(number: Option<u32>) -> ErrorCause {
        number.map_or(ErrorCause::Unsaid, ErrorCause::from_number)
    }
}

impl fmt::Display for ErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "{number} {}", self.code()),
            None => f.write_str(self.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::attribute as attr;
    use crate::radius::dictionary::Dictionary;
    use std::collections::HashSet;

    #[test]
    fn every_cause_says_what_happened_and_what_to_do() {
        let more = [ErrorCause::Unsaid, ErrorCause::Unlisted(999)];
        let (mut codes, mut texts) = (HashSet::new(), HashSet::new());
        for cause in ErrorCause::ALL.iter().chain(&more) {
            assert!(codes.insert(cause.code()), "{cause}");
            for text in [cause.cause(), cause.remedy()] {
                assert!(text.len() > 20 && text.ends_with('.') && !text.contains("  "), "{cause}: {text}");
                assert!(texts.insert(text), "{cause}: said twice");
            }
            assert_eq!(ErrorCause::of(cause.number()), *cause);
        }
    }

    #[test]
    fn every_number_of_the_dictionary_has_advice() {
        let names = Dictionary::standard();
        let mut listed = 0;
        for number in 200..=700 {
            // The dictionary writes a number that has no name as digits.
            let shown = names.value_text(attr::ERROR_CAUSE, number);
            if shown.parse::<u32>().is_err() {
                listed += 1;
                assert!(!matches!(ErrorCause::from_number(number), ErrorCause::Unlisted(_)), "{number} {shown}");
            }
        }
        assert!(listed >= 18, "{listed}");
    }
}
