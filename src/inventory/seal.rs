//! Secrets at rest: AES-256-GCM with a key that is kept apart from them.

use crate::secret::Secret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::fmt;

/// Octets of the key.
pub const KEY_LEN: usize = 32;
/// The form of what is sealed: nonce, then ciphertext with tag.
const VERSION: u8 = 1;

/// Seals and opens. Its key is never shown.
pub struct Seal(RandomizedNonceKey);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(***)")
    }
}

/// What was sealed cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it was sealed with another key, or for something else, or is damaged")]
pub struct SealError;

impl Seal {
    /// A seal with this key of [`KEY_LEN`] octets.
    ///
    /// # Errors
    /// When the key has another length.
    pub fn new(key: &[u8]) -> Result<Seal, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, key).map(Seal).map_err(|_| SealError)
    }

    /// Seals `secret` for what `owner` names: it opens for nothing else, so that
    /// a row's secret cannot be moved to another row.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn seal(&self, owner: &str, secret: &Secret) -> Result<Vec<u8>, SealError> {
        let mut text = secret.expose().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(owner), &mut text).map_err(|_| SealError)?;
        Ok([&[VERSION], nonce.as_ref().as_slice(), &text].concat())
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(SealError)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut text = text.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(owner), &mut text).map_err(|_| SealError)?;
        let secret = Secret::new(&*plain);
        zeroize::Zeroize::zeroize(&mut text);
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_its_owner_and_key_alone() {
        let seal = Seal::new(&[7; KEY_LEN]).unwrap();
        let secret = Secret::new("swordfish");
        let sealed = seal.seal("nas sw1", &secret).unwrap();
        assert!(!sealed.windows(9).any(|w| w == b"swordfish"));
        assert_eq!(seal.open("nas sw1", &sealed).unwrap(), secret);
        assert_ne!(seal.seal("nas sw1", &secret).unwrap(), sealed, "each nonce is new");
        assert_eq!(seal.open("nas sw2", &sealed), Err(SealError));
        assert_eq!(Seal::new(&[8; KEY_LEN]).unwrap().open("nas sw1", &sealed), Err(SealError));
        for octet in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[octet] ^= 1;
            assert_eq!(seal.open("nas sw1", &damaged), Err(SealError));
        }
        assert_eq!(seal.open("nas sw1", &[]), Err(SealError));
        assert!(Seal::new(&[7; 31]).is_err());
    }
}
