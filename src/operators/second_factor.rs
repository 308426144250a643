//! Codes of an authenticator app (RFC 6238), and those that stand in for a lost one.

use super::token::digest_of;
use crate::secret::Secret;
use crate::time::Timestamp;
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp};

/// Octets of the secret that app and server share (RFC 4226, section 4).
pub const SECRET_LEN: usize = 20;
/// Codes for when the app is lost, each good once.
pub const RECOVERY_CODES: usize = 8;
/// Random octets of each: nobody guesses eight of them at the pace that sign-in has.
pub const RECOVERY_LEN: usize = 8;

fn totp(secret: &Secret, name: &str) -> Option<Totp> {
    let shared = totp_rs::Secret::new(secret.expose().into());
    // As every app does it: SHA-1, six digits, 30 seconds, one step of clocks that differ.
    Builder::new().with_secret(shared).with_issuer(Some("Cordon")).with_account_name(name).build().ok()
}

/// What an app takes: an `otpauth://` URL, and its secret in Base32 for who types.
pub fn for_app(secret: &Secret, name: &str) -> Option<(String, String)> {
    let base32 = totp_rs::Secret::new(secret.expose().into()).to_base32();
    Some((totp(secret, name)?.to_url().ok()?, base32))
}

/// The step of time whose code this is, if it is later than `used`: no code is good twice (RFC 6238, section 5.2).
pub fn step_of(secret: &Secret, code: &str, used: i64, now: Timestamp) -> Option<i64> {
    let secs = u64::try_from(now.as_micros() / 1_000_000).ok()?;
    let step = totp(secret, "x")?.check(code, secs)?;
    let step = i64::try_from(step).ok()?;
    (step > used).then_some(step)
}

/// The text of a recovery code: four groups of four hexadecimal digits.
pub fn recovery_code(random: [u8; RECOVERY_LEN]) -> String {
    let groups: Vec<String> = random.chunks(2).map(|two| two.iter().map(|o| format!("{o:02x}")).collect()).collect();
    groups.join("-")
}

/// What is stored of one.
pub fn recovery_digest(code: &str) -> [u8; 32] {
    let digits: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    digest_of(digits.to_lowercase().as_bytes())
}

/// The codes that are left when this one is used; none when it is not among them.
pub fn without(codes: &[[u8; 32]], code: &str) -> Option<Vec<[u8; 32]>> {
    let digest = recovery_digest(code);
    let mut left = Vec::new();
    for one in codes {
        if !bool::from(one.ct_eq(&digest)) {
            left.push(*one);
        }
    }
    (left.len() < codes.len()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn codes_are_those_of_the_rfc_and_good_once() {
        let secret = Secret::new("12345678901234567890");
        let at = Timestamp::from_unix_secs;
        assert_eq!(step_of(&secret, "287082", 0, at(59)), Some(1));
        assert_eq!(step_of(&secret, "081804", 0, at(1_111_111_109)), Some(37_037_036));
        assert_eq!(step_of(&secret, "287082", 1, at(59)), None, "it was used");
        assert_eq!(step_of(&secret, "287082", 0, at(59 + 30)), Some(1), "a clock that is late");
        assert_eq!(step_of(&secret, "287082", 0, at(59 + 61)), None);
        assert_eq!(step_of(&secret, "28708", 0, at(59)), None);
        let (url, base32) = for_app(&secret, "anna berg").unwrap();
        assert!(url.starts_with("otpauth://totp/Cordon:anna%20berg?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{url}");
        assert!(url.contains(&base32));
    }

    #[test]
    fn a_recovery_code_is_good_once_however_it_is_typed() {
        let code = recovery_code([0xab, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(code, "ab01-0203-0405-0607");
        let codes = [recovery_digest("ffff"), recovery_digest(&code)];
        assert_eq!(without(&codes, "AB01 0203 0405 0607").unwrap(), [recovery_digest("ffff")]);
        assert_eq!(without(&codes[..1], &code), None);
    }
}
