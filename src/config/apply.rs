//! From documents to a change of the inventory: what would be different, whether
//! the result is sound, and what is to be written.
//!
//! What a document describes becomes as it says, whole; what it does not mention
//! stays, unless pruning is asked for. The result as a whole is built as a
//! server would build it, so that nothing can be applied that does not start.

use super::build::{Built, Faults, build};
use super::document::{Document, ObjectKind};
use super::secrets::NasSecrets;
use super::stored::{Stored, StoredPolicy, document_of, secret_of};
use super::{CoaSection, CoaValue, Config, ConfigError, Source};
use crate::ids::IdentityId;
use crate::inventory::credential::Credential;
use crate::inventory::identity::{Identity, IdentityKind, IdentityStatus, IllegalTransition};
use crate::inventory::nas::{CoaTarget, Nas};
use crate::inventory::seal::Seal;
use crate::policy::engine::digest_of;
use crate::policy::suite::PolicyTests;
use crate::store::inventory::{ChangeRow, NewRevision, ObjectRow, Writes};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use toml::{Table, Value};

/// Creations of one kind that are told one by one later. A million imported at
/// once are one line; each identity's row says when it came.
const MAX_TOLD: usize = 10_000;
/// What a secret's value is replaced by where changes are told.
const HIDDEN: &str = "(secret)";

/// What would be done.
#[derive(Debug)]
pub struct Plan {
    /// What is different, in the order of kinds and names.
    pub changes: Vec<Change>,
    /// Objects of the documents that are so already.
    pub unchanged: usize,
    /// What to write.
    pub writes: Writes,
    /// What is unwise but no error.
    pub warnings: Vec<String>,
    /// What the server will run on.
    pub built: Built,
}

/// One object that is different.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Its kind: the name of its section, or `policy`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// Key by key: what it was and what it becomes.
    pub fields: Vec<(String, Option<Value>, Option<Value>)>,
}

/// What happens to an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Action {
    /// It is new.
    Create,
    /// It becomes different.
    Update,
    /// It is not in the documents, and goes.
    Remove,
}

impl Action {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Remove => "remove",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The documents.
    pub files: Vec<Source>,
    /// Whether what they do not mention goes. Identities are suspended, since
    /// records lead to them, and a document may be missing by mistake.
    pub prune: bool,
    /// Objects that go.
    pub remove: BTreeSet<(ObjectKind, String)>,
    /// Why, for the record.
    pub comment: String,
    /// Whether they come from somewhere else: then they name no files, since those would be the server's.
    pub remote: bool,
}

/// What a server's own configuration says, which the result must fit.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Its text.
    pub source: &'a Source,
}

/// Plans a change of `stored`.
///
/// # Errors
/// All that is wrong with the documents or with what would come of them.
pub fn plan(host: Host<'_>, stored: &Stored, request: Request, seal: &Seal, now: Timestamp) -> Result<Plan, Faults> {
    let mut planner = Planner {
        errors: Vec::new(),
        warnings: Vec::new(),
        changes: Vec::new(),
        writes: Writes::default(),
        unchanged: 0,
        now,
    };
    let documents = planner.parse(request.files, stored, request.remote);
    let wanted = planner.objects(&documents);
    let policy = planner.policy(host, &documents);
    planner.fail()?;

    let mut candidate = Stored { generation: stored.generation, ..Stored::default() };
    candidate.policy = policy.clone().or_else(|| stored.policy.clone());
    let mut gone = Vec::new();
    for ((kind, name), object) in &stored.objects {
        if wanted.contains_key(&(*kind, name.clone())) {
            continue;
        }
        if request.prune || request.remove.contains(&(*kind, name.clone())) {
            gone.push((*kind, name.clone(), object.table.clone()));
            continue;
        }
        candidate.documents.extend(planner.kept(*kind, name, object));
    }
    let described: BTreeSet<(&str, String)> = documents.iter().flat_map(|(_, d)| described(d)).collect();
    let (replaced, mut kept): (Vec<_>, Vec<_>) = stored
        .identities
        .iter()
        .cloned()
        .partition(|i| described.contains(&(i.kind.as_str(), i.name.to_ascii_lowercase())));
    // Documents that speak of no identity do not say that there is none.
    if request.prune && !described.is_empty() {
        kept = kept.into_iter().map(|identity| planner.withdrawn(identity)).collect();
    }
    candidate.identities = kept;
    candidate.documents.extend(documents);
    planner.fail()?;

    let built = build(host.config, host.source, &candidate, None, now)?;
    for (kind, name, table) in gone {
        planner.removed(kind, name, &table);
    }
    planner.differences(stored, &wanted, &built, seal);
    planner.identities(&candidate.documents, &replaced, &built);
    planner.revision(stored, policy, &request.comment);
    planner.fail()?;
    let Planner { mut changes, mut writes, unchanged, mut warnings, .. } = planner;
    warnings.extend(built.warnings.iter().cloned());
    changes.sort_by(|a, b| (order(a.kind), &a.name).cmp(&(order(b.kind), &b.name)));
    writes.changes = told(&changes);
    writes.reason = request.comment;
    Ok(Plan { changes, unchanged, writes, warnings, built })
}

fn order(kind: &str) -> usize {
    ObjectKind::ALL.iter().position(|k| k.as_str() == kind).unwrap_or(ObjectKind::ALL.len())
}

/// The identities of a document, as they are compared.
fn described(document: &Document) -> impl Iterator<Item = (&str, String)> {
    document.identity.iter().map(|i| (i.kind.get_ref().as_str(), i.name.get_ref().to_ascii_lowercase()))
}

struct Planner {
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
    changes: Vec<Change>,
    writes: Writes,
    unchanged: usize,
    now: Timestamp,
}

/// A document as it is written; identities, of which there may be a million, are
/// compared otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tables {
    site: Vec<Table>,
    group: Vec<Table>,
    nas: Vec<Table>,
    binding: Vec<Table>,
    profile: Vec<Table>,
    compliance: Vec<Table>,
    playbook: Vec<Table>,
}

type Wanted = BTreeMap<(ObjectKind, String), Table>;

/// What is shared with a NAS; nothing with one that speaks RADIUS over TLS alone.
fn secrets_of(nas: &Nas) -> Option<NasSecrets> {
    let coa = match &nas.coa {
        CoaTarget::At { secret, .. } => secret.clone(),
        CoaTarget::Off => None,
    };
    (nas.secret.is_some() || coa.is_some()).then(|| NasSecrets { shared: nas.secret.clone(), coa })
}

impl Planner {
    fn fail(&mut self) -> Result<(), Faults> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Faults { errors: std::mem::take(&mut self.errors), files: Vec::new() })
    }

    fn parse(&mut self, files: Vec<Source>, stored: &Stored, remote: bool) -> Vec<(Source, Document)> {
        let mut documents = Vec::new();
        for source in files {
            match Document::parse(&source) {
                Ok(mut document) => {
                    if remote {
                        self.errors.extend(names_a_file(&source, &document));
                    }
                    for nas in &mut document.nas {
                        let known = stored.objects.get(&(ObjectKind::Nas, nas.name.get_ref().clone()));
                        nas.kept_secret = known.and_then(|object| object.secret.clone());
                        nas.shut = known.and_then(|object| object.shut.clone());
                    }
                    documents.push((source, document));
                }
                Err(e) => self.errors.push(e),
            }
        }
        documents
    }

    /// Everything but identities, as the documents say it. Secrets go their own
    /// way.
    fn objects(&mut self, documents: &[(Source, Document)]) -> Wanted {
        let mut wanted = Wanted::new();
        for (source, _) in documents {
            // It was read as a document, so that it is a table too.
            let Ok(Tables { site, group, nas, binding, profile, compliance, playbook }) = toml::from_str(&source.text)
            else {
                continue;
            };
            for (kind, list) in [
                (ObjectKind::Site, site),
                (ObjectKind::Group, group),
                (ObjectKind::Nas, nas),
                (ObjectKind::Binding, binding),
                (ObjectKind::Profile, profile),
                (ObjectKind::Compliance, compliance),
                (ObjectKind::Playbook, playbook),
            ] {
                for mut table in list {
                    table.remove("secret");
                    table.remove("secret_file");
                    if let Some(Value::Table(coa)) = table.get_mut("coa") {
                        coa.remove("secret");
                        coa.remove("secret_file");
                    }
                    let name = table.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                    if wanted.insert((kind, name.clone()), table).is_some() {
                        let message = format!("two {}s are called {name:?}", kind.as_str());
                        self.errors.push(source.error(0..0, message, "remove one of them, or give it another name"));
                    }
                }
            }
        }
        wanted
    }

    /// The policy of the documents, of which there is one at most.
    fn policy(&mut self, host: Host<'_>, documents: &[(Source, Document)]) -> Option<StoredPolicy> {
        let mut all = documents.iter().filter_map(|(source, d)| Some((source, d.policy.as_ref()?)));
        let (source, section) = all.next()?;
        if let Some((second, section)) = all.next() {
            let message = format!("{} has a [policy] too", source.file.display());
            self.errors.push(second.error(section.file.span(), message, "keep one: there is one policy"));
        }
        if host.config.policy.file.is_some() {
            let message = format!("{} names a policy file, which stays in force", host.source.file.display());
            let remedy = "remove `file` and `tests` from its [policy], or [policy] from the document";
            self.errors.push(source.error(section.file.span(), message, remedy));
        }
        let text = self.text(source, &section.file)?;
        let tests = match &section.tests {
            Some(tests) => Some(self.text(source, tests)?),
            None => None,
        };
        Some(StoredPolicy { number: 0, text, tests })
    }

    fn text(&mut self, source: &Source, path: &toml::Spanned<PathBuf>) -> Option<Source> {
        let file = source.resolve(path.get_ref());
        match std::fs::read_to_string(&file) {
            Ok(text) => Some(Source { file, text }),
            Err(e) => {
                let message = format!("{} cannot be read: {e}", file.display());
                self.errors.push(source.error(path.span(), message, "paths are relative to the document"));
                None
            }
        }
    }

    /// A stored object that stays as it is.
    fn kept(
        &mut self,
        kind: ObjectKind,
        name: &str,
        object: &super::stored::StoredObject,
    ) -> Option<(Source, Document)> {
        let file = PathBuf::from(format!("the database ({} {name})", kind.as_str()));
        let source = Source { file, text: document_of(kind, &object.table).ok()? };
        match Document::parse(&source) {
            Ok(mut document) => {
                for nas in &mut document.nas {
                    nas.kept_secret = object.secret.clone();
                    nas.shut = object.shut.clone();
                }
                Some((source, document))
            }
            Err(e) => {
                self.errors.push(e);
                None
            }
        }
    }

    fn removed(&mut self, kind: ObjectKind, name: String, table: &Table) {
        let fields = differences(table, &Table::new());
        self.writes.removed.push((kind.as_str().to_owned(), name.clone()));
        self.changes.push(Change { kind: kind.as_str(), name, action: Action::Remove, fields });
    }

    /// An identity that the documents do not mention, when they are all there is:
    /// barred, and not gone for good, since a file may be missing.
    fn withdrawn(&mut self, identity: Arc<Identity>) -> Arc<Identity> {
        if !identity.status.next().contains(&IdentityStatus::Suspended) {
            self.confirms(&identity);
            return identity;
        }
        let new = Arc::new(Identity { status: IdentityStatus::Suspended, ..identity.as_ref().clone() });
        self.change_identity(Some(&identity), &new, Action::Remove);
        self.writes.identities.push(new.clone());
        new
    }

    fn differences(&mut self, stored: &Stored, wanted: &Wanted, built: &Built, seal: &Seal) {
        let nas_secrets: HashMap<&str, _> =
            built.snapshot.nas.all().iter().map(|nas| (nas.name.as_str(), secrets_of(nas))).collect();
        for ((kind, name), table) in wanted {
            let old = stored.objects.get(&(*kind, name.clone()));
            let secret = nas_secrets.get(name.as_str()).and_then(Option::as_ref).filter(|_| *kind == ObjectKind::Nas);
            let mut fields = differences(old.map_or(&Table::new(), |old| &old.table), table);
            if let Some(old) = old
                && old.secret.as_ref() != secret
            {
                let hidden = |secret: Option<&_>| secret.map(|_| Value::String(HIDDEN.into()));
                fields.push(("secret".into(), hidden(old.secret.as_ref()), hidden(secret)));
            }
            if old.is_some() && fields.is_empty() {
                self.unchanged += 1;
                continue;
            }
            let sealed = secret.map(|secret| seal.seal(&secret_of(name), &secret.pack())).transpose();
            let (Ok(body), Ok(secret)) = (document_of(*kind, table), sealed) else {
                let message = format!("the {} {name:?} cannot be written", kind.as_str());
                self.errors.push(no_place(message, "the system may have no random numbers; try again"));
                continue;
            };
            self.writes.objects.push(ObjectRow { kind: kind.as_str().into(), name: name.clone(), body, secret });
            let action = if old.is_some() { Action::Update } else { Action::Create };
            self.changes.push(Change { kind: kind.as_str(), name: name.clone(), action, fields });
        }
    }

    fn identities(&mut self, documents: &[(Source, Document)], replaced: &[Arc<Identity>], built: &Built) {
        let key = |identity: &Identity| (identity.kind, identity.name.to_ascii_lowercase());
        let old: HashMap<_, _> = replaced.iter().map(|identity| (key(identity), identity)).collect();
        let index = &built.snapshot.identities;
        for (source, document) in documents {
            for section in &document.identity {
                let name = section.name.get_ref();
                let Ok(kind) = section.kind.get_ref().parse::<IdentityKind>() else { continue };
                let Some(new) = index.by_name(kind, name) else { continue };
                let old = old.get(&key(new)).copied();
                let id = old.map_or_else(|| IdentityId::new(self.now), |old| old.id);
                // A document that does not speak of the status leaves it: who was
                // suspended at night is not let in by the next run of a script.
                let status = old.filter(|_| section.status.is_none()).map_or(new.status, |old| old.status);
                let new = Arc::new(Identity { id, status, ..new.as_ref().clone() });
                let mut wrong = |message: String, remedy: &str| {
                    self.errors.push(source.error(section.name.span(), message, remedy));
                };
                if let Some(old) = old.filter(|old| old.name != new.name) {
                    wrong(
                        format!("{kind} {name}: there is {} already", old.name),
                        "spell it so if it is meant; names differ by more than case",
                    );
                    continue;
                }
                if let Some((old, Err(e))) = old.map(|old| (old, old.status.change_to(new.status))) {
                    let remedy = match old.status {
                        IdentityStatus::Retired => "it is gone for good: give a new identity another name",
                        _ => "take the steps one by one; without `status` a document leaves it as it is",
                    };
                    wrong(format!("{kind} {name}: {e}"), remedy);
                    continue;
                }
                if kind != IdentityKind::User && new.status != IdentityStatus::Retired && old != Some(&new) {
                    match new.owner.as_deref() {
                        None => wrong(
                            format!("{kind} {name} has no owner"),
                            "everything that is no human needs one who answers for it: owner = \"...\"",
                        ),
                        Some(owner) if index.by_name(IdentityKind::User, owner).is_none() => wrong(
                            format!("{kind} {name} is owned by {owner:?}, and no user is called that"),
                            "add an [[identity]] of kind \"user\" with that name, or correct the spelling",
                        ),
                        Some(_) => {}
                    }
                    if new.purpose.is_none() {
                        wrong(
                            format!("{kind} {name} has no purpose"),
                            "say what it is for, so that somebody can tell when it is over: purpose = \"...\"",
                        );
                    }
                }
                if section.status.is_some() && old.is_some_and(|old| old.status == new.status) {
                    self.confirms(&new);
                }
                if old == Some(&new) {
                    self.unchanged += 1;
                    continue;
                }
                let action = if old.is_some() { Action::Update } else { Action::Create };
                self.change_identity(old, &new, action);
                self.writes.identities.push(new);
            }
        }
    }

    /// Who is suspended already is so by this word too.
    fn confirms(&mut self, identity: &Identity) {
        if identity.status == IdentityStatus::Suspended {
            self.writes.confirmed.push(identity.id);
        }
    }

    fn change_identity(&mut self, old: Option<&Arc<Identity>>, new: &Identity, action: Action) {
        self.changes.push(identity_change(old.map(Arc::as_ref), new, action));
    }

    fn revision(&mut self, stored: &Stored, policy: Option<StoredPolicy>, comment: &str) {
        let Some(new) = policy else { return };
        let texts = |p: &StoredPolicy| (p.text.text.clone(), p.tests.as_ref().map(|t| t.text.clone()));
        if stored.policy.as_ref().map(texts) == Some(texts(&new)) {
            self.unchanged += 1;
            return;
        }
        let (text, tests) = texts(&new);
        let digest = digest_of(&text);
        let old = stored.policy.as_ref().map(|p| Value::String(digest_of(&p.text.text)));
        let action = if old.is_some() { Action::Update } else { Action::Create };
        let old_tests =
            stored.policy.as_ref().and_then(|p| p.tests.as_ref()).map(|t| Value::String(digest_of(&t.text)));
        let new_tests = tests.as_ref().map(|text| Value::String(digest_of(text)));
        let mut fields = vec![
            ("text".to_owned(), old, Some(Value::String(digest.clone()))),
            ("tests".to_owned(), old_tests, new_tests),
        ];
        fields.retain(|(_, old, new)| old != new);
        let names = |tests: Option<&Source>| {
            let tests = tests.and_then(|tests| toml::from_str::<PolicyTests>(&tests.text).ok());
            tests.map(|all| all.test.into_iter().map(|test| test.name.into_inner()).collect()).unwrap_or_default()
        };
        let kept: BTreeSet<String> = names(new.tests.as_ref());
        let old: BTreeSet<String> = names(stored.policy.as_ref().and_then(|p| p.tests.as_ref()));
        self.warnings.extend(old.difference(&kept).map(|name| format!("the policy loses the test {name:?}")));
        self.changes.push(Change { kind: "policy", name: "the policy".into(), action, fields });
        self.writes.policy = Some(NewRevision { digest, text, tests, comment: comment.to_owned() });
    }
}

fn identity_change(old: Option<&Identity>, new: &Identity, action: Action) -> Change {
    let fields = differences(&old.map(identity_table).unwrap_or_default(), &identity_table(new));
    let name = format!("{} {}", new.kind, new.name);
    Change { kind: ObjectKind::Identity.as_str(), name, action, fields }
}

/// An identity in another status, and what to write for it. Nothing else is looked at: for barring somebody, which
/// waits for no file to be mended.
///
/// # Errors
/// When its life knows no such step.
pub fn in_status(
    old: &Identity,
    status: IdentityStatus,
    reason: String,
) -> Result<(Arc<Identity>, Writes), IllegalTransition> {
    old.status.change_to(status)?;
    let new = Arc::new(Identity { status, ..old.clone() });
    let changes = told(&[identity_change(Some(old), &new, Action::Update)]);
    let writes = Writes { identities: vec![new.clone()], changes, reason, ..Writes::default() };
    Ok((new, writes))
}

/// What a document from elsewhere may not say.
fn names_a_file(source: &Source, document: &Document) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut wrong = |span: std::ops::Range<usize>, what: &str, remedy: &str| {
        errors.push(source.error(span, format!("{what} names a file, and files are the server's own"), remedy));
    };
    for nas in &document.nas {
        let name = nas.name.get_ref();
        let remedy = "send the secret itself as `secret`, or leave it out: then the one that is stored is kept";
        if let Some(file) = &nas.secret_file {
            wrong(file.span(), &format!("secret_file of the NAS {name}"), remedy);
        }
        if let Some(coa) = nas.coa.as_ref()
            && let CoaValue::At(CoaSection { secret_file: Some(_), .. }) = coa.get_ref()
        {
            wrong(coa.span(), &format!("coa.secret_file of the NAS {name}"), remedy);
        }
    }
    if let Some(policy) = &document.policy {
        wrong(policy.file.span(), "[policy]", "send the policy's text to POST /api/v1/policy/activate");
    }
    errors
}

fn no_place(message: String, remedy: &str) -> ConfigError {
    ConfigError { file: PathBuf::from("the documents"), line: None, message, remedy: remedy.into() }
}

/// Key by key, but for the name.
fn differences(old: &Table, new: &Table) -> Vec<(String, Option<Value>, Option<Value>)> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|key| *key != "name").collect();
    let pairs = keys.into_iter().map(|key| (key.clone(), old.get(key).cloned(), new.get(key).cloned()));
    pairs.filter(|(_, old, new)| old != new).collect()
}

/// Changes as they are told later.
fn told(changes: &[Change]) -> Vec<ChangeRow> {
    let mut rows = Vec::new();
    let mut created: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        let told = created.entry(change.kind).or_default();
        *told += usize::from(change.action == Action::Create);
        if change.action == Action::Create && *told > MAX_TOLD {
            continue;
        }
        let fields: serde_json::Map<String, serde_json::Value> =
            change.fields.iter().map(|(key, old, new)| (key.clone(), json!({ "old": old, "new": new }))).collect();
        rows.push(ChangeRow {
            kind: change.kind.into(),
            name: change.name.clone(),
            action: change.action.as_str().into(),
            fields: fields.into(),
        });
    }
    for (kind, count) in created.into_iter().filter(|(_, count)| *count > MAX_TOLD) {
        let fields = json!({ "created": count, "told one by one": MAX_TOLD });
        rows.push(ChangeRow { kind: kind.into(), name: "*".into(), action: "create".into(), fields });
    }
    rows
}

/// Everything that is stored but policy and secrets, as one document.
pub fn export(stored: &Stored) -> Table {
    let mut document = Table::new();
    let mut add = |kind: ObjectKind, table: Table| {
        let list = document.entry(kind.as_str()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Table(table));
        }
    };
    for ((kind, _), object) in &stored.objects {
        add(*kind, object.table.clone());
    }
    for identity in &stored.identities {
        add(ObjectKind::Identity, identity_table(identity));
    }
    document
}

/// An identity as a document says it.
pub fn identity_table(identity: &Identity) -> Table {
    let mut table = Table::new();
    let mut text = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            table.insert(key.into(), value.into());
        }
    };
    text("name", Some(&identity.name));
    text("kind", Some(identity.kind.as_str()));
    text("owner", identity.owner.as_deref());
    text("purpose", identity.purpose.as_deref());
    text("environment", identity.environment.as_deref());
    text("status", Some(identity.status.as_str()).filter(|_| identity.status != IdentityStatus::Active));
    text("expires", identity.expires.map(|at| at.to_string()).as_deref());
    if let Some(level) = identity.autonomy {
        table.insert("autonomy".into(), i64::from(level).into());
    }
    if !identity.groups.is_empty() {
        let groups: Vec<Value> = identity.groups.iter().map(|group| Value::from(group.as_ref())).collect();
        table.insert("groups".into(), groups.into());
    }
    if !identity.attributes.is_empty() {
        let attributes: Table =
            identity.attributes.iter().map(|(key, value)| (key.to_string(), Value::from(value.as_ref()))).collect();
        table.insert("attributes".into(), attributes.into());
    }
    if !identity.credentials.is_empty() {
        let credentials: Vec<Value> = identity.credentials.iter().map(|c| credential_table(c).into()).collect();
        table.insert("credentials".into(), credentials.into());
    }
    table
}

fn credential_table(credential: &Credential) -> Table {
    let pairs: Vec<(&str, Cow<'_, str>)> = match (credential, credential.text()) {
        (Credential::IssuerSerial { issuer, serial }, _) => {
            vec![("issuer", issuer.into()), ("serial", serial.into())]
        }
        (_, text) => text.into_iter().map(|text| (credential.field(), text)).collect(),
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value.as_ref()))).collect()
}
