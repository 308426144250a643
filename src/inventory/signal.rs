//! What does not fit together in what is seen of endpoints, or is unexpected of a
//! NAS. None proves an attack; each is worth a look, and says what to look at.

use crate::ids::EndpointId;
use std::fmt;
use std::net::IpAddr;

/// Says each signal once; everything else about the list follows from it.
macro_rules! signals {
    ($($variant:ident $code:literal $cause:literal $remedy:literal)+) => {
        /// What does not fit together. The list is closed.
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
    MacInTwoPlaces "mac_in_two_places"
        "One MAC address was active at two ports or switches at about the same time, and accounting did not say that it had left the first."
        "Look at both ports named in the detail. If the device was only moved, switch accounting on, so that its leaving is told. Otherwise one of the two has copied the address: shut that port, and move the device to certificates, since a MAC address proves nothing."
    CategoryChanged "category_changed"
        "A device now looks like another kind of thing than it did before, such as a printer that behaves like a workstation."
        "Compare the evidence in the detail. If the device was replaced or set up anew, there is nothing to do. Otherwise somebody may have put a computer in its place with its MAC address: look at the port, and restrict the profile that it gets."
    OsChanged "os_changed"
        "A device now looks as if another operating system ran on it than before."
        "If it was set up anew or starts more than one system, there is nothing to do. A system that appears on a printer, phone or camera points to a computer with a copied MAC address: look at what is plugged in."
    VendorChanged "vendor_changed"
        "A known certificate was used from a network card of a vendor that was not seen with it before."
        "A docking station, a USB adapter or a new network card explains it. If none is in use, the certificate and its key may have been copied to another computer: revoke it, and keep keys in a TPM."
    MacSharedByCertificates "mac_shared_by_certificates"
        "Certificates of different identities were used from one MAC address, although they belong to things and not to people who share a computer."
        "A docking station or USB adapter that is passed on explains it, or a machine that was enrolled anew under another name. Otherwise one computer holds the keys of several: find out why, and revoke those that do not belong there."
    NasNewIdentifier "nas_new_identifier"
        "A NAS called itself by a NAS-Identifier that was not seen from its address before."
        "If the NAS was renamed, replaced or joined by another behind the same address, there is nothing to do. Otherwise something else knows its shared secret and sends from its address: look at who has that address, and give the NAS another secret."
    NasNewAddress "nas_new_address"
        "A NAS said that it has another NAS-IP-Address or NAS-IPv6-Address than before, although its packets come from the same address."
        "If its management address was changed, or several devices share the address that it sends from, there is nothing to do. Otherwise somebody may send in its name: compare the address in the detail with your records, and give the NAS another secret."
    NasNewVendor "nas_new_vendor"
        "A NAS sent attributes of a vendor whose attributes never came from its address before."
        "An update of its software or a replaced device explains it; then correct `vendor` of the NAS if it is another make now. Otherwise something else knows its shared secret: look at who has its address, and give the NAS another secret."
    NasNewPortType "nas_new_port_type"
        "A NAS spoke of a kind of port (NAS-Port-Type) that it was never seen to have, such as a wireless one on a switch."
        "If access points, VPN or logins to its own prompt were set up on it, there is nothing to do, but look whether rules by port type still mean what they should. Otherwise look at who has its address, and give the NAS another secret."
    NasMessageAuthenticatorCeased "nas_message_authenticator_ceased"
        "A request without Message-Authenticator came from the address of a NAS that had sent it in every request for long."
        "A request without it can be made by anybody who can write that address, without the secret. If the NAS was set up anew, switch Message-Authenticator on again there; then set `message_authenticator = \"required\"` for it, so that requests without it are dropped (CVE-2024-3596)."
}

/// What a signal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An endpoint.
    Endpoint(EndpointId),
    /// A NAS, at an address that it sends from.
    Nas {
        /// Its name.
        name: String,
        /// The address.
        address: IpAddr,
    },
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
