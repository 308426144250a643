//! API tokens: what a script or an agent shows instead of signing in.

use super::account::Sites;
use super::role::Permissions;
use crate::ids::{OperatorId, TokenId};
use crate::secret::Secret;
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

/// What every token begins with, so that one that was published by mistake is found by those who look.
pub const PREFIX: &str = "cordon_";
/// Random octets of a token: nobody guesses them.
pub const RANDOM_LEN: usize = 32;
/// How long a token lives that does not say.
pub const DEFAULT_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long a token may live.
pub const MAX_LIFE: Duration = Duration::from_secs(400 * 86_400);
/// How exact the time of its last use is: each use would be a write otherwise.
pub const LAST_USE_STEP: Duration = Duration::from_secs(60);

/// A token, without its value, which nobody can tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// What it is for; the audit log tells it as the author.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Where.
    pub sites: Sites,
    /// Whose it is: it may do no more than they. Nobody's is good by itself.
    pub operator: Option<OperatorId>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ceases to be good.
    pub expires: Timestamp,
    /// When it was used last, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it is good.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && now < self.expires
    }
}

/// The value of a new token, of random octets: shown once.
pub fn value_of(random: [u8; RANDOM_LEN]) -> Secret {
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

/// What is stored of a value: it leads from the value to its row, and not back.
pub fn digest_of(value: &[u8]) -> [u8; 32] {
    let mut octets = [0; 32];
    octets.iter_mut().zip(digest(&SHA256, value).as_ref()).for_each(|(o, d)| *o = *d);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_it_expires_or_is_taken_back() {
        let at = Timestamp::from_unix_secs;
        let token = ApiToken {
            id: TokenId::new(at(0)),
            name: "mdm".into(),
            permissions: Permissions::NONE,
            sites: Sites::All,
            operator: None,
            created_by: "anna".into(),
            created: at(0),
            expires: at(100),
            last_used: None,
            revoked: None,
        };
        assert!(token.is_good(at(99)) && !token.is_good(at(100)));
        assert!(!ApiToken { revoked: Some(at(5)), ..token }.is_good(at(6)));
    }

    #[test]
    fn values_are_long_and_of_letters_that_need_no_quoting() {
        let value = value_of([0xff; RANDOM_LEN]);
        let text = std::str::from_utf8(value.expose()).unwrap();
        assert!(text.starts_with(PREFIX) && text.len() == PREFIX.len() + 43, "{text}");
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        assert_ne!(digest_of(b"a"), digest_of(b"b"));
    }
}
