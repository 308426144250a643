//! Who it is: from the verified certificate or the MAC address to an identity
//! of the inventory. Never from the outer name.

use super::Snapshot;
use crate::audit::reason::Reason;
use crate::inventory::identity::{Identity, IdentityStatus};
use crate::inventory::mac::MacAddress;
use crate::pki::certificate::CertificateFacts;
use crate::policy::facts::Principal;
use crate::signals::signal::Subject;
use crate::time::Timestamp;
use std::sync::Arc;

/// Who it is, and by which credential; or why it may not be anybody.
#[derive(Debug)]
pub struct Identified {
    /// For the policy.
    pub principal: Principal,
    /// The credential that matched, in words.
    pub matched_by: Option<String>,
    /// Why the identity may not log in, whatever the policy says.
    pub barred: Option<(Reason, String)>,
}

/// By certificate, which the CA named `ca` vouches for.
pub fn by_certificate(snapshot: &Snapshot, leaf: &CertificateFacts, ca: Option<&str>, now: Timestamp) -> Identified {
    match snapshot.identities.by_certificate(leaf, ca) {
        Ok(Some((identity, by))) => known(identity, by, now),
        Ok(None) => Identified { principal: Principal::UnknownCertificate, matched_by: None, barred: None },
        Err(ambiguous) => Identified {
            principal: Principal::UnknownCertificate,
            matched_by: None,
            barred: Some((Reason::IdentityAmbiguous, ambiguous.to_string())),
        },
    }
}

/// By MAC address.
pub fn by_mac(snapshot: &Snapshot, mac: MacAddress, now: Timestamp) -> Identified {
    match snapshot.identities.by_mac(mac) {
        Some(identity) => known(identity, format!("mac {mac}"), now),
        None => Identified { principal: Principal::UnknownMac, matched_by: None, barred: None },
    }
}

/// Whose risk counts: the identity's; of who is nobody's, that of the MAC address.
pub fn risk_subject(principal: &Principal, mac: Option<MacAddress>) -> Option<Subject> {
    match principal {
        Principal::Identity(identity) => Some(Subject::Identity(identity.id)),
        Principal::UnknownCertificate | Principal::UnknownMac => mac.map(Subject::Mac),
    }
}

fn known(identity: &Arc<Identity>, matched_by: String, now: Timestamp) -> Identified {
    let barred = if identity.status != IdentityStatus::Active {
        Some((Reason::IdentitySuspended, format!("the identity {} is {}", identity.name, identity.status)))
    } else {
        identity
            .expires
            .filter(|at| *at <= now)
            .map(|at| (Reason::IdentityExpired, format!("the identity {} expired at {at}", identity.name)))
    };
    Identified { principal: Principal::Identity(identity.clone()), matched_by: Some(matched_by), barred }
}
