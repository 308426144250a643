//! A small certificate authority: enough for a start, a laboratory and tests.
//! Keys and certificates go in and out as PEM; what happens to them on disk is
//! the caller's.

use super::certificate::{CertificateFacts, rsa_bits};
use super::crl::Crl;
use super::path::MIN_RSA_BITS;
use super::{pem, request_names};
use crate::random::random;
use crate::time::Timestamp;
use aws_lc_rs::signature::Ed25519KeyPair;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, OtherNameValue,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, RevokedCertParams,
    RsaKeySize, SanType, SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateRevocationListDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The object identifier of a User Principal Name (Microsoft).
const UPN_OID: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
/// How far back a new certificate is valid, so that a device whose clock is a
/// little late takes it.
const BACKDATED: Duration = Duration::from_secs(3600);
/// How long a CA's certificate is valid.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a CRL is good for. A new one is made at each revocation and each
/// time `cordon ca crl` runs.
pub const CRL_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Octets of a serial number: RFC 5280, section 4.1.2.2, allows 20, and the
/// CA/Browser forum asks for 64 random bits.
const SERIAL_LEN: usize = 16;

/// What cannot be done, in plain words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AuthorityError(String);

impl From<rcgen::Error> for AuthorityError {
    fn from(e: rcgen::Error) -> Self {
        Self(e.to_string())
    }
}

/// A kind of key pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with this many bits: 2048, 3072 or 4096.
    Rsa(RsaBits),
}

/// The length of an RSA modulus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RsaBits {
    /// 2048 bits.
    B2048,
    /// 3072 bits.
    B3072,
    /// 4096 bits.
    B4096,
}

impl KeyKind {
    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            KeyKind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            // Version 1 of PKCS #8: OpenSSL 3.0 does not read the other.
            KeyKind::Ed25519 => {
                let random = aws_lc_rs::rand::SystemRandom::new();
                let der = Ed25519KeyPair::generate_pkcs8v1(&random).map_err(|_| rcgen::Error::RingUnspecified)?;
                KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_ref()), &PKCS_ED25519)
            }
            KeyKind::Rsa(bits) => {
                let size = match bits {
                    RsaBits::B2048 => RsaKeySize::_2048,
                    RsaBits::B3072 => RsaKeySize::_3072,
                    RsaBits::B4096 => RsaKeySize::_4096,
                };
                KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size)
            }
        }
    }
}

impl FromStr for KeyKind {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "p256" => Ok(KeyKind::P256),
            "p384" => Ok(KeyKind::P384),
            "ed25519" => Ok(KeyKind::Ed25519),
            "rsa2048" => Ok(KeyKind::Rsa(RsaBits::B2048)),
            "rsa3072" => Ok(KeyKind::Rsa(RsaBits::B3072)),
            "rsa4096" => Ok(KeyKind::Rsa(RsaBits::B4096)),
            other => Err(AuthorityError(format!(
                "{other:?} is no kind of key; use p256, p384, ed25519, rsa2048, rsa3072 or rsa4096"
            ))),
        }
    }
}

/// A certificate and its key, both as PEM.
#[derive(Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Usage {
    /// To log in.
    Client,
    /// For this server.
    Server,
    /// Neither is said.
    Unspecified,
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Request {
    /// The subject's common name.
    pub common_name: String,
    /// DNS names.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ip: Vec<IpAddr>,
    /// Email addresses.
    pub email: Vec<String>,
    /// URIs, such as SPIFFE ids.
    pub uri: Vec<String>,
    /// User Principal Names.
    pub upn: Vec<String>,
    /// What it may be used for.
    pub usage: Usage,
    /// The kind of its key.
    pub key: KeyKind,
    /// The first instant at which it is valid.
    pub not_before: Timestamp,
    /// The last.
    pub not_after: Timestamp,
}

impl Request {
    fn check_names(&self) -> Result<(), AuthorityError> {
        let all =
            |names: &[String], check: fn(&str) -> Result<(), String>| names.iter().try_for_each(|name| check(name));
        request_names::common(&self.common_name)
            .and_then(|()| all(&self.dns, request_names::dns))
            .and_then(|()| all(&self.email, request_names::email))
            .and_then(|()| all(&self.uri, request_names::uri))
            .and_then(|()| all(&self.upn, request_names::upn))
            .map_err(AuthorityError)
    }
}

/// A certificate that is not good any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when.
    pub at: Timestamp,
}

/// A CA that can sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a root, valid for ten years.
    ///
    /// # Errors
    /// When the system gives no random numbers or the name cannot be encoded.
    pub fn root(name: &str, key: KeyKind, now: Timestamp) -> Result<Pair, AuthorityError> {
        let key = key.generate()?;
        let certificate = ca_params(name, BasicConstraints::Unconstrained, now)?.self_signed(&key)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// The CA of this certificate and key.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn load(pair: &Pair) -> Result<Authority, AuthorityError> {
        let key = KeyPair::from_pem(&pair.key)?;
        let unreadable = |e: &dyn std::fmt::Display| AuthorityError(format!("the CA's certificate: {e}"));
        let chain = pem::certificates(pair.certificate.as_bytes()).map_err(|e| unreadable(&e))?;
        let certificate = chain.first().ok_or_else(|| unreadable(&"there is none"))?;
        let facts = CertificateFacts::from_der(certificate).map_err(|e| unreadable(&e))?;
        Ok(Authority { issuer: Issuer::from_ca_cert_pem(&pair.certificate, key)?, not_after: facts.not_after })
    }

    /// The last second at which its own certificate is valid: what it issues is
    /// not believed after that.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Makes a CA below this one, which may have none below itself.
    ///
    /// # Errors
    /// As [`Authority::root`].
    pub fn intermediate(&self, name: &str, key: KeyKind, now: Timestamp) -> Result<Pair, AuthorityError> {
        let key = key.generate()?;
        let certificate = ca_params(name, BasicConstraints::Constrained(0), now)?.signed_by(&key, &self.issuer)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Issues a certificate with a new key.
    ///
    /// # Errors
    /// When a name is malformed or the validity is empty.
    pub fn issue(&self, request: &Request) -> Result<Pair, AuthorityError> {
        let key = request.key.generate()?;
        Ok(Pair { certificate: self.certified(request, &key)?, key: key.serialize_pem() })
    }

    /// Issues anew what says `facts`, for the same private key (PKCS #8 in PEM) and a time of its own.
    ///
    /// # Errors
    /// When the key cannot be read; and as [`Authority::issue`].
    pub fn issue_again(
        &self,
        facts: &CertificateFacts,
        key: &str,
        (not_before, not_after): (Timestamp, Timestamp),
    ) -> Result<String, AuthorityError> {
        let request = Request {
            common_name: facts.common_name.clone().unwrap_or_default(),
            dns: facts.san_dns.clone(),
            ip: facts.san_ip.iter().filter_map(|ip| ip.parse().ok()).collect(),
            email: facts.san_email.clone(),
            uri: facts.san_uri.clone(),
            upn: facts.san_upn.clone(),
            usage: Usage::Server,
            key: KeyKind::P256,
            not_before,
            not_after: not_after.min(self.not_after()),
        };
        self.certified(&request, &KeyPair::from_pem(key)?)
    }

    /// Issues a certificate for the key of a certification request in PEM (PKCS #10, RFC 2986), whose holder has
    /// signed it. What else it asks for counts for nothing: `request` says that, but for the kind of the key.
    ///
    /// # Errors
    /// When it is none, is not signed by its key, or that key is too weak; and as [`Authority::issue`].
    pub fn issue_for(&self, request: &Request, csr: &[u8]) -> Result<String, AuthorityError> {
        let unreadable = |what: String| AuthorityError(format!("the certification request {what}"));
        let csr = CertificateSigningRequestDer::from_pem_slice(csr)
            .map_err(|e| unreadable(format!("is not one in PEM: {e}")))?;
        let (_, parsed) =
            X509CertificationRequest::from_der(&csr).map_err(|e| unreadable(format!("is damaged: {e}")))?;
        parsed.verify_signature().map_err(|_| unreadable("is not signed by the key that it holds".into()))?;
        let key = &parsed.certification_request_info.subject_pki;
        if let Some(bits) = rsa_bits(key).filter(|bits| *bits < MIN_RSA_BITS) {
            return Err(unreadable(format!("is for an RSA key of {bits} bits; at least {MIN_RSA_BITS} are needed")));
        }
        let key = SubjectPublicKeyInfo::from_der(key.raw)
            .map_err(|_| unreadable("is for a key of another kind than RSA, P-256, P-384 or Ed25519".into()))?;
        self.certified(request, &key)
    }

    /// The certificate of this key, in PEM.
    fn certified(&self, request: &Request, key: &impl PublicKeyData) -> Result<String, AuthorityError> {
        if request.not_after <= request.not_before {
            return Err(AuthorityError(format!(
                "the certificate would end ({}) before it begins ({})",
                request.not_after, request.not_before
            )));
        }
        request.check_names()?;
        let mut params = params(&request.common_name, request.not_before, request.not_after)?;
        let ia5 = |text: &String| {
            Ia5String::try_from(text.as_str()).map_err(|_| AuthorityError(format!("{text:?} has letters beyond ASCII")))
        };
        let mut names = Vec::new();
        for name in &request.dns {
            names.push(SanType::DnsName(ia5(name)?));
        }
        names.extend(request.ip.iter().copied().map(SanType::IpAddress));
        for name in &request.email {
            names.push(SanType::Rfc822Name(ia5(name)?));
        }
        for name in &request.uri {
            names.push(SanType::URI(ia5(name)?));
        }
        for name in &request.upn {
            names.push(SanType::OtherName((UPN_OID.to_vec(), OtherNameValue::Utf8String(name.clone()))));
        }
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match request.usage {
            Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Usage::Unspecified => Vec::new(),
        };
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// Signs a revocation list, good for thirty days.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn crl(&self, revoked: &[Revoked], now: Timestamp) -> Result<String, AuthorityError> {
        let params = CertificateRevocationListParams {
            this_update: date(now),
            next_update: date(now + CRL_LIFE),
            // Each list is later than the one before, and so is its number.
            crl_number: SerialNumber::from(now.as_micros().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|r| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&r.serial),
                    revocation_time: date(r.at),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }
}

/// Until when a list in PEM is good, if it is one.
pub fn crl_lapses(text: &[u8]) -> Option<Timestamp> {
    let encoded = CertificateRevocationListDer::from_pem_slice(text).ok()?;
    Crl::parse(&encoded).ok().map(|list| list.next_update())
}

/// Whether the key of the certificate `issuer` has signed `certificate`; both DER.
pub fn is_signed_by(certificate: &[u8], issuer: &[u8]) -> bool {
    let parsed = (X509Certificate::from_der(certificate), X509Certificate::from_der(issuer));
    let (Ok((_, certificate)), Ok((_, issuer))) = parsed else { return false };
    certificate.issuer() == issuer.subject() && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

fn ca_params(name: &str, constraints: BasicConstraints, now: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut params = params(name, now - BACKDATED, now + CA_LIFE)?;
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn params(name: &str, not_before: Timestamp, not_after: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut serial =
        random::<SERIAL_LEN>().ok_or_else(|| AuthorityError("the system gives no random numbers".into()))?;
    // Positive and of full length (RFC 5280, section 4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = date(not_before);
    params.not_after = date(not_after);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn date(at: Timestamp) -> time::OffsetDateTime {
    date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(at.unix_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::error::ChainError;
    use crate::pki::trust::{CaSettings, CrlPolicy, TrustStore};

    const NOW: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

    fn request(name: &str, key: KeyKind) -> Request {
        Request {
            common_name: name.into(),
            ip: Vec::new(),
            dns: vec![format!("{name}.corp.example")],
            email: vec![],
            uri: vec![format!("spiffe://corp.example/{name}")],
            upn: vec![format!("{name}@corp.example")],
            usage: Usage::Client,
            key,
            not_before: NOW,
            not_after: NOW + Duration::from_secs(86_400),
        }
    }

    fn store(root: &Pair, crls: &[&str]) -> TrustStore {
        let crls: Vec<_> = crls.iter().flat_map(|c| pem::crls(c.as_bytes()).unwrap()).collect();
        let settings = CaSettings {
            name: "corp".into(),
            certificates: pem::certificates(root.certificate.as_bytes()).unwrap(),
            crl_check: !crls.is_empty(),
            crls,
            crl_missing: CrlPolicy::Fail,
            crl_outdated: CrlPolicy::Fail,
        };
        TrustStore::new(vec![settings], 1).unwrap()
    }

    #[test]
    fn what_it_issues_is_believed_until_it_is_revoked() {
        let root = Authority::root("Corp CA", KeyKind::P256, NOW).unwrap();
        let authority = Authority::load(&root).unwrap();
        let lower = authority.intermediate("Corp Issuing CA", KeyKind::P384, NOW).unwrap();
        let issuing = Authority::load(&lower).unwrap();
        let at = NOW + Duration::from_secs(60);
        for key in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa(RsaBits::B2048)] {
            let leaf = issuing.issue(&request("laptop", key)).unwrap();
            let chain = pem::certificates(format!("{}{}", leaf.certificate, lower.certificate).as_bytes()).unwrap();
            let verified = store(&root, &[]).verify(&chain, at).unwrap();
            assert_eq!(verified.leaf.san_upn, ["laptop@corp.example"], "{key:?}");

            let serial = CertificateFacts::from_der(&chain[0]).unwrap().serial;
            let revoked = Revoked { serial: crate::radius::value::unhex(&serial).unwrap(), at: NOW };
            let crls = [authority.crl(&[], NOW).unwrap(), issuing.crl(&[revoked], NOW).unwrap()];
            let refused = store(&root, &[&crls[0], &crls[1]]).verify(&chain, at).unwrap_err();
            assert!(matches!(refused, ChainError::Revoked { .. }), "{refused}");
        }
    }

    #[test]
    fn an_empty_validity_is_refused() {
        let root = Authority::root("Corp CA", KeyKind::P256, NOW).unwrap();
        let backwards = Request { not_after: NOW - Duration::from_secs(1), ..request("x", KeyKind::P256) };
        let error = Authority::load(&root).unwrap().issue(&backwards).unwrap_err();
        assert!(error.to_string().contains("before it begins"), "{error}");
    }

    #[test]
    fn kinds_of_keys_are_told_by_name() {
        assert_eq!("rsa4096".parse::<KeyKind>().unwrap(), KeyKind::Rsa(RsaBits::B4096));
        assert!("dsa".parse::<KeyKind>().unwrap_err().to_string().contains("p256"));
    }
}
