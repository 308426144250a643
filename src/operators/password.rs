//! Passwords of operators: the fallback for who has no passkey and no provider.

use crate::secret::Secret;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// The shortest password, in characters: long ones need no rules of what they are made of (NIST SP 800-63B).
pub const MIN_LEN: usize = 12;
/// The longest, in octets: hashing reads all of it.
pub const MAX_LEN: usize = 256;
/// Random octets that make equal passwords hash differently.
pub const SALT_LEN: usize = 16;
/// What stands in for somebody who is not there: to say no to them takes as long. Nothing hashes to it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password is not taken.
///
/// # Errors
/// In words.
pub fn fit(password: &str, name: &str) -> Result<(), String> {
    if password.chars().count() < MIN_LEN {
        return Err(format!("a password has {MIN_LEN} characters or more: several words make a good one"));
    }
    if password.len() > MAX_LEN {
        return Err(format!("a password has at most {MAX_LEN} octets"));
    }
    let (low, name) = (password.to_lowercase(), name.to_lowercase());
    let mut letters: Vec<char> = low.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    // What is tried first by who guesses.
    if low.contains(&name) || low.contains("password") || letters.len() < MIN_LEN / 2 {
        return Err("that is among the first that somebody would guess: several words make a good one".into());
    }
    Ok(())
}

/// What is stored of a password: Argon2id with 19 MiB and two passes (OWASP's first choice of parameters). Takes tens
/// of milliseconds.
pub fn hash(password: &Secret, salt: [u8; SALT_LEN]) -> Option<String> {
    let hashed: PasswordHash = Argon2::default().hash_password_with_salt(password.expose(), &salt).ok()?;
    Some(hashed.to_string())
}

/// Whether it is the password of which `hash` is stored; without one, no, after the same time.
pub fn verify(password: &Secret, hash: Option<&str>) -> bool {
    let Ok(hash) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    password.expose().len() <= MAX_LEN && Argon2::default().verify_password(password.expose(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_fits_its_hash_alone() {
        let secret = Secret::new("correct horse battery");
        let stored = hash(&secret, [1; SALT_LEN]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify(&secret, Some(&stored)));
        assert!(!verify(&Secret::new("correct horse batterie"), Some(&stored)));
        assert!(!verify(&secret, None) && !verify(&secret, Some("rubbish")));
        assert_ne!(hash(&secret, [2; SALT_LEN]).unwrap(), stored);
        assert!(PasswordHash::new(NOBODY).is_ok(), "saying no to nobody must take the time");
    }

    #[test]
    fn what_is_guessed_first_is_not_taken() {
        for (password, told) in [
            ("short", "12 characters"),
            (&"x y z".repeat(100), "at most"),
            ("anna-anna-anna-berg", "guess"),
            ("aaaaaaaaaaaaaaaa", "guess"),
            ("My-Password-2026", "guess"),
        ] {
            assert!(fit(password, "anna").unwrap_err().contains(told), "{password}");
        }
        assert_eq!(fit("correct horse battery", "anna"), Ok(()));
    }
}
