//! The course of a conversation: what came and what was answered, round by round.
//!
//! It is kept with every decision, so it is kept short: a line of text of some 15 octets a round, such as
//! `0:i19>s6;812:t190>f1034;1403:a6>t702*1`.

use crate::eap::packet::{EapCode, EapPacket, EapType};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most rounds of one conversation that are kept: ten times those of a usual login.
const MOST: usize = 100;
/// EAP-TLS flags (RFC 5216, section 3.1): there is a length, more fragments follow, it begins.
const LENGTH: u8 = 0x80;
const MORE: u8 = 0x40;
const START: u8 = 0x20;
/// Octets of the length, where there is one.
const LENGTH_LEN: usize = 4;
/// The content type of TLS alerts that are not encrypted (RFC 8446, section 5.1).
const ALERT: u8 = 21;

/// What an EAP packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// The peer's name, or the question for it.
    Identity,
    /// The peer wants another method.
    Nak,
    /// EAP-TLS begins.
    Start,
    /// A part of a TLS flight, of which more follows.
    Fragment,
    /// That a part has come, or that the peer has nothing to add.
    Acknowledgement,
    /// A TLS flight, or the last part of one.
    Tls,
    /// A TLS alert in clear.
    Alert,
    /// The end, in the peer's favour.
    Success,
    /// The end, against it.
    Failure,
    /// Something else.
    Other,
}

const LETTERS: [(Carried, char); 10] = [
    (Carried::Identity, 'i'),
    (Carried::Nak, 'n'),
    (Carried::Start, 's'),
    (Carried::Fragment, 'f'),
    (Carried::Acknowledgement, 'a'),
    (Carried::Tls, 't'),
    (Carried::Alert, 'x'),
    (Carried::Success, 'y'),
    (Carried::Failure, 'z'),
    (Carried::Other, 'o'),
];

impl Carried {
    /// What this packet carries.
    pub fn of(packet: &EapPacket<'_>) -> Carried {
        match (packet.code, packet.kind) {
            (EapCode::Success, _) => Carried::Success,
            (EapCode::Failure, _) => Carried::Failure,
            (_, Some(EapType::IDENTITY)) => Carried::Identity,
            (_, Some(EapType::NAK)) => Carried::Nak,
            (_, Some(EapType::TLS)) => Carried::of_tls(packet.data),
            _ => Carried::Other,
        }
    }

    fn of_tls(data: &[u8]) -> Carried {
        let Some((flags, rest)) = data.split_first() else { return Carried::Acknowledgement };
        let tls = if flags & LENGTH == 0 { rest } else { rest.get(LENGTH_LEN..).unwrap_or_default() };
        match tls.first() {
            _ if flags & START != 0 => Carried::Start,
            None => Carried::Acknowledgement,
            Some(_) if flags & MORE != 0 => Carried::Fragment,
            Some(&ALERT) => Carried::Alert,
            Some(_) => Carried::Tls,
        }
    }

    fn letter(self) -> char {
        LETTERS.iter().find(|(carried, _)| *carried == self).map_or('o', |(_, letter)| *letter)
    }
}

/// One EAP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Turn {
    /// What it carries.
    pub carried: Carried,
    /// How long it is, in octets.
    pub octets: u16,
}

impl Turn {
    /// Of an EAP packet as it is on the wire.
    fn of(eap: &[u8]) -> Turn {
        let carried = EapPacket::parse(eap).map_or(Carried::Other, |packet| Carried::of(&packet));
        Turn { carried, octets: u16::try_from(eap.len()).unwrap_or(u16::MAX) }
    }
}

/// A request of the NAS, and what it was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Round {
    /// Microseconds after the first request.
    pub after_us: u64,
    /// What came.
    pub received: Turn,
    /// What was answered; nothing, where the conversation ended in silence.
    #[schema(required)]
    pub sent: Option<Turn>,
    /// How often the NAS sent the request again.
    pub repeated: u32,
}

/// All rounds of a conversation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Course {
    /// The first round first.
    pub rounds: Vec<Round>,
}

impl Course {
    /// Whether nothing is known of it.
    pub fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// An EAP packet has come, in a conversation that began at `started`.
    pub fn received(&mut self, eap: &[u8], started: Timestamp, now: Timestamp) {
        if self.rounds.len() < MOST {
            let after_us = u64::try_from(now.since(started).as_micros()).unwrap_or(u64::MAX);
            self.rounds.push(Round { after_us, received: Turn::of(eap), sent: None, repeated: 0 });
        }
    }

    /// It is answered with this one.
    pub fn sent(&mut self, eap: &[u8]) {
        if let Some(round) = self.rounds.last_mut()
            && round.sent.is_none()
        {
            round.sent = Some(Turn::of(eap));
        }
    }

    /// The NAS has sent the latest request again.
    pub fn repeated(&mut self) {
        if let Some(round) = self.rounds.last_mut() {
            round.repeated = round.repeated.saturating_add(1);
        }
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, round) in self.rounds.iter().enumerate() {
            if n > 0 {
                f.write_str(";")?;
            }
            write!(f, "{}:{}{}", round.after_us, round.received.carried.letter(), round.received.octets)?;
            if let Some(sent) = round.sent {
                write!(f, ">{}{}", sent.carried.letter(), sent.octets)?;
            }
            if round.repeated > 0 {
                write!(f, "*{}", round.repeated)?;
            }
        }
        Ok(())
    }
}

/// Text that tells no course.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is no course of a conversation")]
pub struct NoCourse;

fn turn(text: &str) -> Result<Turn, NoCourse> {
    let mut letters = text.chars();
    let letter = letters.next().ok_or(NoCourse)?;
    let carried = LETTERS.iter().find(|(_, known)| *known == letter).map(|(carried, _)| *carried).ok_or(NoCourse)?;
    Ok(Turn { carried, octets: letters.as_str().parse().map_err(|_| NoCourse)? })
}

fn round(text: &str) -> Result<Round, NoCourse> {
    let (after, rest) = text.split_once(':').ok_or(NoCourse)?;
    let (turns, repeated) = rest.split_once('*').unwrap_or((rest, "0"));
    let (received, sent) = turns.split_once('>').map_or((turns, None), |(received, sent)| (received, Some(sent)));
    Ok(Round {
        after_us: after.parse().map_err(|_| NoCourse)?,
        received: turn(received)?,
        sent: sent.map(turn).transpose()?,
        repeated: repeated.parse().map_err(|_| NoCourse)?,
    })
}

impl FromStr for Course {
    type Err = NoCourse;

    fn from_str(text: &str) -> Result<Self, NoCourse> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { rounds: text.split(';').map(round).collect::<Result<_, _>>()? })
    }
}

impl Serialize for Course {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Course {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// An EAP-TLS packet with these flags and octets.
    fn tls(code: u8, flags: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(6 + data.len()).unwrap().to_be_bytes();
        [&[code, 7, length[0], length[1], 13, flags][..], data].concat()
    }

    #[test]
    fn what_a_packet_carries_is_told_by_its_flags() {
        let told = |eap: &[u8]| Turn::of(eap).carried;
        assert_eq!(told(&[2, 1, 0, 6, 1, b'x']), Carried::Identity);
        assert_eq!(told(&[2, 1, 0, 6, 3, 25]), Carried::Nak);
        assert_eq!(told(&tls(1, START, b"")), Carried::Start);
        assert_eq!(told(&tls(1, LENGTH | MORE, &[0, 0, 9, 9, 22, 3])), Carried::Fragment);
        assert_eq!(told(&tls(2, 0, b"")), Carried::Acknowledgement);
        assert_eq!(told(&tls(2, 0, &[22, 3, 3])), Carried::Tls);
        assert_eq!(told(&tls(2, 0, &[21, 3, 3])), Carried::Alert);
        assert_eq!(told(&tls(2, LENGTH, &[0, 0])), Carried::Acknowledgement);
        assert_eq!(told(&[3, 1, 0, 4]), Carried::Success);
        assert_eq!(told(&[4, 1, 0, 4]), Carried::Failure);
        assert_eq!(told(b""), Carried::Other);
    }

    #[test]
    fn it_is_written_short_and_read_again() {
        let started = Timestamp::from_unix_secs(1_000);
        let mut course = Course::default();
        course.received(&[2, 1, 0, 6, 1, b'x'], started, started);
        course.sent(&tls(1, START, b""));
        course.received(&tls(2, MORE, &[22; 1_000]), started, started + Duration::from_micros(812));
        course.sent(&tls(1, 0, b""));
        course.repeated();
        course.received(&tls(2, 0, b"x"), started, started + Duration::from_millis(2));
        assert_eq!(course.to_string(), "0:i6>s6;812:f1006>a6*1;2000:t7");
        let json = serde_json::to_string(&course).unwrap();
        assert_eq!(serde_json::from_str::<Course>(&json).unwrap(), course);
        assert_eq!("".parse(), Ok(Course::default()));
        for wrong in ["x", "0:", "0:i", "0:q6", "0:i6>", "0:i6*", "0:i99999", ";"] {
            assert_eq!(wrong.parse::<Course>(), Err(NoCourse), "{wrong}");
        }
    }

    #[test]
    fn it_does_not_grow_without_a_bound() {
        let started = Timestamp::from_unix_secs(1_000);
        let mut course = Course::default();
        for _ in 0..2 * MOST {
            course.received(b"x", started, started);
            course.sent(b"x");
        }
        assert_eq!(course.rounds.len(), MOST);
    }
}
