//! What can be described in a file of its own, applied to a running server and
//! exported again: sites, groups, NASes, identities, profiles, the policy.
//!
//! The sections are those of the configuration file. There they are part of the
//! server's own set-up and change with that file; applied, they live in the
//! database.

use super::compliance::ComplianceSection;
use super::form;
use super::playbook::PlaybookSection;
use super::{Config, ConfigError, IdentitySection, NasSection, ProfileSection, Source};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Objects of the inventory that an error may be about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ObjectKind {
    /// `[[site]]`
    Site,
    /// `[[group]]`
    Group,
    /// `[[nas]]`
    Nas,
    /// `[[binding]]`
    Binding,
    /// `[[profile]]`
    Profile,
    /// `[[compliance]]`
    Compliance,
    /// `[[playbook]]`
    Playbook,
    /// `[[identity]]`
    Identity,
}

impl ObjectKind {
    /// All of them, in the order in which a document shows them.
    pub const ALL: [ObjectKind; 8] = [
        ObjectKind::Site,
        ObjectKind::Group,
        ObjectKind::Nas,
        ObjectKind::Binding,
        ObjectKind::Profile,
        ObjectKind::Compliance,
        ObjectKind::Playbook,
        ObjectKind::Identity,
    ];

    /// The name of its section.
    pub const fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Site => "site",
            ObjectKind::Group => "group",
            ObjectKind::Nas => "nas",
            ObjectKind::Binding => "binding",
            ObjectKind::Profile => "profile",
            ObjectKind::Compliance => "compliance",
            ObjectKind::Playbook => "playbook",
            ObjectKind::Identity => "identity",
        }
    }
}

/// A document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// Places.
    pub site: Vec<SiteSection>,
    /// Groups of identities.
    pub group: Vec<GroupSection>,
    /// The gear.
    pub nas: Vec<NasSection>,
    /// How certificates name identities.
    pub binding: Vec<BindingSection>,
    /// What a rule can grant.
    pub profile: Vec<ProfileSection>,
    /// What identities should be like.
    pub compliance: Vec<ComplianceSection>,
    /// What is done against somebody by itself.
    pub playbook: Vec<PlaybookSection>,
    /// Who is known.
    pub identity: Vec<IdentitySection>,
    /// The rules.
    pub policy: Option<DocumentPolicy>,
}

/// `[[site]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSection {
    /// The name that rules and NASes use.
    pub name: Spanned<String>,
    /// What and where it is.
    pub description: Option<String>,
}

/// `[[group]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSection {
    /// The name that rules and identities use.
    pub name: Spanned<String>,
    /// Who belongs to it.
    pub description: Option<String>,
}

/// `[[binding]]`: exactly one field, whose text holds `{name}` or `(.*)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingSection {
    /// The name that decisions show.
    pub name: Spanned<String>,
    /// The kind of identity that is named.
    pub kind: Spanned<String>,
    /// The CA that must vouch for the certificate.
    pub ca: Option<String>,
    /// A DNS name.
    pub san_dns: Option<String>,
    /// A URI.
    pub san_uri: Option<String>,
    /// An email address.
    pub san_email: Option<String>,
    /// A User Principal Name.
    pub san_upn: Option<String>,
    /// The subject's common name.
    pub common_name: Option<String>,
}

/// `[policy]` of a document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentPolicy {
    /// The Cedar file.
    pub file: Spanned<PathBuf>,
    /// The policy's tests.
    pub tests: Option<Spanned<PathBuf>>,
}

/// The sections of a document or of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'a> {
    /// Places.
    pub site: &'a [SiteSection],
    /// Groups of identities.
    pub group: &'a [GroupSection],
    /// The gear.
    pub nas: &'a [NasSection],
    /// How certificates name identities.
    pub binding: &'a [BindingSection],
    /// What a rule can grant.
    pub profile: &'a [ProfileSection],
    /// What identities should be like.
    pub compliance: &'a [ComplianceSection],
    /// What is done against somebody by itself.
    pub playbook: &'a [PlaybookSection],
    /// Who is known.
    pub identity: &'a [IdentitySection],
}

impl Config {
    /// What the configuration file says of the inventory.
    pub fn sections(&self) -> Sections<'_> {
        let Config { site, group, nas, binding, profile, compliance, playbook, identity, .. } = self;
        Sections { site, group, nas, binding, profile, compliance, playbook, identity }
    }
}

impl Document {
    /// What the document says of the inventory.
    pub fn sections(&self) -> Sections<'_> {
        let Document { site, group, nas, binding, profile, compliance, playbook, identity, .. } = self;
        Sections { site, group, nas, binding, profile, compliance, playbook, identity }
    }

    /// Reads the form of a document.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(source: &Source) -> Result<Document, ConfigError> {
        toml::from_str(&source.text).map_err(|e| {
            let remedy = if e.message().contains("unknown field") {
                "a document has [[site]], [[group]], [[nas]], [[binding]], [[profile]], [[compliance]], [[playbook]], [[identity]] and \
                 [policy]; the server's own settings stay in cordon.toml; see docs/configuration.md for every key"
            } else {
                "see docs/configuration.md for every key"
            };
            form::error(source, &e, remedy)
        })
    }
}

/// Reads the documents that `path` names: a file, or all `.toml`, `.yaml` and
/// `.yml` files of a directory, in the order of their names. YAML becomes TOML
/// first, so that errors in it name the object and not the line.
///
/// # Errors
/// What cannot be read, and why.
pub fn read(path: &Path) -> Result<Vec<Source>, ConfigError> {
    let failed = |file: &Path, message: String, remedy: &str| ConfigError {
        file: file.to_owned(),
        line: None,
        message,
        remedy: remedy.into(),
    };
    let unreadable = |file: &Path, e: std::io::Error| {
        failed(file, format!("cannot be read: {e}"), "name a file or a directory of documents")
    };
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|e| unreadable(path, e))? {
            files.push(entry.map_err(|e| unreadable(path, e))?.path());
        }
        files.retain(|file| is_document(file));
        files.sort();
        if files.is_empty() {
            return Err(failed(
                path,
                "there is no .toml or .yaml file in it".into(),
                "name the directory of the documents",
            ));
        }
    } else {
        files.push(path.to_owned());
    }
    let mut sources = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|e| unreadable(&file, e))?;
        let text = if is_yaml(&file) {
            toml_of_yaml(&text).map_err(|e| failed(&file, e, "see docs/configuration.md for the form"))?
        } else {
            text
        };
        sources.push(Source { file, text });
    }
    Ok(sources)
}

/// Tests of a policy are TOML too, and lie beside it: they are no documents.
fn is_document(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let tests = name.ends_with("tests.toml");
    !tests && (is_yaml(file) || file.extension().is_some_and(|e| e == "toml"))
}

/// Whether a file is written in YAML.
pub fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// A document in YAML as one in TOML.
///
/// # Errors
/// What is wrong, in words.
pub fn toml_of_yaml(text: &str) -> Result<String, String> {
    let table: toml::Table = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
    toml::to_string(&table).map_err(|e| e.to_string())
}
