//! What lies beside the database for the audit log: the key that signs checkpoints,
//! its public half, and the latest checkpoint.

use super::files::{Readers, secret_file, write_whole};
use crate::audit::note::{PublicKey, SEED_LEN, SigningKey};
use crate::radius::value::unhex;
use std::fs;
use std::path::Path;

/// The key, within `data_dir`: 32 octets in hexadecimal.
pub const KEY: &str = "audit.key";
/// Its public half, as verifiers want it.
pub const PUBLIC: &str = "audit.pub";
/// The latest checkpoint that the server has signed: who shortens the log in the
/// database has to reach this, too.
pub const CHECKPOINT: &str = "audit.checkpoint";

/// The key that signs checkpoints, made when there is none; its public half is
/// written beside it.
///
/// # Errors
/// In words, when it cannot be read or made, or is no key.
pub fn signing_key(data_dir: &Path) -> Result<SigningKey, String> {
    let file = data_dir.join(KEY);
    let wrong = |what: String| {
        format!(
            "{}, the key of the audit log, cannot be used: {what}\n  -> restore it from the backup of this data \
             directory; without it a new one is made, and what the old one signed is verified with its public key",
            file.display()
        )
    };
    let text = secret_file::<SEED_LEN>(&file).map_err(|e| wrong(e.to_string()))?;
    let seed = unhex(&text).ok_or_else(|| wrong("it is not hexadecimal".into()))?;
    let key = SigningKey::new(&seed).map_err(|_| wrong(format!("it has not {SEED_LEN} octets")))?;
    let (public, text) = (data_dir.join(PUBLIC), format!("{}\n", key.public()));
    if fs::read_to_string(&public).ok().as_ref() != Some(&text) {
        write_whole(&public, &text, Readers::All).map_err(|e| format!("{}: {e}", public.display()))?;
    }
    Ok(key)
}

/// The public key of the log whose data are here; `None` before the first start.
///
/// # Errors
/// In words, when what is there is none.
pub fn public_key(data_dir: &Path) -> Result<Option<PublicKey>, String> {
    let file = data_dir.join(PUBLIC);
    match fs::read_to_string(&file) {
        Ok(text) => text.parse().map(Some).map_err(|e| format!("{}: {e}", file.display())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("{}: {e}", file.display())),
    }
}

/// The checkpoint that is kept beside the database, if there is one.
pub fn kept_checkpoint(data_dir: &Path) -> Option<String> {
    fs::read_to_string(data_dir.join(CHECKPOINT)).ok()
}

/// Keeps a checkpoint beside the database.
///
/// # Errors
/// As the system says.
pub fn keep_checkpoint(data_dir: &Path, note: &str) -> std::io::Result<()> {
    write_whole(&data_dir.join(CHECKPOINT), note, Readers::All)
}
