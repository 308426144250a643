//! Whether a certificate that was verified once is still good, from what a record
//! keeps of it. The chain itself is not kept: signatures were checked when it was.

use super::certificate::CertificateFacts;
use super::crl::Crl;
use super::der::trim_integer;
use super::error::ChainError;
use super::trust::TrustStore;
use crate::radius::value::unhex;
use crate::time::Timestamp;

/// A certificate between the client's and the trust anchor, as a record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerFacts {
    /// Whose it is (RFC 4514).
    pub subject: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
}

impl TrustStore {
    /// Whether a certificate that the CA named `ca` vouched for is good at `now`:
    /// its own time, its revocation and that of the CAs above it, and whether the CA
    /// is still trusted. `issuers` are those between it and the anchor, the nearest
    /// first. A list that is missing or outdated changes nothing here: it bars
    /// logins, but ends nobody's session.
    ///
    /// # Errors
    /// Why it is not good any more.
    pub fn standing(
        &self,
        leaf: &CertificateFacts,
        issuers: &[IssuerFacts],
        ca: &str,
        now: Timestamp,
    ) -> Result<(), ChainError> {
        let unknown = || ChainError::UnknownCa { issuer: leaf.issuer.clone() };
        let anchor = self.anchors().iter().find(|anchor| anchor.ca.name == ca).ok_or_else(unknown)?;
        if now.unix_secs() > leaf.not_after.unix_secs() {
            return Err(ChainError::Expired { not_after: leaf.not_after, subject: leaf.subject.clone() });
        }
        if !anchor.ca.crl_check {
            return Ok(());
        }
        // Each certificate was issued by the next one, the last by an anchor.
        let serials = std::iter::once(&leaf.serial).chain(issuers.iter().map(|issuer| &issuer.serial));
        let above = std::iter::once(leaf.issuer.as_str());
        let above: Vec<&str> = match issuers.last() {
            None => above.collect(),
            Some(_) => issuers.iter().map(|i| i.subject.as_str()).chain([anchor.subject.as_str()]).collect(),
        };
        for (serial, issuer) in serials.zip(above) {
            let number = unhex(serial).unwrap_or_default();
            let of_issuer = self.lists().filter(|crl| crl.issuer_name() == issuer && self.may_speak(crl, issuer));
            if let Some(at) = of_issuer.filter_map(|crl| crl.revoked_at(trim_integer(&number))).min() {
                return Err(ChainError::Revoked { serial: serial.clone(), issuer: issuer.to_owned(), at });
            }
        }
        Ok(())
    }

    /// Whether a list is that of this issuer: signed by it where its key is known,
    /// which it is of anchors; else by what the configuration says.
    fn may_speak(&self, crl: &Crl, issuer: &str) -> bool {
        let mut named = self.anchors().iter().filter(|anchor| anchor.subject == issuer).peekable();
        named.peek().is_none() || named.any(|anchor| crl.is_signed_by(&anchor.spki, self.algorithms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{DAY, END, NOW, TestCa, ca_params};
    use rcgen::{KeyPair, SerialNumber};

    #[test]
    fn what_was_good_is_looked_at_again_by_what_the_record_keeps() {
        let root = TestCa::new("Root");
        let mut params = ca_params("Middle");
        params.serial_number = Some(SerialNumber::from(0x77));
        let middle = root.intermediate_with(params, KeyPair::generate().unwrap());
        let chain = [middle.leaf("anna"), middle.certificate.clone()];
        let facts = |store: &TrustStore| store.verify(&chain, NOW).unwrap();
        let good = root.store_with_crls(&[root.crl(&[]), middle.crl(&[])]);
        let verified = facts(&good);
        let standing = |store: &TrustStore, now| {
            store.standing(&verified.leaf, &verified.between, &verified.anchor, now).map_err(|e| e.to_string())
        };
        assert_eq!(standing(&good, NOW), Ok(()));
        assert!(standing(&good, END + DAY).unwrap_err().contains("expired"));
        let serial = |facts: &str| u64::from_str_radix(facts, 16).unwrap();
        let leaf = root.store_with_crls(&[root.crl(&[]), middle.crl(&[serial(&verified.leaf.serial)])]);
        assert!(standing(&leaf, NOW).unwrap_err().contains("revoked"));
        let above = root.store_with_crls(&[root.crl(&[serial(&verified.between[0].serial)]), middle.crl(&[])]);
        assert!(standing(&above, NOW).unwrap_err().contains("revoked"));
        // Another CA of the same name says nothing about it.
        let other = TestCa::new("Root");
        let foreign = root.store_with_crls(&[other.crl(&[serial(&verified.between[0].serial)])]);
        assert_eq!(standing(&foreign, NOW), Ok(()));
        let gone = TrustStore::new(Vec::new(), 0).unwrap();
        assert!(standing(&gone, NOW).is_err());
    }
}
