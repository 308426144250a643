//! A provider of identities that vouches for operators: OpenID Connect Core 1.0, the authorization code flow with PKCE
//! (RFC 7636). What is asked and what the answers mean is here; who carries it is `api::provider`.

use super::account::Sites;
use super::role::Role;
use crate::jose::{self, JoseError};
use crate::secret::Secret;
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long somebody may take at the provider's page.
pub const AWAY: Duration = Duration::from_secs(10 * 60);
/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(60);
/// What a value of the claim comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The value.
    pub value: String,
    /// The roles.
    pub roles: Vec<Role>,
    /// Where.
    pub sites: Sites,
}

/// The provider, as it is configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provider {
    /// What the sign-in page calls it.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// By which it proves that.
    pub client_secret: Secret,
    /// Certificates of CAs, DER, that are believed besides the system's.
    pub cas: Vec<Vec<u8>>,
    /// The claim that says who may do what.
    pub claim: String,
    /// What its values come to.
    pub grants: Vec<Grant>,
}

/// What the provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Clone, Debug, Deserialize)]
pub struct Discovered {
    /// Must be the one that is configured.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where more is said of who signed in.
    pub userinfo_endpoint: Option<String>,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Whether it names itself when it sends people back (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// What is remembered of somebody who is away at the provider's page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Away {
    /// Comes back with them (RFC 6749, section 10.12).
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Proves to the provider that who sent them away is who asks (RFC 7636).
    pub verifier: String,
    /// When they went.
    pub since: Timestamp,
}

/// Why somebody is not let in by the provider.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProviderError {
    /// Its token does not hold.
    #[error("the provider's ID token does not hold: {0}")]
    Token(String),
    /// Signed by a key that is not known: it may be new.
    #[error("the provider's ID token is signed by a key that it does not publish")]
    UnknownKey,
    /// They may do nothing here.
    #[error("the provider's claim {claim:?} grants {who} nothing here; it says {said}")]
    NoGrant {
        /// The claim.
        claim: String,
        /// Who.
        who: String,
        /// What the claim said.
        said: String,
    },
}

/// Whom the provider vouches for.
#[derive(Clone, PartialEq, Debug)]
pub struct Vouched {
    /// Its name for them, which stays.
    pub subject: String,
    /// All that it says of them.
    pub claims: Map<String, Value>,
}

#[derive(Clone, Deserialize)]
struct IdToken {
    iss: String,
    sub: String,
    aud: Value,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    azp: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Provider {
    /// Where to send somebody (OpenID Connect Core 1.0, section 3.1.2.1), with the parameters in order.
    pub fn question<'a>(
        &'a self,
        redirect: &'a str,
        state: &'a str,
        away: &'a Away,
        challenge: &'a str,
    ) -> [(&'static str, &'a str); 8] {
        [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect),
            ("scope", "openid profile email"),
            ("state", state),
            ("nonce", &away.nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
    }

    /// Whom an ID token vouches for (OpenID Connect Core 1.0, section 3.1.3.7).
    ///
    /// # Errors
    /// When it does not hold.
    pub fn vouched(&self, token: &str, keys: &JwkSet, nonce: &str, now: Timestamp) -> Result<Vouched, ProviderError> {
        let wrong = |what: String| ProviderError::Token(what);
        // Time and audience are looked at below, with the time that is given here.
        let (_, token) = jose::open::<IdToken>(token, keys).map_err(|error| match error {
            JoseError::UnknownKey => ProviderError::UnknownKey,
            error => wrong(error.to_string()),
        })?;
        let (at, secs) = (now.as_micros() / 1_000_000, i64::try_from(SKEW.as_secs()).unwrap_or(0));
        let audience: Vec<&str> = match &token.aud {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let problem = if token.iss != self.issuer {
            Some("it is of another issuer")
        } else if !audience.contains(&self.client_id.as_str()) {
            Some("it is for another client")
        } else if token.azp.as_ref().map_or(audience.len() > 1, |azp| *azp != self.client_id) {
            Some("it was given to another client")
        } else if token.nonce.as_deref() != Some(nonce) {
            Some("it is of another sign-in")
        } else if token.exp.saturating_add(secs) <= at {
            Some("it has expired")
        } else if token.iat.saturating_sub(secs) > at {
            Some("it is of the future: the clocks differ")
        } else if token.sub.is_empty() || token.sub.len() > 255 {
            Some("its subject is no name")
        } else {
            None
        };
        match problem {
            Some(problem) => Err(wrong(problem.to_owned())),
            None => Ok(Vouched { subject: token.sub, claims: token.more }),
        }
    }

    /// What somebody may do here.
    ///
    /// # Errors
    /// When it is nothing.
    pub fn granted(&self, vouched: &Vouched) -> Result<(Vec<Role>, Sites), ProviderError> {
        let said = vouched.claims.get(&self.claim).unwrap_or(&Value::Null);
        let values: Vec<&str> = match said {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let granted: Vec<&Grant> = self.grants.iter().filter(|g| values.contains(&g.value.as_str())).collect();
        let mut roles: Vec<Role> = granted.iter().flat_map(|grant| &grant.roles).copied().collect();
        roles.sort_unstable();
        roles.dedup();
        if roles.is_empty() {
            let said = said.to_string().chars().take(200).collect();
            return Err(ProviderError::NoGrant { claim: self.claim.clone(), who: vouched.subject.clone(), said });
        }
        // Who has roles everywhere and others at some sites is not given the latter everywhere: only what holds
        // everywhere does, or, without such, what holds at all of those sites.
        let everywhere: Vec<Role> =
            granted.iter().filter(|g| g.sites == Sites::All).flat_map(|grant| &grant.roles).copied().collect();
        if !everywhere.is_empty() {
            return Ok((roles.into_iter().filter(|role| everywhere.contains(role)).collect(), Sites::All));
        }
        let sites: BTreeSet<String> = granted.iter().flat_map(|grant| grant.sites.list().unwrap_or_default()).collect();
        let at =
            |role: Role, site: &str| granted.iter().any(|g| g.roles.contains(&role) && g.sites.include(Some(site)));
        let common: Vec<Role> = roles.into_iter().filter(|role| sites.iter().all(|site| at(*role, site))).collect();
        match granted.iter().find(|grant| !grant.roles.is_empty()) {
            // Nothing holds at all of them: the first grant of the file counts alone.
            Some(first) if common.is_empty() => Ok((first.roles.clone(), first.sites.clone())),
            _ => Ok((common, Sites::Only(sites))),
        }
    }

    /// By which an operator is known for whom it vouches.
    pub fn key_of(&self, vouched: &Vouched) -> String {
        format!("{} {}", self.issuer, vouched.subject)
    }
}

impl Vouched {
    /// What somebody is called here: the first that the provider says and that can be a name.
    pub fn name(&self) -> String {
        let said =
            ["preferred_username", "email", "name"].into_iter().filter_map(|claim| self.claims.get(claim)?.as_str());
        let name = said.map(str::trim).find(|name| super::account::is_name(name)).unwrap_or(&self.subject);
        let fine = |c: char| if c.is_alphanumeric() || "._-@+ ".contains(c) { c } else { '-' };
        name.chars().take(super::account::MAX_NAME).map(fine).collect()
    }

    /// Their address, if the provider says one.
    pub fn email(&self) -> Option<String> {
        self.claims.get("email")?.as_str().map(str::to_owned)
    }
}

/// What the provider is shown of the verifier (RFC 7636, section 4.2).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider() -> Provider {
        let grant = |value: &str, role, sites: Option<&[&str]>| Grant {
            value: value.into(),
            roles: vec![role],
            sites: Sites::from(sites.map(|s| s.iter().map(|s| (*s).to_owned()).collect())),
        };
        Provider {
            name: "SSO".into(),
            issuer: "https://id.example".into(),
            client_id: "cordon".into(),
            client_secret: Secret::new("s"),
            cas: Vec::new(),
            claim: "groups".into(),
            grants: vec![
                grant("admins", Role::Administrator, None),
                grant("lab", Role::Operator, Some(&["lab"])),
                grant("hq", Role::HelpDesk, Some(&["hq"])),
            ],
        }
    }

    fn vouched(groups: Value) -> Vouched {
        let claims = json!({ "groups": groups, "preferred_username": "anna" });
        Vouched { subject: "42".into(), claims: claims.as_object().unwrap().clone() }
    }

    #[test]
    fn groups_grant_no_more_than_each_says() {
        let provider = provider();
        let granted = |groups| provider.granted(&vouched(groups));
        assert_eq!(granted(json!("admins")).unwrap(), (vec![Role::Administrator], Sites::All));
        let lab = Sites::from(Some(vec!["lab".to_owned()]));
        assert_eq!(granted(json!(["lab", "others"])).unwrap(), (vec![Role::Operator], lab));
        assert_eq!(granted(json!(["lab", "admins"])).unwrap(), (vec![Role::Administrator], Sites::All));
        for nothing in [json!(null), json!([]), json!(["others"]), json!({ "admins": true })] {
            assert!(matches!(granted(nothing), Err(ProviderError::NoGrant { .. })));
        }
    }

    #[test]
    fn names_are_such_that_the_log_bears_them() {
        assert_eq!(vouched(json!(null)).name(), "anna");
        let odd = Vouched { subject: "auth0|5<b>".into(), claims: Map::new() };
        assert_eq!(odd.name(), "auth0-5-b-");
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn tokens_of_nobody_are_refused() {
        let keys: JwkSet = serde_json::from_value(json!({ "keys": [] })).unwrap();
        let now = Timestamp::from_unix_secs(1);
        for token in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(matches!(provider().vouched(token, &keys, "n", now), Err(ProviderError::Token(_))), "{token}");
        }
        // {"alg":"HS256"} and {"alg":"RS256","kid":"x"}
        let hmac = provider().vouched("eyJhbGciOiJIUzI1NiJ9.e30.AAAA", &keys, "n", now);
        assert!(matches!(hmac, Err(ProviderError::Token(what)) if what.contains("HS256")));
        let unknown = provider().vouched("eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.AAAA", &keys, "n", now);
        assert_eq!(unknown, Err(ProviderError::UnknownKey));
    }
}
