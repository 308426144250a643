//! Checkpoints: how many events there were and the root over them, as a C2SP
//! checkpoint in a C2SP signed note with an Ed25519 key.

use super::merkle::Hash;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;

/// Octets of the seed of a key.
pub const SEED_LEN: usize = 32;
/// The type of a plain Ed25519 signature in signed notes.
const ED25519_TYPE: u8 = 1;
/// What a line of a signature begins with: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";
/// Signatures of a note that are looked at; C2SP asks for 16 at least.
const MAX_SIGNATURES: usize = 64;
/// The longest note, in octets: a checkpoint has about 200 with each signature.
const MAX_NOTE: usize = 64 * 1024;

/// A statement about the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The log, by the name of its key.
    pub origin: String,
    /// How many events it has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// What a note lacks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// It is no note, or none of a checkpoint.
    #[error("it is no checkpoint: {0}")]
    Form(&'static str),
    /// No signature is by a key that is known here.
    #[error("no key that is known here has signed it")]
    Unknown,
    /// A signature by this key does not fit.
    #[error("it is not what {0} has signed")]
    Signature(String),
    /// The public key cannot be read.
    #[error("it is no public key: expected NAME+8 hexadecimal digits+base64, as `cordon audit key` prints it")]
    Key,
}

/// Who a signature is by: C2SP's verifier key, `NAME+ID+KEY`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

impl PublicKey {
    /// The name, which is also the log's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four octets of a digest of name and key.
    fn id(&self) -> [u8; 4] {
        let text = [self.name.as_bytes(), b"\n", &[ED25519_TYPE], &self.key].concat();
        let mut id = [0; 4];
        id.iter_mut().zip(digest(&SHA256, &text).as_ref()).for_each(|(to, from)| *to = *from);
        id
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], &self.key[..]].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl FromStr for PublicKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(id), Some(key)) => (name, id, key),
            _ => return Err(NoteError::Key),
        };
        let octets = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let (kind, key) = octets.split_first().ok_or(NoteError::Key)?;
        let key = PublicKey { name: name.to_owned(), key: key.try_into().map_err(|_| NoteError::Key)? };
        let same = u32::from_str_radix(id, 16).is_ok_and(|id| id.to_be_bytes() == key.id());
        if *kind != ED25519_TYPE || !same || !is_name(name) {
            return Err(NoteError::Key);
        }
        Ok(key)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// What signs checkpoints. It is never shown.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ***)", self.public)
    }
}

impl SigningKey {
    /// The key of this seed, of [`SEED_LEN`] octets. Its name follows from it, so that
    /// no two logs are called the same.
    ///
    /// # Errors
    /// When the seed has another length.
    pub fn new(seed: &[u8]) -> Result<SigningKey, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::Key)?;
        let key: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| NoteError::Key)?;
        let short = super::event::hex::of(digest(&SHA256, &key).as_ref()).chars().take(16).collect::<String>();
        let public = PublicKey { name: format!("cordon/audit/{}", short.to_ascii_lowercase()), key };
        Ok(SigningKey { pair, public })
    }

    /// What its signatures are verified with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A checkpoint, signed.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let checkpoint = Checkpoint { origin: self.public.name.clone(), size, root };
        let text = checkpoint.text();
        let signature = [&self.public.id()[..], self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n{SIGNATURE}{} {}\n", self.public.name, STANDARD.encode(signature))
    }
}

impl Checkpoint {
    /// What is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads a note, and verifies it with those of `keys` that have signed it: one at
    /// least, and no signature of theirs may be wrong.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn open(note: &str, keys: &[PublicKey]) -> Result<Checkpoint, NoteError> {
        let (text, signatures) = parts(note)?;
        let checkpoint = Checkpoint::parse(text)?;
        let mut signed = false;
        for line in signatures.lines().take(MAX_SIGNATURES) {
            let line = line.strip_prefix(SIGNATURE).ok_or(NoteError::Form("a signature begins with an em dash"))?;
            let (name, value) = line.split_once(' ').ok_or(NoteError::Form("a signature is a name and base64"))?;
            let octets = STANDARD.decode(value).map_err(|_| NoteError::Form("a signature is not base64"))?;
            let (id, signature) = octets.split_first_chunk::<4>().ok_or(NoteError::Form("a signature is too short"))?;
            // Those of others are no concern of ours.
            let Some(key) = keys.iter().find(|key| key.name == name && key.id() == *id) else { continue };
            UnparsedPublicKey::new(&ED25519, &key.key)
                .verify(text.as_bytes(), signature)
                .map_err(|_| NoteError::Signature(name.to_owned()))?;
            signed = true;
        }
        if signed { Ok(checkpoint) } else { Err(NoteError::Unknown) }
    }

    /// What a note says, whoever has signed it.
    ///
    /// # Errors
    /// When it is no checkpoint.
    pub fn unverified(note: &str) -> Result<Checkpoint, NoteError> {
        Checkpoint::parse(parts(note)?.0)
    }

    fn parse(text: &str) -> Result<Checkpoint, NoteError> {
        let mut lines = text.lines();
        let (origin, size, root) = match (lines.next(), lines.next(), lines.next()) {
            (Some(origin), Some(size), Some(root)) => (origin, size, root),
            _ => return Err(NoteError::Form("it has less than three lines")),
        };
        if lines.any(str::is_empty) || origin.is_empty() {
            return Err(NoteError::Form("a line is empty"));
        }
        let number: u64 = size.parse().map_err(|_| NoteError::Form("its second line is no number"))?;
        if number.to_string() != size {
            return Err(NoteError::Form("its second line is not in decimal"));
        }
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(NoteError::Form("its third line is no root in base64"))?;
        Ok(Checkpoint { origin: origin.to_owned(), size: number, root })
    }
}

/// The text with its last newline, and the lines of signatures.
fn parts(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > MAX_NOTE || !note.ends_with('\n') {
        return Err(NoteError::Form("it is too long, or does not end with a newline"));
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Form("no empty line stands before the signatures"))?;
    let (text, rest) = note.split_at(at + 1);
    Ok((text, rest.trim_start_matches('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key, note and signature of the documentation of signed notes.
    #[test]
    fn a_note_of_another_implementation_is_verified() {
        let key: PublicKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let octets = STANDARD.decode(signature).unwrap();
        assert_eq!(octets[..4], key.id());
        UnparsedPublicKey::new(&ED25519, &key.key).verify(text.as_bytes(), &octets[4..]).unwrap();
        assert_eq!(key.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    }

    #[test]
    fn a_checkpoint_is_believed_as_it_was_signed_and_no_other_way() {
        let key = SigningKey::new(&[7; SEED_LEN]).unwrap();
        let other = SigningKey::new(&[8; SEED_LEN]).unwrap();
        let keys = [other.public().clone(), key.public().clone()];
        let note = key.sign(42, [9; 32]);
        let checkpoint = Checkpoint::open(&note, &keys).unwrap();
        assert_eq!((checkpoint.size, checkpoint.root, checkpoint.origin.as_str()), (42, [9; 32], key.public().name()));
        assert_eq!(Checkpoint::unverified(&note).unwrap(), checkpoint);
        assert_eq!(Checkpoint::open(&note, &keys[..1]), Err(NoteError::Unknown));
        // A signature of somebody unknown does not disturb.
        let both = format!("{note}{}", other.sign(42, [9; 32]).lines().last().unwrap().to_owned() + "\n");
        assert_eq!(Checkpoint::open(&both, &keys[1..]).unwrap(), checkpoint);
        assert!(matches!(Checkpoint::open(&both, &keys), Err(NoteError::Signature(_))), "it has signed another origin");
        for at in 0..note.len() {
            for flip in [1, 0x20] {
                let mut octets = note.clone().into_bytes();
                octets[at] ^= flip;
                let Ok(text) = String::from_utf8(octets) else { continue };
                assert!(Checkpoint::open(&text, &keys[1..]).is_err(), "{at}: {text}");
            }
        }
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), *key.public());
        for wrong in ["", "a+b", "cordon/audit/x+00000000+AAAA", &key.public().to_string().replace('0', "1")] {
            assert!(wrong.parse::<PublicKey>().is_err() || wrong == key.public().to_string(), "{wrong}");
        }
        assert!(!format!("{key:?}").contains("0707"));
    }
}
