//! What can be checked, and the values that a check can have.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest text of a value, in octets: a digest with its algorithm, a version, a name.
pub const MAX_TEXT: usize = 256;
/// The most texts of a list: software that was found.
pub const MAX_LIST: usize = 64;
/// What the names of checks begin with that are not among those of the product.
const FREE: &str = "x.";
/// The longest name of a check, in octets.
const MAX_NAME: usize = 64;

/// What form the values of a check have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Yes or no.
    Flag,
    /// A whole number, of the unit that the check's name says.
    Number,
    /// A text.
    Text,
    /// Numbers with dots between them, such as `14.6.1`.
    Version,
    /// An algorithm, a colon and hexadecimal digits, such as `sha256:9f86…`.
    Digest,
    /// Texts, in no order.
    List,
    /// Any of these: a check of one's own.
    Any,
}

impl Form {
    /// What is expected, in words.
    const fn expected(self) -> &'static str {
        match self {
            Form::Flag => "true or false",
            Form::Number => "a whole number",
            Form::Text => "a text of at most 256 octets",
            Form::Version => "a version such as \"14.6.1\"",
            Form::Digest => "a digest such as \"sha256:9f86d0…\"",
            Form::List => "a list of at most 64 texts",
            Form::Any => "true, false, a whole number, a text or a list of texts",
        }
    }
}

macro_rules! checks {
    ($($variant:ident $code:literal $form:ident $what:literal $remedy:literal)+) => {
        /// A thing to check.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Check {
            $(#[doc = $what] $variant,)+
            /// One of one's own, with its name after `x.`.
            Free(Arc<str>),
        }

        impl Check {
            /// Those of the product.
            pub const KNOWN: &[Check] = &[$(Check::$variant,)+];

            fn known(&self) -> Option<(&'static str, Form, &'static str, &'static str)> {
                match self {
                    $(Check::$variant => Some(($code, Form::$form, $what, $remedy)),)+
                    Check::Free(_) => None,
                }
            }
        }
    };
}

checks! {
    DiskEncryption "disk_encryption" Flag
        "Whether the disk that it starts from is encrypted."
        "Switch disk encryption on: BitLocker, FileVault, or LUKS."
    Firewall "firewall" Flag
        "Whether its own firewall is on."
        "Switch the firewall on."
    OsFamily "os_family" Text
        "Its operating system: `linux`, `macos`, `windows`, `ios`, `android`."
        "Use a system that is allowed here."
    OsVersion "os_version" Version
        "The version of its operating system."
        "Update the operating system."
    PatchAgeDays "patch_age_days" Number
        "Days since updates were installed last."
        "Install the updates that are waiting, and restart."
    ScreenLockSecs "screen_lock_secs" Number
        "Seconds after which an idle screen locks; a very large number if it never does."
        "Have the screen lock itself sooner."
    AntiMalware "anti_malware" Flag
        "Whether anti-malware runs and is up to date."
        "Start the anti-malware service and update its signatures."
    Edr "edr" Flag
        "Whether endpoint detection and response runs."
        "Start the EDR agent, or have it installed."
    SecureBoot "secure_boot" Flag
        "Whether it started by Secure Boot."
        "Switch Secure Boot on in the firmware."
    ForbiddenSoftware "forbidden_software" List
        "Software that was found and is not allowed."
        "Remove the software that is named."
    CertificateDaysLeft "certificate_days_left" Number
        "Days until its own certificate expires."
        "Renew the certificate."
    ImageDigest "image_digest" Digest
        "The digest of the image that a workload or agent runs from."
        "Deploy an approved image, or have this one approved."
    Attested "attested" Flag
        "Whether its runtime was attested."
        "Start it where its runtime can be attested."
    ModelVersion "model_version" Text
        "The model that an agent uses, with its version."
        "Use an approved version of the model."
    PromptVersion "prompt_version" Text
        "The version of an agent's instructions."
        "Use an approved version of the instructions."
    ToolManifest "tool_manifest" Digest
        "The digest of the list of tools that an agent may call."
        "Use the approved list of tools, or have this one approved."
}

/// A text that names no check.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no check: use one of those that there are, or a name of your own that begins with \"x.\"")]
pub struct NoCheck(String);

impl Check {
    /// Its name, as reports and compliance policies write it.
    pub fn name(&self) -> &str {
        match self {
            Check::Free(name) => name,
            known => known.static_name(),
        }
    }

    /// The name of one of the product's; empty for one of one's own.
    pub fn static_name(&self) -> &'static str {
        self.known().map_or("", |(name, ..)| name)
    }

    /// The form of its values.
    pub fn form(&self) -> Form {
        self.known().map_or(Form::Any, |(_, form, ..)| form)
    }

    /// What it tells, in words; nothing for one of one's own.
    pub fn meaning(&self) -> &'static str {
        self.known().map_or("", |(_, _, what, _)| what)
    }

    /// What its owner does when it fails.
    pub fn remedy(&self) -> &'static str {
        self.known().map_or("Ask who set this check up what it wants.", |(.., remedy)| remedy)
    }

    /// Reads a value of this check.
    ///
    /// # Errors
    /// What was expected.
    pub fn value(&self, json: &Json) -> Result<Value, WrongValue> {
        let form = self.form();
        let wrong = || WrongValue { check: self.name().to_owned(), given: json.to_string(), expected: form.expected() };
        let value = Value::of_json(json).ok_or_else(wrong)?;
        let fits = match (form, &value) {
            (Form::Flag, Value::Flag(_))
            | (Form::Number, Value::Number(_))
            | (Form::Text, Value::Text(_))
            | (Form::List, Value::List(_))
            | (Form::Any, _) => true,
            (Form::Version, Value::Text(text)) => version(text).is_some(),
            (Form::Digest, Value::Text(text)) => is_digest(text),
            _ => false,
        };
        if fits { Ok(value) } else { Err(wrong()) }
    }
}

impl FromStr for Check {
    type Err = NoCheck;

    fn from_str(text: &str) -> Result<Self, NoCheck> {
        if let Some(check) = Check::KNOWN.iter().find(|check| check.name() == text) {
            return Ok(check.clone());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let free = text.strip_prefix(FREE).is_some_and(|rest| !rest.is_empty());
        if free && text.len() <= MAX_NAME && text.chars().all(plain) {
            Ok(Check::Free(text.into()))
        } else {
            Err(NoCheck(text.chars().take(MAX_NAME).collect()))
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What was reported of a check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text, a version or a digest.
    Text(Arc<str>),
    /// Texts.
    List(BTreeSet<Arc<str>>),
}

/// A value of the wrong form.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{check} is {given}, which is not {expected}")]
pub struct WrongValue {
    check: String,
    given: String,
    expected: &'static str,
}

impl Value {
    fn of_json(json: &Json) -> Option<Value> {
        let text = |text: &str| (text.len() <= MAX_TEXT).then(|| Arc::<str>::from(text));
        match json {
            Json::Bool(flag) => Some(Value::Flag(*flag)),
            Json::Number(number) => number.as_i64().map(Value::Number),
            Json::String(given) => text(given).map(Value::Text),
            Json::Array(items) if items.len() <= MAX_LIST => {
                items.iter().map(|item| item.as_str().and_then(text)).collect::<Option<_>>().map(Value::List)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(true) => f.write_str("yes"),
            Value::Flag(false) => f.write_str("no"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::List(list) if list.is_empty() => f.write_str("nothing"),
            Value::List(list) => f.write_str(&list.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The numbers of a version; what follows a hyphen, a plus or a space says nothing of its place.
fn version(text: &str) -> Option<Vec<u64>> {
    let numbers = text.split(['-', '+', ' ']).next()?;
    numbers.split('.').map(|part| part.parse().ok()).collect()
}

/// Whether version `a` is before, the same as or after `b`: number by number, where a missing one is 0.
pub fn compare_versions(a: &str, b: &str) -> Option<Ordering> {
    let (mut a, mut b) = (version(a)?, version(b)?);
    let length = a.len().max(b.len());
    a.resize(length, 0);
    b.resize(length, 0);
    Some(a.cmp(&b))
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric())
            && hex.len() >= 32
            && hex.len() % 2 == 0
            && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_lead_back_and_others_are_ones_own() {
        for check in Check::KNOWN {
            assert_eq!(check.name().parse::<Check>().as_ref(), Ok(check));
            assert!(!check.meaning().is_empty() && !check.remedy().is_empty());
        }
        assert_eq!("x.vpn-profile".parse(), Ok(Check::Free("x.vpn-profile".into())));
        for wrong in ["fire wall", "x.", "firewal", "", &format!("x.{}", "a".repeat(MAX_NAME))] {
            assert!(wrong.parse::<Check>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_has_the_form_of_its_check() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (check, good) in [
            ("firewall", json!(true)),
            ("patch_age_days", json!(12)),
            ("os_version", json!("14.6.1")),
            ("image_digest", json!(digest)),
            ("forbidden_software", json!(["tor", "nmap"])),
            ("x.any", json!(-1)),
        ] {
            assert!(check.parse::<Check>().unwrap().value(&good).is_ok(), "{check} {good}");
        }
        for (check, wrong) in [
            ("firewall", json!("yes")),
            ("patch_age_days", json!(1.5)),
            ("os_version", json!("Sonoma")),
            ("image_digest", json!("sha256:XYZ")),
            ("forbidden_software", json!(["tor", 1])),
            ("model_version", json!("m".repeat(MAX_TEXT + 1))),
            ("x.any", json!({ "a": 1 })),
            ("x.any", json!(null)),
        ] {
            let error = check.parse::<Check>().unwrap().value(&wrong).unwrap_err().to_string();
            assert!(error.starts_with(check) && error.contains("is not"), "{error}");
        }
    }

    #[test]
    fn versions_go_by_number() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("14.6", "14.6.0", Equal),
            ("14.10", "14.9", Greater),
            ("10.0.19045-rc1", "10.0.19045", Equal),
            ("13.7", "14", Less),
        ] {
            assert_eq!(compare_versions(a, b), Some(order), "{a} {b}");
        }
        assert_eq!(compare_versions("beta", "1"), None);
    }
}
