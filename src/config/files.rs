//! Files that are written whole or not at all, and directories of one's own data.

use crate::radius::dictionary::Dictionary;
use crate::radius::value::digits;
use crate::random::random;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The files of a directory whose names end in this extension, in their order.
///
/// # Errors
/// When the directory cannot be read.
pub fn with_extension(dir: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == extension));
    paths.sort();
    Ok(paths)
}

/// The packaged dictionaries, and the `NAME.dict` of a directory on top.
///
/// # Errors
/// In plain words, with file and line.
pub fn dictionary(dir: Option<&Path>) -> Result<Dictionary, String> {
    let Some(dir) = dir else { return Dictionary::with([]).map_err(|e| e.to_string()) };
    let paths = with_extension(dir, "dict").map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut own = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        own.push((path.display().to_string(), text));
    }
    Dictionary::with(own.iter().map(|(path, text)| (path.as_str(), text.as_str()))).map_err(|e| e.to_string())
}

/// Who may read a file that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readers {
    /// Everybody.
    All,
    /// Its owner alone: it holds a secret.
    Owner,
}

/// Writes a file that is seen whole or not at all, and is on the disk when this
/// returns.
///
/// # Errors
/// As the system says; then what was there before is there still.
pub fn write_whole(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let part = written(path, text, readers)?;
    fs::rename(&part, path)
}

/// The text in a file of its own beside `path`, on the disk.
fn written(path: &Path, text: &str, readers: Readers) -> io::Result<PathBuf> {
    let part = PathBuf::from(format!("{}.{}.part", path.display(), digits(&octets::<8>()?)));
    let mode = match readers {
        Readers::All => 0o644,
        Readers::Owner => 0o600,
    };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(part)
}

fn octets<const N: usize>() -> io::Result<[u8; N]> {
    random::<N>().ok_or_else(|| io::Error::other("the system gives no random numbers"))
}

/// The secret in this file, without white space around it. A file that is not
/// there is made with `N` random octets in hex; of two processes that make it at
/// once, both get the secret of the first.
///
/// # Errors
/// As the system says.
pub fn secret_file<const N: usize>(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let secret = digits(&octets::<N>()?);
            let part = written(path, &format!("{secret}\n"), Readers::Owner)?;
            let linked = fs::hard_link(&part, path);
            fs::remove_file(&part)?;
            match linked {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    fs::read_to_string(path).map(|text| text.trim().to_owned())
                }
                linked => linked.map(|()| secret),
            }
        }
        read => read.map(|text| text.trim().to_owned()),
    }
}
