//! From the configuration to what the server runs on.

mod audit;
mod changes;
mod compliance;
mod endpoints;
mod gear;
mod inventory;
pub mod operators;
mod playbooks;
mod profile;
mod radsec;
mod risk;
mod shared_signals;
mod web;

pub use endpoints::Endpoints;

use super::stored::Stored;
use super::{CaSection, Config, ConfigError, OnCrlProblem, Source};
use crate::access::Snapshot;
use crate::eap::packet::TYPED_HEADER_LEN;
use crate::eap::tls::adapter::{ServerTlsConfig, TlsVersion, provider};
use crate::eap::tls::fragment::MAX_OVERHEAD;
use crate::enforcement::nas_profile::NasProfiles;
use crate::enforcement::profile::Profile;
use crate::ids::IdentityId;
use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, IdentityKind, Orphaned};
use crate::inventory::index::{IdentityError, IdentityIndex};
use crate::inventory::nas::NasRegistry;
use crate::pki::certificate::server_faults;
use crate::pki::pem;
use crate::pki::trust::{CaSettings, CrlPolicy, TrustStore};
use crate::pki::verifier::ClientVerifier;
use crate::policy::engine::{DEFAULT_POLICY, Policy, digest_of};
use crate::policy::lint::{Surroundings, lint};
use crate::policy::suite::{PolicyTests, World};
use crate::radius::dictionary::Dictionary;
use crate::time::Timestamp;
use crate::transport;
use crate::transport::syslog::Receiver;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateRevocationListDer, PrivateKeyDer};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use toml::Spanned;

/// Octets of EAP-TLS payload in a packet: below the least, a handshake takes
/// more rounds than NASes allow; above the most, the RADIUS packet nears its
/// 4,096 octets.
const FRAGMENT_SIZES: std::ops::RangeInclusive<usize> = 100..=3000;
/// What errors call the policy of a configuration that names none.
const BUILT_IN_POLICY: &str = "the built-in default policy";
/// Identities that a warning names; the others are counted.
const NAMED: usize = 5;

/// What a configuration amounts to.
#[derive(Clone, Debug)]
pub struct Built {
    /// What decisions are made by.
    pub snapshot: Snapshot,
    /// What a rule can grant.
    pub profiles: Vec<Profile>,
    /// All files that were read, to be watched.
    pub files: Vec<PathBuf>,
    /// What is unwise but no error.
    pub warnings: Vec<String>,
    /// By what NASes are let in that connect by TLS.
    pub radsec: Arc<transport::radsec::Policy>,
    /// How the API is served over TLS, if it is.
    pub http_tls: Option<Arc<rustls::ServerConfig>>,
    /// How the page for endpoints is served over TLS, if it is.
    pub recheck_tls: Option<Arc<rustls::ServerConfig>>,
    /// How endpoints report for themselves.
    pub endpoints: Endpoints,
    /// How operators sign in.
    pub sign_in: operators::SignInRules,
    /// Of the configuration file's text.
    pub digest: String,
    /// Where the audit log is exported to.
    pub syslog: Option<Receiver>,
    /// The revocation lists of each CRL file, for when it cannot be read later.
    crls: HashMap<PathBuf, Vec<CertificateRevocationListDer<'static>>>,
    /// Tells whether tickets of an earlier configuration are still good: the
    /// server's certificate, the trusted CAs and the TLS settings.
    tls_fingerprint: Vec<u8>,
}

impl Built {
    /// Whether certificates are believed as they were by `other`: the same CAs and
    /// revocation lists.
    pub fn trusts_as(&self, other: &Built) -> bool {
        self.crls == other.crls && self.tls_fingerprint == other.tls_fingerprint
    }

    /// The same, but of the database's identities `is` in place of `was`. No file is read, so that no mistake in one
    /// is in the way of barring somebody.
    ///
    /// # Errors
    /// When two of them have a name or a credential in common.
    pub fn with_identities(&self, was: &[Arc<Identity>], is: &[Arc<Identity>]) -> Result<Built, IdentityError> {
        let replaced: HashSet<IdentityId> = was.iter().map(|identity| identity.id).collect();
        let known = &self.snapshot.identities;
        let described = known.all().iter().filter(|identity| !replaced.contains(&identity.id)).cloned();
        let identities = IdentityIndex::new(described.chain(is.iter().cloned()).collect(), known.bindings().to_vec())?;
        let identities = Arc::new(identities);
        Ok(Built { snapshot: Snapshot { identities, ..self.snapshot.clone() }, ..self.clone() })
    }

    /// What is in force, in short: for the audit log.
    pub fn described(&self) -> serde_json::Value {
        let Snapshot { policy, nas, identities, .. } = &self.snapshot;
        serde_json::json!({
            "files": self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
            "digest": self.digest,
            "policy": policy.revision(),
            "nas": nas.all().len(),
            "identities": identities.all().len(),
            "profiles": self.profiles.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>(),
        })
    }

    /// What the facts of tests and questions are made with.
    pub fn world(&self, now: Timestamp) -> World<'_> {
        let Snapshot { identities, nas, timezone, .. } = &self.snapshot;
        World { identities, nas, timezone, now }
    }
}

/// What is wrong with a configuration, and the files to watch for its mending.
#[derive(Debug)]
pub struct Faults {
    /// All that is wrong.
    pub errors: Vec<ConfigError>,
    /// All files that were read or looked for.
    pub files: Vec<PathBuf>,
}

impl From<ConfigError> for Faults {
    fn from(error: ConfigError) -> Self {
        Self { files: vec![error.file.clone()], errors: vec![error] }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if number > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// The policy's text and its tests.
struct Rules {
    text: Source,
    tests: Option<Source>,
    /// Whether somebody here wrote it.
    own: bool,
}

struct Builder<'a> {
    /// The file that is being read, for errors to name.
    source: &'a Source,
    /// Where each NAS is written.
    nas_places: HashMap<&'a str, (&'a Source, Range<usize>)>,
    previous: Option<&'a Built>,
    profile_names: HashSet<String>,
    dictionary: Arc<Dictionary>,
    nas_profiles: NasProfiles,
    crls: HashMap<PathBuf, Vec<CertificateRevocationListDer<'static>>>,
    files: Vec<PathBuf>,
    warnings: Vec<String>,
    errors: Vec<ConfigError>,
    /// Something is missing that was there when the policy was accepted.
    incomplete: bool,
}

/// Reads the files that a configuration names and checks its meaning. With
/// `previous`, TLS tickets stay good as long as what they stand on is the same.
///
/// # Errors
/// All that is wrong.
pub fn build(
    config: &Config,
    source: &Source,
    stored: &Stored,
    previous: Option<&Built>,
    now: Timestamp,
) -> Result<Built, Faults> {
    let mut documents = vec![(source, config.sections())];
    documents.extend(stored.documents.iter().map(|(source, document)| (source, document.sections())));
    let mut builder = Builder {
        source,
        nas_places: HashMap::new(),
        previous,
        profile_names: HashSet::new(),
        dictionary: Arc::new(Dictionary::with([])?),
        nas_profiles: NasProfiles::new(Dictionary::standard(), [])?,
        crls: HashMap::new(),
        files: vec![source.file.clone()],
        warnings: Vec::new(),
        errors: Vec::new(),
        incomplete: false,
    };
    builder.own_dictionaries(config);
    builder.own_nas_profiles(config);
    let mut profiles = Vec::new();
    for (of_profiles, sections) in &documents {
        builder.source = of_profiles;
        profiles.extend(sections.profile.iter().filter_map(|p| builder.profile(p)));
    }
    builder.declared(&documents);
    let nas = builder.registry(&documents);
    let identities = builder.identities(&documents, &stored.identities);
    let compliance = builder.compliance(&documents);
    let playbooks = builder.playbooks(&documents, &profiles);
    builder.source = source;
    let rules = builder.rules(config, stored);
    let policy = rules.as_ref().and_then(|rules| builder.policy(rules, &profiles));
    let cas: Vec<CaSettings> = config.ca.iter().filter_map(|ca| builder.ca(ca)).collect();
    if rules.as_ref().is_some_and(|rules| rules.own) && policy.as_ref().is_some_and(Policy::is_empty) {
        builder.warnings.push("the policy has no rule: nobody is let in".into());
    }
    if nas.as_ref().is_some_and(|nas| nas.all().is_empty()) {
        builder.warnings.push("no [[nas]] is configured: nobody may ask".into());
    }
    if config.ca.is_empty() {
        builder.warnings.push("no [[ca]] is configured: no certificate will be accepted".into());
    }
    let trusted: Vec<u8> = cas.iter().flat_map(|ca| &ca.certificates).flat_map(|c| c.to_vec()).collect();
    let trust = match TrustStore::new(cas, 0) {
        Ok(trust) => Some(Arc::new(trust)),
        Err(e) => {
            builder.errors.push(source.error(0..0, e.to_string(), "correct the [[ca]] section"));
            None
        }
    };
    let tls = trust.as_ref().and_then(|trust| builder.tls(config, trust, &trusted, previous, now));
    let radsec = nas.as_ref().and_then(|nas| builder.radsec(config, nas, now));
    let timezone = builder.timezone(config);
    let max_eap_len = builder.max_eap_len(config);
    let http_tls = builder.http(config);
    let recheck_tls = builder.recheck(config);
    let endpoints = builder.endpoints(config);
    let sign_in = builder.sign_in(config);
    let changes = builder.changes(config);
    let risk = builder.risk(config);
    let hooks = builder.hooks(config);
    let transmitters = builder.transmitters(config);
    let receivers = builder.receivers(config);
    let syslog = builder.syslog(config);
    if let (Some(policy), Some(nas), Some(identities), Some(timezone)) = (&policy, &nas, &identities, &timezone) {
        let around = Surroundings { identities: identities.all(), nas: nas.all(), profiles: &profiles };
        if let Some(rules) = &rules {
            builder.lint(rules, policy, &around);
            // Of what is wrong already, tests would only say so again.
            if builder.errors.is_empty() && !builder.incomplete {
                let now = ordinary_time(timezone);
                builder.policy_tests(rules, policy, &World { identities, nas, timezone, now });
            }
        }
        builder.wise(identities, now);
        builder.bindings(config, identities);
        if let Some(rules) = rules.as_ref().filter(|rules| rules.own) {
            builder.unnamed_groups(rules, nas);
        }
    }
    builder.unknown_sites(&profiles, nas.as_ref());
    builder.tickets(config, &profiles);
    builder.repeated_attributes(&documents, &profiles, nas.as_ref());
    let spelled = builder.spelled(&profiles, nas.as_ref(), policy.as_ref());
    let Builder { files, warnings, errors, crls, dictionary, nas_profiles, .. } = builder;
    match (policy, nas, identities, trust, tls, radsec, timezone, errors.is_empty()) {
        (
            Some(policy),
            Some(nas),
            Some(identities),
            Some(trust),
            Some((tls, tls_fingerprint)),
            Some(radsec),
            Some(timezone),
            true,
        ) => {
            let policy = Arc::new(policy);
            let gear = Arc::new(nas_profiles);
            let snapshot = Snapshot {
                nas,
                identities: Arc::new(identities),
                policy,
                spelled,
                gear,
                dictionary,
                trust,
                tls,
                max_eap_len,
                timezone,
                changes,
                compliance,
                playbooks,
                risk,
                hooks,
                transmitters,
                receivers,
            };
            Ok(Built {
                snapshot,
                profiles,
                files,
                warnings,
                radsec: Arc::new(radsec),
                http_tls,
                recheck_tls,
                endpoints,
                sign_in,
                digest: digest_of(&source.text),
                syslog,
                crls,
                tls_fingerprint,
            })
        }
        _ => Err(Faults { errors, files }),
    }
}

impl<'a> Builder<'a> {
    /// The text of the policy in force: the file that the configuration names,
    /// else the active revision of the database, else the built-in one.
    fn rules(&mut self, config: &Config, stored: &Stored) -> Option<Rules> {
        let Some(path) = &config.policy.file else {
            return Some(match &stored.policy {
                Some(policy) => Rules { text: policy.text.clone(), tests: policy.tests.clone(), own: true },
                None => {
                    let text = Source { file: BUILT_IN_POLICY.into(), text: DEFAULT_POLICY.to_owned() };
                    Rules { text, tests: None, own: false }
                }
            });
        };
        if stored.policy.is_some() {
            self.warnings.push(
                "the policy is the file of [policy]; the active revision in the database is out of force: \
                 remove `file` from [policy] to use it"
                    .into(),
            );
        }
        let text = self.text(path, "the policy")?;
        let tests = match &config.policy.tests {
            Some(tests) => Some(self.text(tests, "the policy's tests")?),
            None => None,
        };
        Some(Rules { text, tests, own: true })
    }

    /// A file of UTF-8 text.
    fn text(&mut self, path: &Spanned<PathBuf>, what: &str) -> Option<Source> {
        let bytes = self.read(path, what)?;
        match String::from_utf8(bytes) {
            Ok(text) => Some(Source { file: self.source.resolve(path.get_ref()), text }),
            Err(_) => {
                self.wrong(path.span(), format!("{what} is not UTF-8 text"), "save it as UTF-8");
                None
            }
        }
    }

    fn policy(&mut self, rules: &Rules, profiles: &[Profile]) -> Option<Policy> {
        match Policy::compile(&rules.text.text, &profiles.iter().map(|p| p.name.as_str()).collect::<Vec<_>>()) {
            Ok(policy) => Some(policy),
            // The built-in policy is for those who have the profiles that it names.
            // A server that was told of neither lets nobody in, and says so.
            Err(_) if !rules.own => {
                self.warnings.push("there is no policy: nobody is let in; `cordon apply` brings one".into());
                Policy::compile("", &[]).ok()
            }
            Err(errors) => {
                self.errors.extend(errors.into_iter().map(|e| ConfigError::in_policy(&rules.text.file, e)));
                None
            }
        }
    }

    /// What is wrong with rules that are well-formed. That the built-in policy
    /// has rules that are of no use here is nobody's fault.
    fn lint(&mut self, rules: &Rules, policy: &Policy, around: &Surroundings<'_>) {
        for finding in lint(policy, around) {
            let fatal = finding.error;
            let error = ConfigError::of_finding(&rules.text.file, policy, finding);
            if fatal {
                self.errors.push(error);
            } else if rules.own {
                self.warnings.push(error.to_string());
            }
        }
    }

    /// Runs the policy's tests; one that fails is an error.
    fn policy_tests(&mut self, rules: &Rules, policy: &Policy, world: &World<'_>) {
        let Some(source) = &rules.tests else { return };
        let remedy = "`cordon policy explain` tells which rules match and which do not; correct the policy or the test";
        match toml::from_str::<PolicyTests>(&source.text) {
            Ok(tests) => {
                for result in tests.run(policy, world) {
                    if let Some(failure) = result.failure {
                        let message = format!("the policy test {:?} fails: {failure}", result.name);
                        self.errors.push(source.error(result.span, message, remedy));
                    }
                }
            }
            Err(e) => {
                let message = e.message().trim().replace('\n', " ");
                let remedy = "see policies/README.md for the form of tests";
                self.errors.push(source.error(e.span().unwrap_or(0..0), message, remedy));
            }
        }
    }

    /// What is unwise about identities: who is recognised by little, and for
    /// whom nobody answers.
    fn wise(&mut self, identities: &IdentityIndex, now: Timestamp) {
        let weak = identities.all().iter().filter(|identity| {
            let mut all = identity.credentials.iter();
            !identity.credentials.is_empty() && all.all(|c| matches!(c, Credential::CommonName(_)))
        });
        self.warn_of(weak, "recognised by a common name alone, which any trusted CA can issue again");
        let orphans = identities.all().iter().filter(|identity| {
            // People who answer for nothing but gear need not be known.
            matches!(
                identity.kind,
                IdentityKind::Agent | IdentityKind::Machine | IdentityKind::Service | IdentityKind::Model
            ) && identities.orphaned(identity, now).is_some_and(|why| why != Orphaned::UnknownOwner)
        });
        self.warn_of(orphans, "without an owner who answers for it");
    }

    /// A group of gear that no rule names is of no use, and may be misspelt.
    fn unnamed_groups(&mut self, rules: &Rules, registry: &NasRegistry) {
        let groups: BTreeSet<&String> = registry.all().iter().flat_map(|nas| &nas.groups).collect();
        for group in groups {
            if !rules.text.text.contains(&format!("NasGroup::{group:?}")) {
                let of = registry.all().iter().filter(|nas| nas.groups.contains(group)).map(|nas| nas.name.as_str());
                let of = of.take(NAMED).collect::<Vec<_>>().join(", ");
                self.warnings.push(format!("no rule names the NAS group {group:?} of {of}"));
            }
        }
    }

    /// A binding gives its names to every CA that it does not name.
    fn bindings(&mut self, config: &Config, identities: &IdentityIndex) {
        for binding in identities.bindings() {
            match &binding.ca {
                None if config.ca.len() > 1 => self.warnings.push(format!(
                    "the {binding} lets each of the {} trusted CAs name any {}; say by `ca` which one may",
                    config.ca.len(),
                    binding.kind
                )),
                Some(ca) if !config.ca.iter().any(|known| known.name == *ca) => self.warnings.push(format!(
                    "the {binding} is for certificates of the CA {ca:?}, and no [[ca]] is called that: it binds nothing"
                )),
                _ => {}
            }
        }
    }

    fn warn_of<'i>(&mut self, mut found: impl Iterator<Item = &'i Arc<Identity>>, what: &str) {
        let names: Vec<&str> = found.by_ref().take(NAMED).map(|identity| &*identity.name).collect();
        let more = found.count();
        if !names.is_empty() {
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.warnings.push(format!("{what}: {}{more}", names.join(", ")));
        }
    }

    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.errors.push(self.source.error(span, message, remedy));
    }

    fn read(&mut self, path: &Spanned<PathBuf>, what: &str) -> Option<Vec<u8>> {
        let resolved = self.source.resolve(path.get_ref());
        self.files.push(resolved.clone());
        match std::fs::read(&resolved) {
            Ok(bytes) => Some(bytes),
            Err(e) => {
                let message = format!("{what} {} cannot be read: {e}", resolved.display());
                self.wrong(path.span(), message, "paths are relative to the configuration file");
                None
            }
        }
    }

    fn ca(&mut self, section: &CaSection) -> Option<CaSettings> {
        let bundle = self.read(&section.file, "the CA file")?;
        let certificates = match pem::certificates(&bundle) {
            Ok(certificates) => certificates,
            Err(e) => {
                self.wrong(
                    section.file.span(),
                    format!("the CA file of {}: {e}", section.name),
                    "give PEM certificates",
                );
                return None;
            }
        };
        let mut crls = Vec::new();
        for path in &section.crl {
            let resolved = self.source.resolve(path.get_ref());
            self.files.push(resolved.clone());
            let lists = match std::fs::read(&resolved) {
                Ok(bytes) => match pem::crls(&bytes) {
                    Ok(lists) => lists,
                    Err(e) => {
                        let message = format!("the CRL of {}: {e}", section.name);
                        self.wrong(path.span(), message, "give a CRL in PEM or DER");
                        continue;
                    }
                },
                // A missing CRL is what crl_missing is about, not a reason not to
                // start. One that was there before stays in force: who was
                // revoked does not come back because a file is away.
                Err(e) => {
                    let known = self.previous.and_then(|p| p.crls.get(&resolved)).cloned();
                    let what = if known.is_some() { "; the list that was read before stays in force" } else { "" };
                    self.warnings.push(format!(
                        "the CRL {} of {} cannot be read: {e}{what}",
                        resolved.display(),
                        section.name
                    ));
                    known.unwrap_or_default()
                }
            };
            crls.extend(lists.iter().cloned());
            self.crls.insert(resolved, lists);
        }
        let policy = |on| match on {
            OnCrlProblem::Fail => CrlPolicy::Fail,
            OnCrlProblem::Warn => CrlPolicy::Warn,
        };
        Some(CaSettings {
            name: section.name.clone(),
            certificates,
            crls,
            crl_check: section.crl_check.unwrap_or(!section.crl.is_empty()),
            crl_missing: policy(section.crl_missing),
            crl_outdated: policy(section.crl_outdated),
        })
    }

    fn tls(
        &mut self,
        config: &Config,
        trust: &Arc<TrustStore>,
        trusted: &[u8],
        previous: Option<&Built>,
        now: Timestamp,
    ) -> Option<(ServerTlsConfig, Vec<u8>)> {
        let section = &config.tls;
        let certificate = self.read(&section.certificate, "the server's certificate");
        let key = self.read(&section.key, "the server's key");
        let (certificate, key) = (certificate?, key?);
        let min = self.version(&section.min_version)?;
        let max = self.version(&section.max_version)?;
        if min > max {
            self.wrong(section.min_version.span(), "min_version is above max_version", "exchange them");
            return None;
        }
        let chain = pem::certificates(&certificate).unwrap_or_default();
        if let Some(Ok(faults)) = chain.first().map(|leaf| server_faults(leaf, now)) {
            self.warnings.extend(faults);
        }
        self.warnings.extend(trust.unlisted_intermediates(&chain));
        let settings = format!("{min:?}{max:?}{}", section.resumption);
        let fingerprint =
            digest(&SHA256, &[&certificate, &key, trusted, settings.as_bytes()].concat()).as_ref().to_vec();
        let verifier = Arc::new(ClientVerifier::new(trust.clone()));
        if let Some(previous) = previous.filter(|p| p.tls_fingerprint == fingerprint) {
            return Some((previous.snapshot.tls.with_verifier(verifier), fingerprint));
        }
        let certified_key = match certified_key(&certificate, &key) {
            Ok(key) => key,
            Err(message) => {
                self.wrong(section.certificate.span(), message, "`cordon ca issue --server` makes a pair that fits");
                return None;
            }
        };
        match ServerTlsConfig::new(certified_key, verifier, min, max, section.resumption) {
            Ok(tls) => Some((tls, fingerprint)),
            Err(e) => {
                self.wrong(section.certificate.span(), e.to_string(), "the system gives no random numbers");
                None
            }
        }
    }

    fn version(&mut self, text: &Spanned<String>) -> Option<TlsVersion> {
        match text.get_ref().as_str() {
            "1.2" => Some(TlsVersion::V12),
            "1.3" => Some(TlsVersion::V13),
            other => {
                self.wrong(text.span(), format!("TLS version {other:?} is not spoken here"), "use \"1.2\" or \"1.3\"");
                None
            }
        }
    }

    fn timezone(&mut self, config: &Config) -> Option<jiff::tz::TimeZone> {
        let Some(name) = &config.policy.timezone else { return Some(jiff::tz::TimeZone::UTC) };
        match jiff::tz::TimeZone::get(name.get_ref()) {
            Ok(zone) => Some(zone),
            Err(_) => {
                self.wrong(
                    name.span(),
                    format!("no time zone is called {:?}", name.get_ref()),
                    "use an IANA name such as \"Europe/Rome\"",
                );
                None
            }
        }
    }

    fn max_eap_len(&mut self, config: &Config) -> usize {
        let size = &config.tls.fragment_size;
        if !FRAGMENT_SIZES.contains(size.get_ref()) {
            let (least, most) = (FRAGMENT_SIZES.start(), FRAGMENT_SIZES.end());
            self.wrong(
                size.span(),
                format!("fragment_size is not from {least} to {most}"),
                "leave it out: 1020 suits most networks",
            );
        }
        size.get_ref() + MAX_OVERHEAD + TYPED_HEADER_LEN
    }
}

/// When a test of the policy takes place that does not say: a Tuesday at ten, so
/// that it says the same at night and on Sundays, when a server is restarted.
pub fn ordinary_time(timezone: &jiff::tz::TimeZone) -> Timestamp {
    let local = timezone.to_timestamp(jiff::civil::date(2026, 1, 6).at(10, 0, 0, 0));
    local.map_or_else(|_| Timestamp::default(), |at| Timestamp::from_micros(at.as_microsecond()))
}

/// A certificate chain with its key, checked to fit each other.
///
/// # Errors
/// In plain words.
pub fn certified_key(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain = pem::certificates(certificate).map_err(|e| format!("the certificate: {e}"))?;
    let key: PrivateKeyDer<'static> = pem::private_key(key).map_err(|e| format!("the key: {e}"))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
        other => other.to_string(),
    })
}
