//! The closed list of reasons an attempt can end with.
//!
//! Log, API and command line all say the same three things about a reason: its
//! code, its cause in plain words, and what to do. They are written here once,
//! for a network engineer who is woken at 3 a.m. and has never seen this code.

use std::fmt;

/// Says each reason once; everything else about the list follows from it.
macro_rules! reasons {
    ($($variant:ident $code:literal $cause:literal $remedy:literal)+) => {
        /// Why an attempt ended as it did. The list is closed: a new way to
        /// fail gets a new member here, never free text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $cause] $variant,)+
        }

        impl Reason {
            /// All reasons, in the order they are documented.
            pub const ALL: &[Reason] = &[$(Reason::$variant,)+];

            /// The stable name, in lower case with underscores: what is stored,
            /// filtered by and counted.
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)+ }
            }

            /// What happened, in plain words.
            pub const fn cause(self) -> &'static str {
                match self { $(Reason::$variant => $cause,)+ }
            }

            /// What to do about it; for an accepted attempt, that there is nothing to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Reason::$variant => $remedy,)+ }
            }
        }
    };
}

reasons! {
    Accepted "accepted"
        "The credential was proven and a policy rule permits the connection."
        "Nothing to do. If it has no access all the same, compare the VLAN and filter in the reply of this record with what the switch port shows."

    PolicyDenied "policy_denied"
        "The credential was proven, but a policy rule forbids the connection."
        "Read the rules named in this record. If the device should be let in, change that rule or the group, site or time that made it match."
    NoMatchingRule "no_matching_rule"
        "The credential was proven, but no policy rule permits this connection, and what no rule permits is denied."
        "Compare the facts in this record (identity, groups, site, switch groups) with the rules: either the identity is missing a group or a permit rule is missing."
    PolicyError "policy_error"
        "A policy rule could not be evaluated, so the connection was denied to be safe."
        "Read the error in the detail of this record and correct the rule it names; `cordon check` finds most such mistakes before they are live. All logins this rule looks at are affected."

    ProfileNotExpressible "profile_not_expressible"
        "The rules permit the connection, but this switch or controller cannot be told what the granted profile asks for, so it was denied to be safe."
        "The detail says what it cannot be told. Narrow the rule to gear that can, change the profile, give it a VLAN at this site, or set the right vendor for this NAS; `cordon check` names all such places."

    AclUnknown "acl_unknown"
        "The switch asked for an access list by a name that this server does not have for its kind of gear, so that it has no rules for a session."
        "The list is from before a restart or too many changes of its rules, or from another server: clear the sessions on that port, so that they log in again. If all lists of this switch fail, its vendor in [[nas]] is not one that downloads lists."

    IdentityUnknown "identity_unknown"
        "The certificate is valid, but no identity is bound to it, and policy does not admit unknown certificates."
        "Bind this certificate (its SAN, subject or fingerprint is in the facts) to an identity, or permit certificates of this CA by a rule for principals of type Certificate."
    IdentitySuspended "identity_suspended"
        "The identity exists but is not active: it is requested, approved, suspended or retired."
        "Find out from the owner why. If it should have access, set the status of this identity to active."
    IdentityExpired "identity_expired"
        "The identity was only granted access until a date, and that date has passed."
        "Ask the owner whether it is still needed; if so, set a later expiry on the identity."
    IdentityAmbiguous "identity_ambiguous"
        "The certificate matches the credentials of two different identities, so it is not clear who this is."
        "The detail names both. Remove the credential from one of them, or bind both by something unique such as the key fingerprint."

    MabNotAllowed "mab_not_allowed"
        "The device has no certificate login, only its MAC address, and policy does not admit that here."
        "If the device cannot do 802.1X, register its MAC and permit it by a rule for MAB. If it can, find out why its supplicant did not start: the switch falls back to MAB when it gets no EAP answer."
    MacUnknown "mac_unknown"
        "The MAC address is not registered to any identity, and policy does not admit unknown devices here."
        "If the device belongs here, add its MAC address as a credential of an identity. If the fact says the MAC is randomized, switch private addresses off for this network on the device."
    MacPasswordMismatch "mac_password_mismatch"
        "The request looks like MAC authentication, but its password or calling station is not that MAC address."
        "Set the switch to send the MAC as user name and as password (MAC authentication bypass), with the Calling-Station-Id. Should it do so already, check the shared secret; otherwise somebody is trying MAC addresses."

    ServerCertificateNotTrusted "server_certificate_not_trusted"
        "The device does not trust the CA that issued the certificate of this server (TLS alert unknown_ca)."
        "Install the CA of the server's certificate on the device as trusted for this network, or correct the CA in its 802.1X profile. If every device fails since the server's certificate was renewed, the new one comes from another CA."
    ServerCertificateRejected "server_certificate_rejected"
        "The device refused the certificate of this server for another reason than its CA: name, validity, purpose or key."
        "The alert is in the detail. Check that the server's certificate is in date, is for server authentication, has the server name that the device's 802.1X profile expects, and that the clock of the device is right."
    UnknownCa "unknown_ca"
        "The certificate of the device was issued by a CA that this server does not trust."
        "If the issuer named in the detail is yours, add it to the configured CAs, or make the device send its intermediate certificates. If not, the device chose the wrong certificate."
    CertificateExpired "certificate_expired"
        "The certificate of the device, or of a CA above it, is past its validity."
        "Renew the certificate; the detail says which one and since when. If many devices fail at once, look for an expired intermediate CA, then for a wrong clock on this server."
    CertificateNotYetValid "certificate_not_yet_valid"
        "The validity of the device's certificate has not begun yet."
        "Compare the clocks of this server and of the CA that issued the certificate (NTP). If both are right, the certificate was issued for a later date: wait or reissue it."
    CertificateRevoked "certificate_revoked"
        "The certificate of the device, or of a CA above it, has been revoked by its CA."
        "This is working as intended if the device was lost or retired. Otherwise issue a new certificate; a revocation cannot be taken back."
    CrlMissing "crl_missing"
        "Revocation is to be checked for this CA, but no revocation list of it is loaded."
        "Put the CRL of the issuer named in the detail where the configuration expects it; it is picked up without a restart. To accept with a warning meanwhile, set crl_missing = \"warn\" for this CA. Every device of this CA is affected."
    CrlOutdated "crl_outdated"
        "The revocation list of this CA is past its next update, so that a recent revocation might be missing."
        "Publish and fetch a new CRL from the issuer named in the detail; it is picked up without a restart. To accept with a warning meanwhile, set crl_outdated = \"warn\" for this CA. Every device of this CA is affected."
    WrongKeyUsage "wrong_key_usage"
        "The certificate is not meant for client authentication (extended key usage)."
        "Issue it from a template with the usage \"client authentication\" (1.3.6.1.5.5.7.3.2), or select another certificate in the 802.1X profile of the device."
    CertificateInvalid "certificate_invalid"
        "The certificate chain of the device is broken: it cannot be read, a signature does not fit, or a CA lacks the right to issue it."
        "The detail says which certificate and why. Re-enrol the device; if many fail, check the intermediate CA's constraints and that the chain is installed on the device in full."
    CertificateWeak "certificate_weak"
        "The certificate uses a key or signature that is too weak to be accepted, such as RSA below 2048 bits or SHA-1."
        "Reissue it with RSA 2048 or longer, P-256, P-384 or Ed25519, signed with SHA-256 or better."
    NoCertificate "no_certificate"
        "The device started EAP-TLS but sent no certificate."
        "Check that a certificate with its private key is installed for the user or machine in question and selected in the 802.1X profile. Before logon only machine certificates are available."
    PossessionNotProven "possession_not_proven"
        "The device showed a certificate but could not prove that it holds the private key."
        "Reinstall certificate and key together on the device. If its key is in a TPM, look for TPM errors there. If the certificate is known to be elsewhere, treat this as an attack with a copied certificate."

    NoCommonTlsVersion "no_common_tls_version"
        "The device and this server have no TLS version in common."
        "The device is too old for the configured minimum, or set to less than it can do. Update it or enable TLS 1.2 on it; lower tls.min_version only if it is above 1.2."
    NoCommonCipher "no_common_cipher"
        "The device and this server have no cipher suite, key exchange or signature method in common."
        "Update the supplicant. With TLS 1.2 it needs ECDHE with AES-GCM or ChaCha20 and a signature method that fits the server's key: an old device may need an RSA server certificate."
    TlsAlertFromPeer "tls_alert_from_peer"
        "The device broke off the TLS handshake with an alert that has no reason of its own here."
        "The alert is in the detail. Look at the 802.1X log of the device at the time of this record; the cause stands there."
    TlsProtocolError "tls_protocol_error"
        "The device sent something that breaks the TLS protocol."
        "The detail says what. Update the supplicant or network driver of the device; if only devices behind one switch or access point fail, suspect that it damages large EAP packets."

    EapMethodRefused "eap_method_refused"
        "The device does not want EAP-TLS; it asks for another EAP method, such as PEAP with a password."
        "Set the 802.1X profile of the device to EAP-TLS (\"smart card or other certificate\" in Windows). The methods it asked for are in the detail."
    EapProtocolError "eap_protocol_error"
        "The device sent something that breaks the EAP protocol."
        "The detail says what. Update the supplicant; if all devices behind one switch fail, update the switch, which may mix up conversations."
    FragmentsLost "fragments_lost"
        "Pieces of a long EAP message did not fit together: some were lost, repeated or contradict each other."
        "Suspect the path: large UDP packets dropped by a firewall, tunnel or VPN between switch and server. Compare with a short certificate chain, lower tls.fragment_size, and allow IP fragments."
    ConversationTimedOut "conversation_timed_out"
        "The device or switch stopped answering in the middle of the login."
        "If the last step in the detail is our certificate, the user may have been asked to trust it and did nothing, or the large packet was lost: lower tls.fragment_size and check the MTU to the switch. A single occurrence is a device that was unplugged."
    TooManyRounds "too_many_rounds"
        "The login took more message rounds than any sound one needs, and was ended."
        "Usually an oversized certificate chain with a small fragment size: shorten the chain or raise tls.fragment_size. Otherwise the supplicant is looping; update it."
    ConversationUnknown "conversation_unknown"
        "The switch continued a login that this server does not know: it had expired, was ended, or began on another server."
        "Check that the switch or load balancer keeps one login on one server, and that radius timeouts on the switch are below conversation_timeout_secs. Right after a restart of this server it is harmless."
    ServerBusy "server_busy"
        "Too many logins were in progress at once, on this server or from this switch, so this one was not begun."
        "Find out who is flooding (conversations by switch in the metrics): a looping port or a mass reconnect after a power cut. If it is legitimate, raise max_conversations for this switch."
    WrongSharedSecret "wrong_shared_secret"
        "The switch and this server do not have the same shared secret: the check value of its request is wrong."
        "Set the same secret on both sides, without stray spaces. Look for another device behind the same address. Until then every request of this switch is dropped and its users cannot log in."
    BackendUnavailable "backend_unavailable"
        "This server could not complete the login for a fault of its own, such as a database that cannot be written. The device was not rejected; the switch was left to try another server."
        "Look at /readyz and the log of this server: full disk, wrong file permissions or a failing disk are the usual causes. Nobody can log in through this server until it is repaired."
    UnsupportedAuthentication "unsupported_authentication"
        "The request holds a password login (PAP, CHAP or MS-CHAP) that is not MAC authentication; this server does not check passwords."
        "Set the port or wireless network to 802.1X with EAP-TLS. If this is an administrator's login to the switch itself, point that at another server. If it was meant as MAB, the user name is not a MAC address that equals the Calling-Station-Id."
}

impl Reason {
    /// The reason with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Reason> {
        Self::ALL.iter().copied().find(|r| r.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let code = String::deserialize(d)?;
        Self::from_code(&code).ok_or_else(|| serde::de::Error::custom(format!("unknown reason {code:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_lead_back() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert!(reason.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{reason}");
        }
        assert_eq!(Reason::from_code("no_such_reason"), None);
    }

    #[test]
    fn the_code_is_the_name_of_the_member() {
        for &reason in Reason::ALL {
            let camel: String = reason.code().split('_').map(|w| w[..1].to_uppercase() + &w[1..]).collect();
            assert_eq!(camel, format!("{reason:?}"));
        }
    }

    #[test]
    fn every_reason_says_a_cause_and_a_remedy_of_its_own() {
        let mut texts = HashSet::new();
        for reason in Reason::ALL {
            for text in [reason.cause(), reason.remedy()] {
                assert!(text.len() > 40 && text.ends_with('.'), "{reason}: {text}");
                assert!(!text.contains("  "), "{reason}: {text}");
                assert!(texts.insert(text), "{reason}: said twice");
            }
        }
    }
}
