//! Evidence: one event, the proof that it is in the log, the checkpoint, and the
//! public key; verified without the database.
//!
//! The proof is a C2SP `tlog-proof@v1`, as text; around it is JSON, which holds the
//! octets of the event too.

use super::event::Entry;
use super::merkle::{Hash, is_included, leaf_hash};
use super::note::{Checkpoint, NoteError, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What the JSON says that it is.
const FORMAT: &str = "cordon-audit-bundle@v1";
/// The first line of a proof.
const PROOF: &str = "c2sp.org/tlog-proof@v1";
/// The most hashes of a proof: a tree of 2^63 leaves has no more.
const MAX_PATH: usize = 63;

/// One event with all that proves it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    format: String,
    /// The octets of the entry.
    pub event: String,
    /// The `tlog-proof@v1`.
    pub proof: String,
    /// By whom the checkpoint is signed. Who verifies takes the key from elsewhere.
    pub public_key: String,
}

/// Why a bundle proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleError {
    /// It has another form.
    #[error("it is no bundle: {0}")]
    Form(String),
    /// The checkpoint cannot be believed.
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// The event is not in the tree of the checkpoint.
    #[error("the event is not in the log that the checkpoint tells of")]
    NotIncluded,
    /// The event says that it has another place.
    #[error("the event is number {says}, and the proof is of number {index}")]
    Elsewhere {
        /// What the event says.
        says: u64,
        /// What the proof is about.
        index: u64,
    },
}

impl Bundle {
    /// The bundle of an entry's octets at `index`, with the hashes of its proof and
    /// the checkpoint that they lead to.
    pub fn new(body: &str, index: u64, path: &[Hash], checkpoint: &str, key: &PublicKey) -> Bundle {
        let hashes: String = path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        Bundle {
            format: FORMAT.into(),
            event: body.to_owned(),
            proof: format!("{PROOF}\nindex {index}\n{hashes}\n{checkpoint}"),
            public_key: key.to_string(),
        }
    }

    /// The JSON.
    pub fn text(&self) -> String {
        // It is made of texts alone, which always have a form in JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads the JSON.
    ///
    /// # Errors
    /// When it is another thing.
    pub fn parse(text: &str) -> Result<Bundle, BundleError> {
        let bundle: Bundle = serde_json::from_str(text).map_err(|e| BundleError::Form(e.to_string()))?;
        if bundle.format != FORMAT {
            return Err(BundleError::Form(format!("its format is {:?}, and not {FORMAT:?}", bundle.format)));
        }
        Ok(bundle)
    }

    /// The event and the checkpoint, if one of `keys` has signed that it is in the log.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn verify(&self, keys: &[PublicKey]) -> Result<(Entry, Checkpoint), BundleError> {
        let form = |what: &str| BundleError::Form(what.to_owned());
        let (head, note) = self.proof.split_once("\n\n").ok_or_else(|| form("its proof has no checkpoint"))?;
        let mut lines = head.lines();
        if lines.next() != Some(PROOF) {
            return Err(form("its proof is of another version"));
        }
        let mut line = lines.next().unwrap_or_default();
        if line.starts_with("extra ") {
            line = lines.next().unwrap_or_default();
        }
        let index = line.strip_prefix("index ").and_then(|n| n.parse::<u64>().ok());
        let index = index.ok_or_else(|| form("its proof has no index"))?;
        let mut path = Vec::new();
        for line in lines {
            let hash = STANDARD.decode(line).ok().and_then(|hash| Hash::try_from(hash).ok());
            path.push(hash.ok_or_else(|| form("a hash of its proof is none"))?);
            if path.len() > MAX_PATH {
                return Err(form("its proof is too long"));
            }
        }
        let checkpoint = Checkpoint::open(note, keys)?;
        let leaf = leaf_hash(self.event.as_bytes());
        if !is_included(&leaf, index, checkpoint.size, &checkpoint.root, &path) {
            return Err(BundleError::NotIncluded);
        }
        let entry = Entry::parse(&self.event).map_err(|e| BundleError::Form(e.to_string()))?;
        if entry.seq != index {
            return Err(BundleError::Elsewhere { says: entry.seq, index });
        }
        Ok((entry, checkpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{By, Event};
    use super::super::merkle::{Prover, Tree};
    use super::super::note::SigningKey;
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    proptest! {
        /// Evidence comes from anybody.
        #[test]
        fn whatever_is_given_is_refused_in_words(text in "\\PC*", lines in "[a-zA-Z0-9+/=\u{2014} \n]{0,300}") {
            let key = SigningKey::new(&[3; 32]).unwrap();
            let keys = [key.public().clone()];
            for text in [&text, &lines] {
                prop_assert!(Bundle::parse(text).is_err());
                prop_assert!(Checkpoint::open(text, &keys).is_err());
                prop_assert!(text.parse::<PublicKey>().is_err());
                prop_assert!(Entry::parse(text).is_err());
                let proof = format!("{PROOF}\nindex 0\n{text}");
                let bundle = Bundle { format: FORMAT.into(), event: text.clone(), proof, public_key: String::new() };
                prop_assert!(bundle.verify(&keys).is_err());
            }
        }
    }

    #[test]
    fn a_bundle_proves_its_event_and_no_other() {
        let key = SigningKey::new(&[3; 32]).unwrap();
        let keys = [key.public().clone()];
        let (mut tree, mut bodies, mut prover) = (Tree::default(), Vec::new(), Prover::inclusion(5, 9).unwrap());
        for seq in 0..9 {
            let event = Event::new(&By::cli("elena"), "a.b", "nas", "sw1", Timestamp::from_unix_secs(seq as i64));
            let sealed = Entry { seq, prev: [0; 32], event }.seal();
            tree.push(sealed.hash);
            prover.push(sealed.hash);
            bodies.push(sealed.body);
        }
        let note = key.sign(9, tree.root());
        let path = prover.finish().unwrap();
        let bundle = Bundle::new(&bodies[5], 5, &path, &note, key.public());
        let read = Bundle::parse(&bundle.text()).unwrap();
        let (entry, checkpoint) = read.verify(&keys).unwrap();
        assert_eq!((entry.seq, checkpoint.size), (5, 9));

        let not = |bundle: &Bundle| bundle.verify(&keys).unwrap_err();
        assert_eq!(not(&Bundle { event: bodies[6].clone(), ..bundle.clone() }), BundleError::NotIncluded);
        let forged = bundle.event.replace("elena", "elenb");
        assert_eq!(not(&Bundle { event: forged, ..bundle.clone() }), BundleError::NotIncluded);
        let at = |n: &str| bundle.proof.replace("index 5", n);
        assert_eq!(not(&Bundle { proof: at("index 4"), ..bundle.clone() }), BundleError::NotIncluded);
        for proof in [at("5"), at("index 5\nAAAA"), bundle.proof.replace("@v1", "@v2"), String::new()] {
            assert!(matches!(not(&Bundle { proof, ..bundle.clone() }), BundleError::Form(_)));
        }
        assert!(Bundle { proof: at("extra AAAA\nindex 5"), ..bundle.clone() }.verify(&keys).is_ok());
        let other = SigningKey::new(&[4; 32]).unwrap();
        assert!(matches!(bundle.verify(&[other.public().clone()]), Err(BundleError::Checkpoint(NoteError::Unknown))));
        assert!(Bundle::parse("{}").is_err() && Bundle::parse(&bundle.text().replace("bundle@v1", "b@v2")).is_err());
    }
}
