//! What can speak against somebody: what does not fit together in what is seen of endpoints, what is unexpected of a
//! NAS or unlike somebody's own past, and what other systems tell. None proves an attack; each is worth a look, and
//! says what to look at.

use std::fmt;
use std::time::Duration;

/// Seconds of an hour.
const HOUR: u64 = 3600;

/// Says each signal once; everything else about the list follows from it.
macro_rules! signals {
    ($($variant:ident $code:literal $weight:literal $hours:literal $cause:literal $remedy:literal)+) => {
        /// What a signal tells. The list is closed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum SignalKind {
            $(#[doc = $cause] $variant,)+
        }

        impl SignalKind {
            /// All signals, in the order they are documented.
            pub const ALL: &[SignalKind] = &[$(SignalKind::$variant,)+];

            /// The stable name, in lower case with underscores: what is stored
            /// and filtered by.
            pub const fn code(self) -> &'static str {
                match self { $(SignalKind::$variant => $code,)+ }
            }

            /// What one of severity `high` adds to the risk of whom it is about, in points of 100, unless the
            /// configuration says otherwise.
            pub const fn weight(self) -> u32 {
                match self { $(SignalKind::$variant => $weight,)+ }
            }

            /// After which time it weighs half as much, likewise.
            pub const fn half_life(self) -> Duration {
                match self { $(SignalKind::$variant => Duration::from_secs($hours * HOUR),)+ }
            }

            /// What was seen, in plain words.
            pub const fn cause(self) -> &'static str {
                match self { $(SignalKind::$variant => $cause,)+ }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(SignalKind::$variant => $remedy,)+ }
            }
        }
    };
}

signals! {
    MacInTwoPlaces "mac_in_two_places" 30 4
        "One MAC address was active at two ports or switches at about the same time, and accounting did not say that it had left the first."
        "Look at both ports named in the detail. If the device was only moved, switch accounting on, so that its leaving is told. Otherwise one of the two has copied the address: shut that port, and move the device to certificates, since a MAC address proves nothing."
    CategoryChanged "category_changed" 25 24
        "A device now looks like another kind of thing than it did before, such as a printer that behaves like a workstation."
        "Compare the evidence in the detail. If the device was replaced or set up anew, there is nothing to do. Otherwise somebody may have put a computer in its place with its MAC address: look at the port, and restrict the profile that it gets."
    OsChanged "os_changed" 15 24
        "A device now looks as if another operating system ran on it than before."
        "If it was set up anew or starts more than one system, there is nothing to do. A system that appears on a printer, phone or camera points to a computer with a copied MAC address: look at what is plugged in."
    VendorChanged "vendor_changed" 25 24
        "A known certificate was used from a network card of a vendor that was not seen with it before."
        "A docking station, a USB adapter or a new network card explains it. If none is in use, the certificate and its key may have been copied to another computer: revoke it, and keep keys in a TPM."
    MacSharedByCertificates "mac_shared_by_certificates" 20 24
        "Certificates of different identities were used from one MAC address, although they belong to things and not to people who share a computer."
        "A docking station or USB adapter that is passed on explains it, or a machine that was enrolled anew under another name. Otherwise one computer holds the keys of several: find out why, and revoke those that do not belong there."
    NasNewIdentifier "nas_new_identifier" 0 1
        "A NAS called itself by a NAS-Identifier that was not seen from its address before."
        "If the NAS was renamed, replaced or joined by another behind the same address, there is nothing to do. Otherwise something else knows its shared secret and sends from its address: look at who has that address, and give the NAS another secret."
    NasNewAddress "nas_new_address" 0 1
        "A NAS said that it has another NAS-IP-Address or NAS-IPv6-Address than before, although its packets come from the same address."
        "If its management address was changed, or several devices share the address that it sends from, there is nothing to do. Otherwise somebody may send in its name: compare the address in the detail with your records, and give the NAS another secret."
    NasNewVendor "nas_new_vendor" 0 1
        "A NAS sent attributes of a vendor whose attributes never came from its address before."
        "An update of its software or a replaced device explains it; then correct `vendor` of the NAS if it is another make now. Otherwise something else knows its shared secret: look at who has its address, and give the NAS another secret."
    NasNewPortType "nas_new_port_type" 0 1
        "A NAS spoke of a kind of port (NAS-Port-Type) that it was never seen to have, such as a wireless one on a switch."
        "If access points, VPN or logins to its own prompt were set up on it, there is nothing to do, but look whether rules by port type still mean what they should. Otherwise look at who has its address, and give the NAS another secret."
    NasMessageAuthenticatorCeased "nas_message_authenticator_ceased" 0 1
        "A request without Message-Authenticator came from the address of a NAS that had sent it in every request for long."
        "A request without it can be made by anybody who can write that address, without the secret. If the NAS was set up anew, switch Message-Authenticator on again there; then set `message_authenticator = \"required\"` for it, so that requests without it are dropped (CVE-2024-3596)."
    ImpossibleMovement "impossible_movement" 50 12
        "One credential was used at two sites within a time in which nobody gets from one to the other."
        "Ask its owner where they are. If both were the same person, the two sites are nearer than `[risk] travel_secs` says, or one NAS stands at the wrong site. Otherwise the key was copied: revoke the certificate, or move the device from its MAC address to a certificate."
    FailedLogins "failed_logins" 25 1
        "Logins failed for want of a good credential, more often within a short time than mistakes explain."
        "Look at the decisions in the detail. A supplicant with an old certificate or a wrong setting repeats itself; correct it. If the attempts come from a device that nobody knows, look at its port."
    UnusualHours "unusual_hours" 15 8
        "Somebody logged in at an hour at which they never did, though their habits are known for weeks."
        "Ask the owner. Shift work, travel and maintenance explain it; then there is nothing to do, since the new hour becomes known. Otherwise look at what the session does."
    ByteVolume "byte_volume" 30 8
        "Far more was sent or received within an hour than this identity ever does."
        "Look at where the traffic goes (flow records, the firewall). Backups, updates and moves of data explain it. Otherwise data may leave: quarantine the session while you look."
    CallRate "call_rate" 30 4
        "A machine or agent began far more sessions within an hour than it ever does."
        "Look at what drives it: a loop, a restart that repeats, or a scheduler with a wrong interval. Otherwise somebody uses its credential: stop it, and renew its key."
    IdsAlert "ids_alert" 45 4
        "An intrusion detection system or SIEM has raised an alert about it."
        "Read the alert at its source, by the id in the signal. If it is a false one, dismiss the signal with the reason, and tune the rule; otherwise isolate the host and follow your procedure."
    Malware "malware" 80 72
        "Malware was found on it, or its traffic is that of known malware."
        "Keep it in quarantine, clean or rebuild it, and dismiss the signal when that is done. Replace credentials that were on it."
    DataExfiltration "data_exfiltration" 80 48
        "Data left that should not have, as a DLP system, proxy or gateway tells."
        "Cut the session, find out what has left and to where, and follow your procedure for incidents."
    PromptInjection "prompt_injection" 50 8
        "An agent was given text that made it, or tried to make it, act against its purpose."
        "Look at the conversation at its source. Take away what the agent may reach until the text is removed from its inputs."
    RunawayToolUse "runaway_tool_use" 50 4
        "An agent calls tools without end, or tools that its purpose does not need."
        "Stop the agent, look at its log, and give it limits. Dismiss the signal when it has been started anew."
    CredentialCompromise "credential_compromise" 90 168
        "A credential of this identity is known to somebody else."
        "Revoke the credential, issue another, and look for where it was used since. Dismiss the signal when that is done."
    CredentialChange "credential_change" 20 8
        "A credential was revoked, deleted or changed at another system that knows this identity."
        "If the owner did it, there is nothing to do. Otherwise ask who took over the account there."
    SessionRevoked "session_revoked" 75 1
        "Another system has ended this identity's sessions, and asks that others do so too."
        "Its sessions here were ended, and rules may ask for the risk until it has decayed. Ask that system's log for the reason."
    RiskLevelChange "risk_level_change" 70 168
        "Another system judges the risk of this identity anew; the severity is its level."
        "Ask that system for the reason in the detail. It is taken back when that system tells of a lower level, or when the signal is dismissed."
    DeviceNotCompliant "device_not_compliant" 60 24
        "Another system, such as a device management, says that the device is not as it should be."
        "Look there for what fails, and mend it. It is taken back when that system says that the device is compliant."
    AssuranceLevelChange "assurance_level_change" 25 24
        "Another system trusts less than before that this is who it says, since a weaker proof was given."
        "Have them sign in there again with the stronger means. It is taken back when that system says so."
    Other "other" 25 8
        "Another system tells of something that is none of the other kinds; the detail says what."
        "Read the detail and ask the source. If it comes often, map it to a kind of its own in the connector or in `[[risk.hook]]`."
}

/// Something that does not fit together or is unexpected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: SignalKind,
    /// What is particular to it: names, places, evidence.
    pub detail: String,
}

impl SignalKind {
    /// The signal with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<SignalKind> {
        Self::ALL.iter().copied().find(|s| s.code() == code)
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for SignalKind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for SignalKind {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let code = String::deserialize(d)?;
        Self::from_code(&code).ok_or_else(|| serde::de::Error::custom(format!("unknown signal {code:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_signal_has_a_code_a_cause_and_a_remedy_of_its_own() {
        let mut said = HashSet::new();
        for &signal in SignalKind::ALL {
            assert_eq!(SignalKind::from_code(signal.code()), Some(signal));
            assert!(said.insert(signal.code()));
            for text in [signal.cause(), signal.remedy()] {
                assert!(text.len() > 40 && text.ends_with('.') && !text.contains("  "), "{signal}: {text}");
                assert!(said.insert(text), "{signal}: said twice");
            }
        }
        assert_eq!(SignalKind::from_code("no_such_signal"), None);
    }
}
