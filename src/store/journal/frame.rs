//! One record in the log: length, CRC-32, content.

use std::io::{self, Read};

/// Octets before the content.
pub(super) const HEADER_LEN: usize = 8;
/// The longest content, in octets: a decision about the longest certificate chain
/// that is looked at is far shorter.
pub const MAX_FRAME: usize = 1 << 20;

/// A record to be written: a letter that says what it is, and its parts, one after
/// the other.
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a> {
    /// What it is.
    pub kind: u8,
    /// Its octets.
    pub content: &'a [u8],
}

impl Framed<'_> {
    /// Octets of the frame's content.
    pub(super) fn len(&self) -> usize {
        self.content.len() + 1
    }
}

pub(super) fn encode(record: &Framed<'_>, out: &mut Vec<u8>) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[record.kind]);
    crc.update(record.content);
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    out.push(record.kind);
    out.extend_from_slice(record.content);
}

/// A frame that was read and is sound.
#[derive(Debug)]
pub(super) struct Frame {
    /// The letter, and the octets.
    pub(super) content: Vec<u8>,
}

impl Frame {
    /// Octets of it in the file.
    pub(super) fn len(&self) -> usize {
        HEADER_LEN + self.content.len()
    }

    /// The next frame; `None` when what follows is no whole and sound one.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut header = [0; HEADER_LEN];
        if !fill(from, &mut header)? {
            return Ok(None);
        }
        let [a, b, c, d, e, f, g, h] = header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length == 0 || length > MAX_FRAME {
            return Ok(None);
        }
        let mut content = vec![0; length];
        if !fill(from, &mut content)? || crc32fast::hash(&content) != u32::from_le_bytes([e, f, g, h]) {
            return Ok(None);
        }
        Ok(Some(Frame { content }))
    }
}

/// Whether there were enough octets.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}
