//! What of the trusted CAs ends, and when.

use super::TrustStore;
use crate::time::Timestamp;

/// What ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ends {
    /// A CA's certificate: below it nothing is believed any more.
    Ca,
    /// A revocation list: it is outdated then.
    Crl,
}

/// Something of a CA, and its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// What it is.
    pub what: Ends,
    /// The subject of the CA (RFC 4514): of a CRL, who issued it.
    pub subject: String,
    /// The configured name of the CA, as far as it is known.
    pub ca: Option<String>,
    /// The last moment at which it is good.
    pub at: Timestamp,
    /// Whether who is below it is refused then; of a CRL, as the CA says.
    pub refuses: bool,
}

impl TrustStore {
    /// The CAs and revocation lists that are in use, in the order in which they end.
    pub fn endings(&self) -> Vec<Ending> {
        let cas = self.details.iter().map(|anchor| Ending {
            what: Ends::Ca,
            subject: anchor.subject.clone(),
            ca: Some(anchor.ca.name.clone()),
            at: anchor.not_after,
            refuses: true,
        });
        let crls = self.crls.values().flatten().map(|crl| {
            let anchor = self.details.iter().find(|anchor| anchor.subject == crl.issuer_name());
            // Of an intermediate's list it is not known here below which CA it is: the strictest counts.
            let strict = |anchor: &std::sync::Arc<super::Anchor>| {
                anchor.ca.crl_check && anchor.ca.crl_outdated == super::CrlPolicy::Fail
            };
            Ending {
                what: Ends::Crl,
                subject: crl.issuer_name().to_owned(),
                ca: anchor.map(|anchor| anchor.ca.name.clone()),
                at: crl.next_update(),
                refuses: anchor.map_or_else(|| self.details.iter().any(strict), strict),
            }
        });
        let mut all: Vec<Ending> = cas.chain(crls).collect();
        all.sort_by(|a, b| (a.at, a.what, &a.subject).cmp(&(b.at, b.what, &b.subject)));
        all
    }
}
