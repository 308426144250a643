//! Certificates made on the spot, on a fixed clock.

use super::trust::{CaSettings, CrlPolicy, TrustStore};
use crate::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use std::time::Duration;

/// 2026-01-01T00:00:00Z; what is made below is valid through 2025 and 2026.
pub(super) const NOW: Timestamp = Timestamp::from_unix_secs(1_767_225_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// 2027-01-01T00:00:00Z.
pub(super) const END: Timestamp = Timestamp::from_unix_secs(1_798_761_600);

/// A CA that signs whatever a test asks for.
pub(super) struct TestCa {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
}

impl TestCa {
    /// A root with a P-256 key.
    pub(super) fn new(name: &str) -> Self {
        Self::with_key(name, KeyPair::generate().unwrap())
    }

    pub(super) fn with_key(name: &str, key: KeyPair) -> Self {
        let params = ca_params(name);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// An intermediate under this CA.
    pub(super) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(ca_params(name), KeyPair::generate().unwrap())
    }

    pub(super) fn intermediate_with(&self, params: CertificateParams, key: KeyPair) -> Self {
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A client's certificate with serial number 0x0100.
    pub(super) fn leaf(&self, name: &str) -> CertificateDer<'static> {
        self.sign(&leaf_params(name))
    }

    pub(super) fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
        self.sign_key(params, &KeyPair::generate().unwrap())
    }

    pub(super) fn sign_key(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }

    /// A CRL of this year until 2026-01-11.
    pub(super) fn crl(&self, serials: &[u64]) -> CertificateRevocationListDer<'static> {
        crl_params(serials).signed_by(&self.issuer).unwrap().into()
    }

    pub(super) fn settings(&self) -> CaSettings {
        CaSettings {
            name: "corp".to_owned(),
            certificates: vec![self.certificate.clone()],
            crls: Vec::new(),
            crl_check: false,
            crl_missing: CrlPolicy::Fail,
            crl_outdated: CrlPolicy::Fail,
        }
    }

    /// Trusts this CA alone, without revocation.
    pub(super) fn store(&self) -> TrustStore {
        TrustStore::new(vec![self.settings()], 1).unwrap()
    }

    /// Trusts this CA alone, with these CRLs, failing where one is missing.
    pub(super) fn store_with_crls(&self, crls: &[CertificateRevocationListDer<'static>]) -> TrustStore {
        TrustStore::new(vec![CaSettings { crls: crls.to_vec(), crl_check: true, ..self.settings() }], 1).unwrap()
    }
}

pub(super) fn crl_params(serials: &[u64]) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: date_time_ymd(2025, 12, 31),
        next_update: date_time_ymd(2026, 1, 11),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: serials
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: date_time_ymd(2025, 12, 1),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

pub(super) fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(super) fn leaf_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.serial_number = Some(SerialNumber::from(0x100));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params
}
