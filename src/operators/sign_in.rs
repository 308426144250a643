//! Sign-ins: what an operator's browser holds, and how long it is good.

use crate::ids::{OperatorId, SignInId};
use crate::time::Timestamp;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

/// How long a sign-in is good that nobody uses: a screen that was left is not for ever open.
pub const IDLE: Duration = Duration::from_secs(60 * 60);
/// How long it is good at most: a day's work.
pub const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// How exact the time of its last use is: each use would be a write otherwise.
pub const SEEN_STEP: Duration = Duration::from_secs(60);
/// For how long after a sign-in one's own means of signing in may be changed: who finds a screen open does not take
/// the account.
pub const FRESH: Duration = Duration::from_secs(15 * 60);
/// How long a link to begin with is good.
pub const LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a browser is remembered to be somebody's.
pub const DEVICE_LIFE: Duration = Duration::from_secs(180 * 86_400);

/// By what somebody signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// A link that is good once.
    Link,
    /// A password alone.
    Password,
    /// A password, and a code of an app.
    PasswordAndCode,
    /// A passkey.
    Passkey,
    /// A provider of identities.
    Provider,
}

impl Means {
    const ALL: [Means; 5] = [Means::Link, Means::Password, Means::PasswordAndCode, Means::Passkey, Means::Provider];

    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Means::Link => "link",
            Means::Password => "password",
            Means::PasswordAndCode => "password_and_code",
            Means::Passkey => "passkey",
            Means::Provider => "provider",
        }
    }

    /// The one of that name.
    pub fn of_code(code: &str) -> Option<Means> {
        Means::ALL.into_iter().find(|means| means.code() == code)
    }
}

/// One sign-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignIn {
    /// Its id, which is no secret.
    pub id: SignInId,
    /// Whose.
    pub operator: OperatorId,
    /// By what.
    pub means: Means,
    /// Whether it opens all that its operator may; otherwise only what they need to get a means of their own.
    pub whole: bool,
    /// When.
    pub at: Timestamp,
    /// When it was used last, to the minute.
    pub seen: Timestamp,
    /// From where.
    pub from: String,
    /// What the browser calls itself.
    pub browser: String,
}

impl SignIn {
    /// Whether it is good.
    pub fn is_good(&self, now: Timestamp) -> bool {
        now.since(self.at) < LIFE && now.since(self.seen) < IDLE
    }

    /// Whether it is new enough to change how one signs in.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) < FRESH
    }
}

/// Makes and reads what a browser is remembered by.
#[derive(Debug)]
pub struct Devices(hmac::Key);

impl Devices {
    /// With this key.
    pub fn new(key: &[u8; 32]) -> Devices {
        Devices(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// What a browser keeps in which `operator` signed in.
    pub fn mark(&self, operator: OperatorId, now: Timestamp) -> String {
        let mut text = [operator.as_bytes().as_slice(), &now.as_micros().to_be_bytes()].concat();
        let tag = hmac::sign(&self.0, &text);
        text.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Whether it was made here for `operator`, not too long ago.
    pub fn knows(&self, mark: &str, operator: OperatorId, now: Timestamp) -> bool {
        let Ok(text) = URL_SAFE_NO_PAD.decode(mark) else { return false };
        let Some((signed, tag)) = text.split_at_checked(24) else { return false };
        let Some((id, at)) = signed.split_first_chunk::<16>() else { return false };
        let Ok(at) = <[u8; 8]>::try_from(at) else { return false };
        let at = Timestamp::from_micros(i64::from_be_bytes(at));
        hmac::verify(&self.0, signed, tag).is_ok() && id == operator.as_bytes() && now.since(at) < DEVICE_LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_ends_when_it_is_left_and_when_the_day_is_over() {
        let at = Timestamp::from_unix_secs;
        let mut sign_in = SignIn {
            id: SignInId::new(at(0)),
            operator: OperatorId::new(at(0)),
            means: Means::Passkey,
            whole: true,
            at: at(0),
            seen: at(0),
            from: "::1".into(),
            browser: String::new(),
        };
        assert!(sign_in.is_good(at(3_599)) && !sign_in.is_good(at(3_600)));
        sign_in.seen = at(12 * 3_600 - 10);
        assert!(sign_in.is_good(at(12 * 3_600 - 1)) && !sign_in.is_good(at(12 * 3_600)));
        assert!(sign_in.is_fresh(at(899)) && !sign_in.is_fresh(at(900)));
        for means in Means::ALL {
            assert_eq!(Means::of_code(means.code()), Some(means));
        }
    }

    #[test]
    fn a_browser_is_known_for_its_operator_alone() {
        let at = Timestamp::from_unix_secs;
        let (devices, anna, ben) = (Devices::new(&[7; 32]), OperatorId::new(at(1)), OperatorId::new(at(99_999)));
        let mark = devices.mark(anna, at(100));
        assert!(devices.knows(&mark, anna, at(200)));
        assert!(!devices.knows(&mark, ben, at(200)) && !devices.knows(&mark, anna, at(200 * 86_400)));
        assert!(!Devices::new(&[8; 32]).knows(&mark, anna, at(200)));
        assert!(!devices.knows("", anna, at(200)) && !devices.knows("AAAA", anna, at(200)));
    }
}
