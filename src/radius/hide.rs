//! Values hidden with the shared secret: User-Password (RFC 2865, section 5.2),
//! salted values (RFC 2868, section 3.5; RFC 2548, section 2.4.2), and CHAP.

use crate::secret::Secret;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// Octets that are hidden at a time.
const BLOCK: usize = 16;
/// The longest User-Password, in octets.
pub const MAX_PASSWORD_LEN: usize = 128;
/// Octets of salt before a salted value.
const SALT_LEN: usize = 2;
/// The longest value that can be salted into one attribute, in octets: 253 less
/// tag, salt and length, in whole blocks.
pub const MAX_SALTED_LEN: usize = 239;

fn key_stream(secret: &Secret, previous: &[&[u8]]) -> [u8; BLOCK] {
    let mut md5 = Md5::new();
    md5.update(secret.expose());
    previous.iter().for_each(|part| md5.update(part));
    md5.finalize().into()
}

/// The chain of RFC 2865, section 5.2: each block is hidden under the one
/// before, the first under `seed`.
fn hide(plain: &[u8], secret: &Secret, seed: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len().next_multiple_of(BLOCK));
    let mut key = key_stream(secret, seed);
    for chunk in plain.chunks(BLOCK) {
        let mut block = key;
        block.iter_mut().zip(chunk).for_each(|(b, p)| *b ^= p);
        out.extend_from_slice(&block);
        key = key_stream(secret, &[&block]);
    }
    out
}

fn reveal(hidden: &[u8], secret: &Secret, seed: &[&[u8]]) -> Option<Vec<u8>> {
    if hidden.is_empty() || !hidden.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut out = Vec::with_capacity(hidden.len());
    let mut key = key_stream(secret, seed);
    for chunk in hidden.chunks(BLOCK) {
        out.extend(key.iter().zip(chunk).map(|(k, c)| k ^ c));
        key = key_stream(secret, &[chunk]);
    }
    Some(out)
}

/// The value of User-Password. At most [`MAX_PASSWORD_LEN`] octets are taken.
pub fn user_password_encrypt(password: &[u8], secret: &Secret, request_authenticator: &[u8; 16]) -> Vec<u8> {
    let mut padded = password.get(..MAX_PASSWORD_LEN).unwrap_or(password).to_vec();
    padded.resize(padded.len().next_multiple_of(BLOCK).max(BLOCK), 0);
    hide(&padded, secret, &[request_authenticator])
}

/// The password in a User-Password, without its padding. `None` when the length
/// is not one that the RFC allows.
pub fn user_password_decrypt(value: &[u8], secret: &Secret, request_authenticator: &[u8; 16]) -> Option<Vec<u8>> {
    if value.len() > MAX_PASSWORD_LEN {
        return None;
    }
    let mut plain = reveal(value, secret, &[request_authenticator])?;
    let end = plain.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    plain.truncate(end);
    Some(plain)
}

/// A salted value, salt first. At most [`MAX_SALTED_LEN`] octets are taken. The
/// salt's top bit is set, as both RFCs ask.
pub fn salt_encrypt(plain: &[u8], secret: &Secret, request_authenticator: &[u8; 16], salt: u16) -> Vec<u8> {
    let plain = plain.get(..MAX_SALTED_LEN).unwrap_or(plain);
    let salt = (salt | 0x8000).to_be_bytes();
    let mut padded = Vec::with_capacity(plain.len() + BLOCK);
    padded.push(u8::try_from(plain.len()).unwrap_or(u8::MAX));
    padded.extend_from_slice(plain);
    padded.resize(padded.len().next_multiple_of(BLOCK), 0);
    let mut out = salt.to_vec();
    out.extend(hide(&padded, secret, &[request_authenticator, &salt]));
    out
}

/// What [`salt_encrypt`] hid. `None` when the lengths do not add up, as with
/// another secret.
pub fn salt_decrypt(value: &[u8], secret: &Secret, request_authenticator: &[u8; 16]) -> Option<Vec<u8>> {
    let (salt, hidden) = value.split_at_checked(SALT_LEN)?;
    let plain = reveal(hidden, secret, &[request_authenticator, salt])?;
    let (length, rest) = plain.split_first()?;
    rest.get(..usize::from(*length)).map(<[u8]>::to_vec)
}

/// Whether a CHAP-Password answers `challenge` with `password` (RFC 2865,
/// section 5.3).
pub fn chap_verify(chap_password: &[u8], challenge: &[u8], password: &[u8]) -> bool {
    let Some((identifier, response)) = chap_password.split_first() else { return false };
    let mut md5 = Md5::new();
    md5.update([*identifier]);
    md5.update(password);
    md5.update(challenge);
    let expected: [u8; BLOCK] = md5.finalize().into();
    bool::from(expected.ct_eq(response))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_2865_section_7_1() {
        let secret = Secret::new("xyzzy5461");
        let authenticator = *b"\x0f\x40\x3f\x94\x73\x97\x80\x57\xbd\x83\xd5\xcb\x98\xf4\x22\x7a";
        let hidden = b"\x0d\xbe\x70\x8d\x93\xd4\x13\xce\x31\x96\xe4\x3f\x78\x2a\x0a\xee";
        assert_eq!(user_password_encrypt(b"arctangent", &secret, &authenticator), hidden);
        assert_eq!(user_password_decrypt(hidden, &secret, &authenticator).unwrap(), b"arctangent");
    }

    #[test]
    fn an_mppe_key_has_the_length_that_peers_expect() {
        let value = salt_encrypt(&[7; 32], &Secret::new("s"), &[1; 16], 0x1234);
        assert_eq!(value.len(), 50);
        assert_eq!(value[0] & 0x80, 0x80);
    }

    proptest! {
        #[test]
        fn salted_values_come_back(plain in proptest::collection::vec(any::<u8>(), 0..=MAX_SALTED_LEN), salt: u16, authenticator: [u8; 16]) {
            let secret = Secret::new("swordfish");
            let hidden = salt_encrypt(&plain, &secret, &authenticator, salt);
            prop_assert!(hidden.len() <= 252, "a tag fits too");
            prop_assert_eq!(salt_decrypt(&hidden, &secret, &authenticator), Some(plain));
        }

        #[test]
        fn garbage_does_not_panic(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let secret = Secret::new("swordfish");
            let _ = salt_decrypt(&value, &secret, &[0; 16]);
            let _ = user_password_decrypt(&value, &secret, &[0; 16]);
            let _ = chap_verify(&value, &[], &[]);
        }
    }
}
