//! Records as the journal holds them: decisions as the JSON that the database will
//! hold too, accounting as the attributes that came.

use super::StoreError;
use super::journal::MAX_FRAME;
use super::records::text;
use super::writer::Record;
use crate::audit::decision::Decision;
use crate::session::accounting::AccountingRecord;
use crate::time::Timestamp;
use std::net::IpAddr;

/// What a frame of the journal is.
const DECISION: u8 = b'd';
const ACCOUNTING: u8 = b'a';

/// A record and its form in the journal.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

/// Writes a record.
pub(super) fn encode(record: &Record) -> Result<Encoded, StoreError> {
    match record {
        Record::Decision(decision) => {
            let content = text("decision", decision)?.into_bytes();
            // The letter counts, too. A longer frame would be read as the journal's end.
            if content.len() >= MAX_FRAME {
                let what = format!("a decision of {} octets is too long", content.len());
                return Err(StoreError::Unreadable { table: "the journal", what });
            }
            Ok(Encoded { kind: DECISION, content })
        }
        Record::Accounting(record) => {
            let mut content = Vec::with_capacity(record.attributes.len() + 64);
            content.extend_from_slice(&record.received.as_micros().to_le_bytes());
            match record.nas_address {
                IpAddr::V4(v4) => {
                    content.push(4);
                    content.extend_from_slice(&v4.octets());
                }
                IpAddr::V6(v6) => {
                    content.push(6);
                    content.extend_from_slice(&v6.octets());
                }
            }
            let name = record.nas_name.as_bytes();
            content.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
            content.extend_from_slice(name);
            content.extend_from_slice(&record.attributes);
            Ok(Encoded { kind: ACCOUNTING, content })
        }
    }
}

/// Reads a frame: its letter, and then what [`encode`] wrote. Also gives a
/// decision's JSON.
pub(super) fn decode(frame: &[u8]) -> Result<(Record, Option<String>), StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable { table: "the journal", what: what.to_owned() };
    let (kind, content) = frame.split_first().ok_or_else(|| unreadable("an empty record"))?;
    match *kind {
        DECISION => {
            let body = std::str::from_utf8(content).map_err(|e| unreadable(&e.to_string()))?;
            let decision: Decision = serde_json::from_str(body).map_err(|e| unreadable(&e.to_string()))?;
            Ok((Record::Decision(Box::new(decision)), Some(body.to_owned())))
        }
        ACCOUNTING => {
            let record = accounting(content).ok_or_else(|| unreadable("an accounting record that is cut"))?;
            Ok((Record::Accounting(Box::new(record)), None))
        }
        other => Err(unreadable(&format!("a record of the kind {other}"))),
    }
}

fn accounting(content: &[u8]) -> Option<AccountingRecord> {
    let (received, rest) = content.split_first_chunk::<8>()?;
    let (family, rest) = rest.split_first()?;
    let (source, rest) = match family {
        4 => rest.split_first_chunk::<4>().map(|(octets, rest)| (IpAddr::from(*octets), rest))?,
        _ => rest.split_first_chunk::<16>().map(|(octets, rest)| (IpAddr::from(*octets), rest))?,
    };
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (name, attributes) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let name = std::str::from_utf8(name).ok()?;
    let received = Timestamp::from_micros(i64::from_le_bytes(*received));
    AccountingRecord::from_octets(attributes, name, source, received).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounting_is_read_as_it_was_written() {
        let now = Timestamp::from_unix_secs(1_764_000_000);
        for source in [IpAddr::from([192, 0, 2, 1]), IpAddr::from([7; 16])] {
            let attributes = [&[40, 6, 0, 0, 0, 1, 44, 4][..], b"s1", &[31, 19], b"02-00-5e-00-00-01"].concat();
            let record = AccountingRecord::from_octets(&attributes, "a switch", source, now).unwrap();
            let encoded = encode(&Record::Accounting(Box::new(record.clone()))).unwrap();
            let frame = [&[encoded.kind], &encoded.content[..]].concat();
            let (Record::Accounting(read), None) = decode(&frame).unwrap() else { panic!("another record") };
            assert_eq!(*read, record);
            for end in 0..20 {
                assert!(decode(&frame[..end]).is_err(), "{end}");
            }
        }
    }
}
