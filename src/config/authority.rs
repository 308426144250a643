//! A small certificate authority in a directory.
//!
//! `ca.pem`, `ca.key`, `ca.crl` and `ca.revoked` are the root's; the same with `intermediate` are those of the CA below
//! it, if there is one, which then issues.

use super::files::{Readers, write_whole};
use crate::pki::authority::{Authority, CRL_LIFE, KeyKind, Pair, Request, Revoked, crl_lapses, is_signed_by};
use crate::pki::certificate::CertificateFacts;
use crate::pki::pem;
use crate::pki::trust::{CaSettings, TrustStore};
use crate::radius::value::{hex, unhex};
use crate::time::Timestamp;
use rustls_pki_types::CertificateDer;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A certificate is issued anew when this part of its life is left.
const RENEWED_AT: u32 = 3;
/// How far back a certificate that is issued anew is valid, for clocks that are late.
const BACKDATED: Duration = Duration::from_secs(3600);

/// The names of the two authorities' files.
const ROOT: &str = "ca";
const INTERMEDIATE: &str = "intermediate";

/// The directory of a CA.
#[derive(Clone, Debug)]
pub struct AuthorityDir(PathBuf);

/// What was revoked.
#[derive(Debug)]
pub struct Revocation {
    /// The authority that had issued it.
    pub issuer: String,
    /// When it had been revoked already, if it had.
    pub already: Option<Timestamp>,
    /// The lists, signed anew.
    pub written: Vec<PathBuf>,
}

impl AuthorityDir {
    /// That in this directory.
    pub fn at(dir: &Path) -> AuthorityDir {
        AuthorityDir(dir.to_owned())
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.0.join(format!("{name}.{kind}"))
    }

    /// Makes a CA, with one below it that issues in its place if that is wanted. Gives the files.
    ///
    /// # Errors
    /// When there is one, or a file cannot be written.
    pub fn init(&self, name: &str, key: KeyKind, intermediate: bool, now: Timestamp) -> Result<Vec<PathBuf>, String> {
        let dir = &self.0;
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        if self.file(ROOT, "key").exists() {
            return Err(format!("{} holds a CA already; name another --dir, or delete it first", dir.display()));
        }
        let root = Authority::root(name, key, now).map_err(|e| e.to_string())?;
        let mut written = save(&dir.join(ROOT), &root)?;
        if intermediate {
            let authority = Authority::load(&root).map_err(|e| e.to_string())?;
            let lower = authority.intermediate(&format!("{name} Issuing"), key, now).map_err(|e| e.to_string())?;
            written.extend(save(&dir.join(INTERMEDIATE), &lower)?);
        }
        written.extend(self.crls(now)?);
        Ok(written)
    }

    /// The authority that issues, and the certificates that go after what it issues.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn issuer(&self, from_root: bool) -> Result<(Authority, String), String> {
        let lower = !from_root && self.file(INTERMEDIATE, "key").exists();
        let pair = self.load(if lower { INTERMEDIATE } else { ROOT })?;
        let authority = Authority::load(&pair).map_err(|e| e.to_string())?;
        Ok((authority, if lower { pair.certificate } else { String::new() }))
    }

    /// Issues a certificate with a new key; after it stands the intermediate, if there is one.
    ///
    /// # Errors
    /// When there is no CA, or a name is malformed.
    pub fn issue(&self, from_root: bool, request: &Request) -> Result<Pair, String> {
        let (authority, chain) = self.issuer(from_root)?;
        let mut pair = authority.issue(request).map_err(|e| e.to_string())?;
        pair.certificate.push_str(&chain);
        Ok(pair)
    }

    /// Issues a certificate for the key of a certification request in PEM; after it stands the intermediate, if there
    /// is one.
    ///
    /// # Errors
    /// When there is no CA, or the request is none that is signed by its key.
    pub fn issue_for(&self, request: &Request, csr: &[u8]) -> Result<String, String> {
        let (authority, chain) = self.issuer(false)?;
        Ok(authority.issue_for(request, csr).map_err(|e| e.to_string())? + &chain)
    }

    /// Whether this CA has issued this chain, the holder's certificate first.
    ///
    /// # Errors
    /// When there is no CA.
    pub fn has_issued(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<bool, String> {
        let own = CaSettings::from_pem("own", self.root()?.as_bytes(), &[]).map_err(|e| e.to_string())?;
        let trust = TrustStore::new(vec![own], 0).map_err(|e| e.to_string())?;
        Ok(trust.verify(chain, now).is_ok())
    }

    /// Revokes a certificate that the subject `issuer` has issued, and signs the lists anew.
    ///
    /// # Errors
    /// When it is none of this CA's, or a file cannot be written.
    pub fn revoke(&self, issuer: &str, serial: &str, now: Timestamp) -> Result<Revocation, String> {
        let is_it = |name: &&str| facts(&self.file(name, "pem")).is_ok_and(|authority| authority.subject == issuer);
        let Some(name) = [INTERMEDIATE, ROOT].into_iter().find(is_it) else {
            return Err(format!(
                "it was issued by {issuer}, which is not the CA in {}\n  -> name the directory of its CA by --dir",
                self.0.display()
            ));
        };
        let list = self.file(name, "revoked");
        let mut all = revoked(&list)?;
        let octets = unhex(serial).ok_or("the certificate's serial number cannot be read")?;
        let already = all.iter().find(|r| r.serial == octets).map(|r| r.at);
        if already.is_none() {
            all.push(Revoked { serial: octets, at: now });
            let text: String = all.iter().map(|r| format!("{} {}\n", hex(&r.serial), r.at)).collect();
            write(&list, &text, Readers::All)?;
        }
        Ok(Revocation { issuer: issuer.to_owned(), already, written: self.crls(now)? })
    }

    /// Signs the lists anew. Gives the files.
    ///
    /// # Errors
    /// When there is no CA, or a file cannot be written.
    pub fn crls(&self, now: Timestamp) -> Result<Vec<PathBuf>, String> {
        let mut written = Vec::new();
        for name in [ROOT, INTERMEDIATE] {
            if name == INTERMEDIATE && !self.file(name, "key").exists() {
                continue;
            }
            let authority = Authority::load(&self.load(name)?).map_err(|e| e.to_string())?;
            let crl = authority.crl(&revoked(&self.file(name, "revoked"))?, now).map_err(|e| e.to_string())?;
            let path = self.file(name, "crl");
            write(&path, &crl, Readers::All)?;
            written.push(path);
        }
        Ok(written)
    }

    /// Signs the lists anew when less than half of their life is left: nobody is let in by a CA whose list has lapsed. Gives
    /// the files, if it was time.
    ///
    /// # Errors
    /// As [`AuthorityDir::crls`].
    pub fn renew_crls(&self, now: Timestamp) -> Result<Vec<PathBuf>, String> {
        let lapses = |name: &str| fs::read(self.file(name, "crl")).ok().and_then(|text| crl_lapses(&text));
        let half = CRL_LIFE / 2;
        match [ROOT, INTERMEDIATE].into_iter().filter_map(lapses).min() {
            Some(end) if now + half > end => self.crls(now),
            _ => Ok(Vec::new()),
        }
    }

    /// Issues a certificate of this server anew, for the same key and names, when a third of its life is left and it is of
    /// this CA. Gives its new end, if it was time.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the CA ends before the certificate.
    pub fn renew(&self, certificate: &Path, key: &Path, now: Timestamp) -> Result<Option<Timestamp>, String> {
        let read = |path: &Path| fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
        let text = read(certificate)?;
        let facts = facts_of(text.as_bytes())?;
        let life = facts.not_after.since(facts.not_before);
        if now + life / RENEWED_AT < facts.not_after {
            return Ok(None);
        }
        let chain = pem::certificates(text.as_bytes()).map_err(|e| e.to_string())?;
        let issuers = [ROOT, INTERMEDIATE].map(|name| fs::read(self.file(name, "pem")).unwrap_or_default());
        let issuers = issuers.iter().filter_map(|text| pem::certificates(text).ok()).flatten();
        let own = |leaf: &CertificateDer<'_>| issuers.into_iter().any(|issuer| is_signed_by(leaf, &issuer));
        if !chain.first().is_some_and(own) {
            return Ok(None);
        }
        let (authority, above) = self.issuer(false)?;
        let end = (now + life).min(authority.not_after());
        if end <= facts.not_after {
            return Err(format!(
                "the CA itself ends at {}: it issues nothing that lasts longer",
                authority.not_after()
            ));
        }
        let again = authority.issue_again(&facts, &read(key)?, (now - BACKDATED, end)).map_err(|e| e.to_string())?;
        write(certificate, &(again + &above), Readers::All)?;
        Ok(Some(end))
    }

    /// The root's certificate, in PEM.
    ///
    /// # Errors
    /// When there is none.
    pub fn root(&self) -> Result<String, String> {
        let path = self.file(ROOT, "pem");
        fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn load(&self, name: &str) -> Result<Pair, String> {
        let read = |kind| {
            let path = self.file(name, kind);
            fs::read_to_string(&path).map_err(|e| {
                format!("{}: {e}\n  -> `cordon ca init --dir {}` makes a CA there", path.display(), self.0.display())
            })
        };
        Ok(Pair { certificate: read("pem")?, key: read("key")? })
    }
}

/// What the first certificate of a file says.
///
/// # Errors
/// When there is none that can be read.
pub fn facts(path: &Path) -> Result<CertificateFacts, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    facts_of(&fs::read(path).map_err(|e| failed(&e))?).map_err(|e| failed(&e))
}

/// What the first of these certificates in PEM says.
///
/// # Errors
/// When there is none that can be read.
pub fn facts_of(text: &[u8]) -> Result<CertificateFacts, String> {
    let chain = pem::certificates(text).map_err(|e| e.to_string())?;
    CertificateFacts::from_der(chain.first().ok_or("holds no certificate")?).map_err(|e| e.to_string())
}

fn revoked(list: &Path) -> Result<Vec<Revoked>, String> {
    let text = match fs::read_to_string(list) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(format!("{}: {e}", list.display())),
    };
    let entry = |(number, line): (usize, &str)| {
        let entry = line.split_once(' ').and_then(|(serial, at)| {
            Some(Revoked { serial: unhex(serial.strip_prefix("0x")?)?, at: serde_json::from_value(at.into()).ok()? })
        });
        entry.ok_or_else(|| format!("{}:{}: not \"SERIAL TIME\"", list.display(), number + 1))
    };
    text.lines().enumerate().map(entry).collect()
}

/// `stem`.`kind`, whatever dots the stem has.
pub fn stemmed(stem: &Path, kind: &str) -> PathBuf {
    PathBuf::from(format!("{}.{kind}", stem.display()))
}

/// Writes `stem`.pem and `stem`.key.
///
/// # Errors
/// When a file cannot be written.
pub fn save(stem: &Path, pair: &Pair) -> Result<Vec<PathBuf>, String> {
    let path = |kind: &str| stemmed(stem, kind);
    write(&path("pem"), &pair.certificate, Readers::All)?;
    write(&path("key"), &pair.key, Readers::Owner)?;
    Ok(vec![path("pem"), path("key")])
}

fn write(path: &Path, text: &str, readers: Readers) -> Result<(), String> {
    write_whole(path, text, readers).map_err(|e| format!("{}: {e}", path.display()))
}
