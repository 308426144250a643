//! EAP-TLS framing: flags, lengths, fragments (RFC 5216, section 2.1.5 and 3).
//!
//! A TLS flight may be longer than what the path carries. It is cut into
//! fragments, each acknowledged by an empty packet before the next may go.

/// The four-octet TLS message length follows the flags.
const FLAG_LENGTH: u8 = 0x80;
/// More fragments follow.
const FLAG_MORE: u8 = 0x40;
/// The server's first packet, without data.
const FLAG_START: u8 = 0x20;
/// The flags octet and the message length.
pub const MAX_OVERHEAD: usize = 5;

/// The longest TLS flight that is put together from fragments, in octets. A
/// chain of ten RSA 4096 certificates needs less than half; hostapd and
/// wpa_supplicant draw the line in the same place.
pub const MAX_MESSAGE_LEN: usize = 65_536;

/// Why a packet breaks the framing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FragmentError {
    /// No flags octet, or the length flag without the length.
    #[error("the EAP-TLS packet ends within its header")]
    Truncated,
    /// The announced length is beyond what is taken at this step:
    /// [`MAX_HELLO_LEN`] or [`MAX_MESSAGE_LEN`].
    #[error("a TLS flight of {0} octets was announced, which is too long here")]
    TooLong(u32),
    /// More data than was announced, or another length in a later fragment.
    #[error("the fragments do not add up to the announced length")]
    LengthMismatch,
    /// A fragment that says that more follow but carries nothing.
    #[error("an empty fragment says that more follow")]
    EmptyFragment,
    /// A Start packet where none may be.
    #[error("a Start packet was not expected")]
    UnexpectedStart,
}

/// One EAP-TLS packet's content, after the EAP type octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlsData<'a> {
    /// The S flag.
    pub start: bool,
    /// The M flag.
    pub more: bool,
    /// The announced length of the whole message, in octets.
    pub message_length: Option<u32>,
    /// This fragment.
    pub data: &'a [u8],
}

impl<'a> TlsData<'a> {
    /// Reads flags and length. Reserved flags are ignored, as the RFC asks.
    ///
    /// # Errors
    /// [`FragmentError::Truncated`].
    pub fn parse(bytes: &'a [u8]) -> Result<TlsData<'a>, FragmentError> {
        let (flags, rest) = bytes.split_first().ok_or(FragmentError::Truncated)?;
        let (message_length, data) = if flags & FLAG_LENGTH != 0 {
            let (length, data) = rest.split_first_chunk::<4>().ok_or(FragmentError::Truncated)?;
            (Some(u32::from_be_bytes(*length)), data)
        } else {
            (None, rest)
        };
        Ok(TlsData { start: flags & FLAG_START != 0, more: flags & FLAG_MORE != 0, message_length, data })
    }

    /// Neither data nor a further fragment: the other side's acknowledgement.
    pub fn is_acknowledgement(&self) -> bool {
        self.data.is_empty() && !self.more && !self.start
    }
}

/// The data of the packet that opens EAP-TLS.
pub fn start() -> Vec<u8> {
    vec![FLAG_START]
}

/// The data of the packet that acknowledges a fragment.
pub fn acknowledgement() -> Vec<u8> {
    vec![0]
}

/// The longest first flight, in octets. A ClientHello with a post-quantum key
/// share takes about 1,600; who sends it has proven nothing yet.
pub const MAX_HELLO_LEN: usize = 16_384;

/// Puts a flight together from its fragments. Holds at most
/// [`MAX_MESSAGE_LEN`] octets, and only what has really arrived: an announced
/// length reserves no memory.
#[derive(Debug)]
pub struct Reassembler {
    limit: usize,
    announced: Option<u32>,
    buffer: Vec<u8>,
}

/// What a fragment led to.
#[derive(PartialEq, Eq, Debug)]
pub enum Reassembled {
    /// Acknowledge it; more follow.
    NeedMore,
    /// The flight is whole.
    Complete(Vec<u8>),
}

impl Default for Reassembler {
    fn default() -> Self {
        Self::with_limit(MAX_MESSAGE_LEN)
    }
}

impl Reassembler {
    /// Holds at most `limit` octets.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, announced: None, buffer: Vec::new() }
    }

    /// Takes the next fragment.
    ///
    /// # Errors
    /// See [`FragmentError`]; the conversation cannot go on after one.
    pub fn push(&mut self, fragment: &TlsData<'_>) -> Result<Reassembled, FragmentError> {
        if fragment.start {
            return Err(FragmentError::UnexpectedStart);
        }
        if fragment.more && fragment.data.is_empty() {
            return Err(FragmentError::EmptyFragment);
        }
        if let Some(length) = fragment.message_length {
            if length as usize > self.limit {
                return Err(FragmentError::TooLong(length));
            }
            if self.announced.is_some_and(|before| before != length) {
                return Err(FragmentError::LengthMismatch);
            }
            self.announced = Some(length);
        }
        let limit = self.announced.map_or(self.limit, |n| n as usize);
        let have = self.buffer.len() + fragment.data.len();
        if have > limit {
            return Err(FragmentError::LengthMismatch);
        }
        self.buffer.extend_from_slice(fragment.data);
        if fragment.more {
            return Ok(Reassembled::NeedMore);
        }
        if self.announced.is_some_and(|n| n as usize != have) {
            return Err(FragmentError::LengthMismatch);
        }
        self.announced = None;
        Ok(Reassembled::Complete(std::mem::take(&mut self.buffer)))
    }

    /// Whether a flight has begun to arrive and is not whole yet.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }
}

/// Cuts a flight into fragments.
#[derive(Debug)]
pub struct Fragmenter {
    message: Vec<u8>,
    sent: usize,
}

impl Fragmenter {
    /// Takes the whole flight over.
    pub fn new(message: Vec<u8>) -> Self {
        Self { message, sent: 0 }
    }

    /// The data of the next EAP-TLS packet, at most `max_len` octets with its
    /// header (never below header plus one). The length goes into the first of
    /// several fragments only.
    pub fn next(&mut self, max_len: usize) -> Vec<u8> {
        let rest = self.message.get(self.sent..).unwrap_or_default();
        let first = self.sent == 0;
        let mut flags = 0;
        let room = if rest.len() < max_len {
            rest.len()
        } else {
            flags |= FLAG_MORE;
            let header = if first { MAX_OVERHEAD } else { 1 };
            max_len.saturating_sub(header).clamp(1, rest.len())
        };
        if room == rest.len() {
            flags &= !FLAG_MORE;
        }
        let mut out = Vec::with_capacity(MAX_OVERHEAD + room);
        if first && flags & FLAG_MORE != 0 {
            out.push(flags | FLAG_LENGTH);
            let length = u32::try_from(self.message.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
        } else {
            out.push(flags);
        }
        out.extend_from_slice(rest.get(..room).unwrap_or(rest));
        self.sent += room;
        out
    }

    /// Whether everything has been handed out.
    pub fn is_done(&self) -> bool {
        self.sent >= self.message.len()
    }

    /// Whether the flight took, or takes, more than the fragment sent so far.
    pub fn is_partial(&self) -> bool {
        self.sent > 0 && !self.is_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_cut_comes_together(message in proptest::collection::vec(any::<u8>(), 1..5000), max_len in 6usize..1500) {
            let mut fragmenter = Fragmenter::new(message.clone());
            let mut reassembler = Reassembler::default();
            let mut rounds = 0;
            loop {
                let data = fragmenter.next(max_len);
                prop_assert!(data.len() <= max_len);
                let parsed = TlsData::parse(&data).unwrap();
                prop_assert_eq!(parsed.more, !fragmenter.is_done());
                prop_assert_eq!(parsed.message_length.is_some(), rounds == 0 && parsed.more);
                match reassembler.push(&parsed).unwrap() {
                    Reassembled::NeedMore => rounds += 1,
                    Reassembled::Complete(whole) => {
                        prop_assert_eq!(whole, message);
                        prop_assert!(fragmenter.is_done());
                        break;
                    }
                }
            }
        }

        #[test]
        fn no_sequence_of_fragments_holds_more_than_the_limit(fragments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 0..30)) {
            let mut reassembler = Reassembler::default();
            for fragment in &fragments {
                let Ok(parsed) = TlsData::parse(fragment) else { continue };
                let _ = reassembler.push(&parsed);
                prop_assert!(reassembler.buffer.len() <= MAX_MESSAGE_LEN);
            }
        }
    }

    fn push(reassembler: &mut Reassembler, bytes: &[u8]) -> Result<Reassembled, FragmentError> {
        reassembler.push(&TlsData::parse(bytes).unwrap())
    }

    #[test]
    fn broken_framing_is_told_apart() {
        let more = |length: u32, data: &[u8]| [&[0xc0][..], &length.to_be_bytes(), data].concat();
        assert_eq!(push(&mut Reassembler::default(), &more(70_000, b"x")), Err(FragmentError::TooLong(70_000)));
        assert_eq!(push(&mut Reassembler::default(), &[0x40]), Err(FragmentError::EmptyFragment));
        assert_eq!(push(&mut Reassembler::default(), &[0x20]), Err(FragmentError::UnexpectedStart));
        assert_eq!(push(&mut Reassembler::default(), &more(1, b"xy")), Err(FragmentError::LengthMismatch));
        let mut changing = Reassembler::default();
        assert_eq!(push(&mut changing, &more(10, b"abc")), Ok(Reassembled::NeedMore));
        assert_eq!(push(&mut changing, &more(11, b"abc")), Err(FragmentError::LengthMismatch));
        let mut short = Reassembler::default();
        assert_eq!(push(&mut short, &more(10, b"abc")), Ok(Reassembled::NeedMore));
        assert_eq!(push(&mut short, &[0, b'd']), Err(FragmentError::LengthMismatch));
        assert_eq!(TlsData::parse(&[0x80, 0, 0, 1]), Err(FragmentError::Truncated));
        assert_eq!(TlsData::parse(&[]), Err(FragmentError::Truncated));
    }
}
