//! Bindings: certificates that name their identity.

use super::identity::IdentityKind;
use crate::pki::certificate::CertificateFacts;
use std::fmt;

/// A name in a certificate that says which identity it belongs to: the text
/// around one placeholder, which the identity's name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The name that decisions show.
    pub name: String,
    /// The field it looks at.
    pub field: BindingField,
    /// What comes before the name.
    before: String,
    /// What comes after it.
    after: String,
    /// Whether the name may hold the field's separators.
    greedy: bool,
    /// The kind of identity that is named.
    pub kind: IdentityKind,
    /// The CA that must vouch for it; any that is trusted, when not said.
    pub ca: Option<String>,
}

/// The fields of a certificate that a [`Binding`] may look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindingField {
    /// A DNS name.
    SanDns,
    /// A URI.
    SanUri,
    /// An email address.
    SanEmail,
    /// A User Principal Name.
    SanUpn,
    /// The subject's common name.
    CommonName,
}

impl BindingField {
    /// The key of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            BindingField::SanDns => "san_dns",
            BindingField::SanUri => "san_uri",
            BindingField::SanEmail => "san_email",
            BindingField::SanUpn => "san_upn",
            BindingField::CommonName => "common_name",
        }
    }

    /// What separates the parts of such a name.
    const fn separators(self) -> &'static [char] {
        match self {
            BindingField::SanDns => &['.'],
            BindingField::SanUri => &['/', ':', '?', '#'],
            BindingField::SanEmail | BindingField::SanUpn => &['@'],
            BindingField::CommonName => &[],
        }
    }

    /// Whether case counts.
    const fn folds_case(self) -> bool {
        matches!(self, BindingField::SanDns | BindingField::SanEmail | BindingField::SanUpn)
    }

    fn values(self, facts: &CertificateFacts) -> &[String] {
        match self {
            BindingField::SanDns => &facts.san_dns,
            BindingField::SanUri => &facts.san_uri,
            BindingField::SanEmail => &facts.san_email,
            BindingField::SanUpn => &facts.san_upn,
            BindingField::CommonName => facts.common_name.as_slice(),
        }
    }
}

/// The placeholder that stands for a name without separators.
const NAME: &str = "{name}";
/// The one that stands for any text.
const ANYTHING: &str = "(.*)";

impl Binding {
    /// A binding by `pattern`: text with one `{name}` (which holds no separator:
    /// no dot in a DNS name) or one `(.*)` (which holds anything) in it. All
    /// else is taken letter by letter.
    ///
    /// # Errors
    /// In words, when there is not exactly one placeholder.
    pub fn new(
        name: String,
        field: BindingField,
        pattern: &str,
        kind: IdentityKind,
        ca: Option<String>,
    ) -> Result<Binding, String> {
        let pattern = if field.folds_case() { pattern.to_ascii_lowercase() } else { pattern.to_owned() };
        let greedy = pattern.contains(ANYTHING);
        let placeholder = if greedy { ANYTHING } else { NAME };
        let wrong =
            || format!("{pattern:?} must hold one {NAME} or one {ANYTHING}, which stands for the identity's name");
        let (before, after) = pattern.split_once(placeholder).ok_or_else(wrong)?;
        if [NAME, ANYTHING].iter().any(|p| before.contains(p) || after.contains(p)) {
            return Err(wrong());
        }
        if before.is_empty() && after.is_empty() {
            return Err(format!("{pattern:?} lets every certificate name itself; give some text around {placeholder}"));
        }
        Ok(Binding { name, field, before: before.to_owned(), after: after.to_owned(), greedy, kind, ca })
    }

    /// The names that this certificate captures, in lower case where case does
    /// not count. `ca` is the one that vouches for it.
    pub fn captures<'a>(&'a self, facts: &'a CertificateFacts, ca: Option<&str>) -> impl Iterator<Item = String> + 'a {
        let vouched = self.ca.as_deref().is_none_or(|wanted| Some(wanted) == ca);
        let values = if vouched { self.field.values(facts) } else { &[] };
        values.iter().filter_map(|value| self.capture(value))
    }

    fn capture(&self, value: &str) -> Option<String> {
        let folded;
        let value = if self.field.folds_case() {
            folded = value.trim_end_matches('.').to_ascii_lowercase();
            folded.as_str()
        } else {
            value
        };
        let name = value.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        let plain = self.greedy || !name.contains(self.field.separators());
        (plain && !name.is_empty()).then(|| name.to_owned())
    }

    /// Whether names are compared without regard to case.
    pub fn folds_case(&self) -> bool {
        self.field.folds_case()
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let placeholder = if self.greedy { ANYTHING } else { NAME };
        write!(f, "binding {} ({} {}{placeholder}{})", self.name, self.field.as_str(), self.before, self.after)
    }
}
