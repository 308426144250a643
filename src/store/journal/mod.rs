//! What must not be lost, before it is in the database: a log of records in files
//! beside the configuration's data, written ahead and in order.
//!
//! A record is durable when its frame is: replies leave then, whether or not the
//! database is there. The database keeps, in the transaction that stores records,
//! the place up to which it has them; from there the log is read again after a
//! crash, so that each record is stored exactly once.
//!
//! A file begins with [`MAGIC`] and the log's own id. Frames follow: length, CRC-32 of
//! the content, content. What follows the last sound frame of a file was never
//! acknowledged.

mod frame;

pub use frame::{Framed, MAX_FRAME};

use frame::{Frame, HEADER_LEN, encode};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// What a file of the log begins with; the digit is the form's version.
const MAGIC: &[u8; 8] = b"CORDONJ1";
/// Octets of [`MAGIC`] and the log's id.
const FILE_HEADER: u64 = 24;
/// Octets after which another file is begun: one is deleted when all of it is stored.
const FILE_LEN: u64 = 32 << 20;
/// The name of a log's files ends so.
const SUFFIX: &str = ".journal";
/// Held by the one process that writes.
const LOCK: &str = "lock";

/// A place in the log: where a frame begins, or the next one will.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    /// Which file, from 1.
    pub file: u64,
    /// How many octets into it.
    pub offset: u64,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system said so.
    #[error("the journal {}: {error}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// As the system says.
        error: io::Error,
    },
    /// Another server writes it.
    #[error("the journal {} is in use: another server runs on this data_dir", .0.display())]
    InUse(PathBuf),
}

/// The log, open to be written by one process.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    id: Uuid,
    /// The file that is written; `None` after a failure, when another must be begun.
    open: Option<File>,
    end: Position,
    /// The first file there is.
    first: u64,
    /// Octets of all files.
    size: u64,
    lock: Arc<File>,
}

impl Journal {
    /// Opens the log in `dir`, or begins one. An unfinished frame at the end, which
    /// nobody was told of, is cut off.
    ///
    /// # Errors
    /// When the files cannot be used, or another process has them.
    pub fn open(dir: &Path) -> Result<Journal, JournalError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| JournalError::Io { path, error }
        };
        std::fs::create_dir_all(dir).map_err(failed(dir))?;
        let lock_path = dir.join(LOCK);
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&lock_path);
        let lock = lock.map_err(failed(&lock_path))?;
        lock.try_lock().map_err(|_| JournalError::InUse(dir.to_owned()))?;
        let mut files = files(dir).map_err(failed(dir))?;
        // One that was only begun when the power failed holds nothing.
        while let Some((number, _)) = files.pop_if(|(_, length)| *length < FILE_HEADER) {
            let path = path(dir, number);
            std::fs::remove_file(&path).map_err(failed(&path))?;
        }
        let mut journal = Journal {
            dir: dir.to_owned(),
            id: Uuid::now_v7(),
            open: None,
            end: Position::default(),
            first: files.first().map_or(1, |(number, _)| *number),
            size: files.iter().map(|(_, length)| length).sum(),
            lock: Arc::new(lock),
        };
        if let Some((number, length)) = files.last().copied() {
            let path = path(dir, number);
            journal.end.file = number;
            match journal.reopen(&path, length) {
                Ok(()) => {}
                // Damaged, or only begun: it is read as far as it goes.
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {}
                Err(e) => return Err(failed(&path)(e)),
            }
        }
        if journal.open.is_none() {
            journal.begin_file().map_err(failed(dir))?;
        }
        Ok(journal)
    }

    /// Goes on with the latest file.
    fn reopen(&mut self, path: &Path, length: u64) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        self.id = read_header(&mut file)?;
        let mut reader =
            Reader::at(&self.dir, Position { file: self.end.file, offset: FILE_HEADER }, self.lock.clone());
        let mut end = FILE_HEADER;
        while let Some((next, _)) = reader.next_of_file()? {
            end = next.offset;
        }
        if end < length {
            file.set_len(end)?;
            file.sync_all()?;
            self.size -= length - end;
        }
        file.seek(SeekFrom::Start(end))?;
        (self.open, self.end.offset) = (Some(file), end);
        Ok(())
    }

    fn begin_file(&mut self) -> io::Result<()> {
        let number = self.end.file + 1;
        let path = path(&self.dir, number);
        // What a failure left of an earlier try holds nothing.
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
        let header = [&MAGIC[..], self.id.as_bytes()].concat();
        let begun = file.write_all(&header).and_then(|()| file.sync_all());
        if let Err(error) = begun.and_then(|()| File::open(&self.dir)?.sync_all()) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        self.size += FILE_HEADER;
        self.end = Position { file: number, offset: FILE_HEADER };
        self.open = Some(file);
        Ok(())
    }

    /// The log's own id: another one's places mean nothing here.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Where the next frame will begin.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Octets of all files.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends records and makes them durable. Gives where they end.
    ///
    /// # Errors
    /// When they are not durable, such as when the disk is full: then nothing of
    /// them is in the log.
    pub fn append(&mut self, records: &[Framed<'_>]) -> io::Result<Position> {
        let mut bytes = Vec::with_capacity(records.iter().map(Framed::len).sum::<usize>() + records.len() * HEADER_LEN);
        records.iter().for_each(|record| encode(record, &mut bytes));
        if self.open.is_none() || self.end.offset >= FILE_LEN {
            self.open = None;
            self.begin_file()?;
        }
        let Some(file) = self.open.as_mut() else { return Err(io::Error::other("no file is open")) };
        match file.write_all(&bytes).and_then(|()| file.sync_data()) {
            Ok(()) => {
                self.end.offset += bytes.len() as u64;
                self.size += bytes.len() as u64;
                Ok(self.end)
            }
            Err(error) => {
                // Whether a failed sync has written anything nobody can tell: the
                // file ends here, and the next record begins another.
                let _ = file.set_len(self.end.offset).and_then(|()| file.sync_all());
                self.open = None;
                Err(error)
            }
        }
    }

    /// Deletes the files that end before `place`: all of them is stored.
    pub fn forget_before(&mut self, place: Position) {
        while self.first < place.file.min(self.end.file) {
            let path = path(&self.dir, self.first);
            let length = std::fs::metadata(&path).map_or(0, |m| m.len());
            match std::fs::remove_file(&path) {
                Ok(()) => self.size = self.size.saturating_sub(length),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a journal file that is stored cannot be deleted");
                    return;
                }
            }
            self.first += 1;
        }
    }

    /// Reads the log from `place` on, or from its beginning when that is later.
    pub fn reader(&self, place: Position) -> Reader {
        let first = Position { file: self.first, offset: FILE_HEADER };
        Reader::at(&self.dir, place.max(first), self.lock.clone())
    }
}

/// Reads frames, one after the other.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    place: Position,
    file: Option<io::BufReader<File>>,
    /// The log is nobody else's until whoever takes it on has ended, too.
    lock: Arc<File>,
}

impl Reader {
    fn at(dir: &Path, place: Position, lock: Arc<File>) -> Reader {
        Reader { dir: dir.to_owned(), place, file: None, lock }
    }

    /// A reader of the same log from `place` on.
    pub fn moved_to(&self, place: Position) -> Reader {
        Reader::at(&self.dir, place, self.lock.clone())
    }

    /// Where the next frame begins.
    pub fn place(&self) -> Position {
        self.place
    }

    /// The next frame and where it ends; `None` at `end`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next(&mut self, end: Position) -> io::Result<Option<(Position, Vec<u8>)>> {
        while self.place < end {
            match self.next_of_file() {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                    tracing::error!(file = self.place.file, error = %e, "a journal file cannot be read");
                }
                Err(e) => return Err(e),
            }
            if self.place.file >= end.file {
                return Ok(None);
            }
            self.tell_of_damage();
            self.place = Position { file: self.place.file + 1, offset: FILE_HEADER };
            self.file = None;
        }
        Ok(None)
    }

    /// A file that others follow ends with its last sound frame: what an append that failed left was cut off.
    fn tell_of_damage(&self) {
        let path = path(&self.dir, self.place.file);
        let length = std::fs::metadata(&path).map_or(0, |m| m.len());
        let lost = length.saturating_sub(self.place.offset);
        if lost > 0 {
            let (path, offset) = (path.display(), self.place.offset);
            tracing::error!(%path, offset, "the journal is damaged: {lost} octets cannot be read, and what they held is lost");
        }
    }

    fn next_of_file(&mut self) -> io::Result<Option<(Position, Vec<u8>)>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = File::open(path(&self.dir, self.place.file))?;
                read_header(&mut file)?;
                file.seek(SeekFrom::Start(self.place.offset.max(FILE_HEADER)))?;
                self.file.insert(io::BufReader::with_capacity(1 << 16, file))
            }
        };
        match Frame::read(file)? {
            Some(frame) => {
                self.place.offset += frame.len() as u64;
                Ok(Some((self.place, frame.content)))
            }
            None => {
                self.file = None;
                Ok(None)
            }
        }
    }
}

fn read_header(file: &mut File) -> io::Result<Uuid> {
    let mut header = [0; FILE_HEADER as usize];
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    file.read_exact(&mut header).map_err(|_| wrong("it is too short for its header"))?;
    let id = header.strip_prefix(MAGIC).ok_or_else(|| wrong("it is no journal of this version"))?;
    Uuid::from_slice(id).map_err(|_| wrong("it has no id"))
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}{SUFFIX}"))
}

/// Numbers and lengths of a log's files, the oldest first.
fn files(dir: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            all.push((number, entry.metadata()?.len()));
        }
    }
    all.sort_unstable();
    Ok(all)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
