//! Whose a certificate was that is not in force any more, or not yet.
//!
//! webpki looks at validity first and ends there, and nothing says then who
//! issued the certificate. Here signatures are followed whatever the time.

use super::certificate::{CertificateFacts, parse};
use super::crl;
use super::error::ChainError;
use super::name::rfc4514;
use super::path::check_key;
use super::trust::{MAX_PRESENTED, TrustStore};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

/// Signatures that are checked at most, so that a chain made to be slow is not:
/// real ones take two or three.
const MAX_SIGNATURES: usize = 8;

/// A certificate of a trusted CA that is not in force: expired, revoked, or not
/// valid yet. It lets nobody in, and tells only whose it was.
#[derive(Clone, Debug)]
pub struct Lapsed {
    /// The client's certificate.
    pub leaf: CertificateFacts,
    /// Name of the CA (`CaSettings::name`) that it leads to.
    pub anchor: String,
}

impl TrustStore {
    /// Whose certificate it is that was refused with `error`, when that is about
    /// time or revocation and signatures lead from it to a trusted CA. For the
    /// record, never to decide by: name and length constraints are not looked at.
    pub fn lapsed(&self, chain: &[CertificateDer<'_>], error: &ChainError) -> Option<Lapsed> {
        if !matches!(error, ChainError::Expired { .. } | ChainError::NotYetValid { .. } | ChainError::Revoked { .. }) {
            return None;
        }
        let mut presented = chain
            .iter()
            .take(MAX_PRESENTED)
            .map(|der| Some((der.as_ref(), parse(der).ok()?)))
            .collect::<Option<Vec<_>>>()?;
        let mut left = MAX_SIGNATURES;
        let mut signed = |der: &[u8], spki: &[u8]| {
            left = left.checked_sub(1)?;
            crl::verify(der, spki, self.algorithms())
        };
        let mut current = (!presented.is_empty()).then(|| presented.remove(0))?;
        let leaf = CertificateFacts::from_parsed(&current.1).ok()?;
        if current.1.is_ca() || !is_for_clients(&current.1) || check_key(&leaf).is_err() {
            return None;
        }
        loop {
            let (der, certificate) = &current;
            let issuer = rfc4514(certificate.issuer());
            let mut named = self.anchors().iter().filter(|anchor| anchor.subject == issuer);
            if let Some(anchor) = named.find(|anchor| signed(der, &anchor.spki).is_some()) {
                return Some(Lapsed { leaf, anchor: anchor.ca.name.clone() });
            }
            let above = presented.iter().position(|(_, above)| {
                above.is_ca()
                    && above.subject().as_raw() == certificate.issuer().as_raw()
                    && signed(der, above.public_key().raw).is_some()
            })?;
            current = presented.swap_remove(above);
        }
    }
}

/// As webpki takes it: a usage that is not said is not ruled out.
fn is_for_clients(certificate: &X509Certificate<'_>) -> bool {
    certificate.extended_key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.client_auth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{DAY, END, NOW, TestCa, leaf_params};
    use crate::time::Timestamp;
    use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};

    #[test]
    fn whose_a_lapsed_certificate_was_is_told_if_its_ca_is_trusted() {
        let (root, stranger) = (TestCa::new("Root"), TestCa::new("Root"));
        let middle = root.intermediate("Middle");
        let store = root.store_with_crls(&[root.crl(&[]), middle.crl(&[0x100])]);
        let lapsed = |chain: &[CertificateDer<'_>], at| {
            let error = store.verify(chain, at).unwrap_err();
            (store.lapsed(chain, &error).map(|lapsed| (lapsed.leaf.subject, lapsed.anchor)), error)
        };
        // It ended before its CA's certificate, which was renewed since, began.
        let mut early = leaf_params("laptop");
        (early.not_before, early.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        let whose = Some(("CN=laptop".to_owned(), "corp".to_owned()));
        for leaf in [middle.leaf("laptop"), middle.sign(&early)] {
            let chain = [leaf, stranger.certificate.clone(), middle.certificate.clone()];
            for at in [NOW, END + DAY, Timestamp::from_unix_secs(0)] {
                let (found, error) = lapsed(&chain, at);
                assert_eq!(found, whose, "{error}");
            }
        }
        // Nothing else may be wrong with it.
        let mut server = leaf_params("server");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server = middle.sign(&server);
        for chain in [vec![stranger.leaf("x")], vec![middle.leaf("x")], vec![server, middle.certificate.clone()]] {
            for at in [NOW, END + DAY] {
                let (found, error) = lapsed(&chain, at);
                assert_eq!(found, None, "{error}");
            }
        }
    }

    #[test]
    fn a_chain_made_to_be_slow_is_given_up() {
        let root = TestCa::new("Root");
        let mut chain = Vec::new();
        let mut lowest = root.intermediate("CA 0");
        for level in 1..MAX_SIGNATURES {
            chain.push(lowest.certificate.clone());
            lowest = lowest.intermediate(&format!("CA {level}"));
        }
        chain.push(lowest.certificate.clone());
        chain.insert(0, lowest.leaf("x"));
        let error = ChainError::Expired { not_after: END, subject: String::new() };
        assert!(root.store().lapsed(&chain, &error).is_none());
    }
}
