//! Events as syslog: RFC 5424 messages with OCSF in them, framed as RFC 5425 wants.

use super::event::{Entry, Outcome};
use super::merkle::Hash;
use super::ocsf;
use serde_json::json;

/// The facility "log audit".
const FACILITY: u32 = 13;
const NOTICE: u32 = 5;
const WARNING: u32 = 4;
/// The longest message, in octets: receivers should take 8,192 (RFC 5425, section
/// 4.3.1), and rsyslog takes no more unless it is told.
const MAX_MESSAGE: usize = 8_192;
/// Octets of the longest HOSTNAME (RFC 5424, section 6).
const MAX_HOSTNAME: usize = 255;
/// Octets of the longest MSGID.
const MAX_MSGID: usize = 32;
/// The largest sequenceId (RFC 5424, section 7.3.1), after which it begins again.
const MAX_SEQUENCE: u64 = 2_147_483_647;

/// A field of the header: printable ASCII without spaces.
fn field(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if text.is_empty() { "-".into() } else { text }
}

/// The message of an event, from this host. One that would be too long is told
/// without what was and what is.
pub fn message(entry: &Entry, hash: &Hash, host: &str) -> String {
    let event = &entry.event;
    let severity = if event.outcome == Outcome::Success { NOTICE } else { WARNING };
    let head = format!(
        "<{}>1 {} {} cordon - {} [meta sequenceId=\"{}\"] ",
        FACILITY * 8 + severity,
        event.at,
        field(host, MAX_HOSTNAME),
        field(&event.action, MAX_MSGID),
        entry.seq % MAX_SEQUENCE + 1,
    );
    let mut body = ocsf::event(entry, hash);
    let whole = format!("{head}{body}");
    if whole.len() <= MAX_MESSAGE {
        return whole;
    }
    for side in ["before", "after"] {
        body["unmapped"][side] = json!("(too long for syslog: `cordon audit show` has it)");
    }
    format!("{head}{body}")
}

/// The message with its length before it (RFC 5425, section 4.3).
pub fn framed(message: &str) -> Vec<u8> {
    format!("{} {message}", message.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::event::{By, Event};
    use super::*;
    use crate::time::Timestamp;
    use serde_json::Value;

    fn entry(after: Value) -> Entry {
        let at = Timestamp::from_micros(1_764_000_000_000_001);
        let event = Event::new(&By::cli("élena"), "nas.update", "nas", "sw1", at).states(Value::Null, after);
        Entry { seq: MAX_SEQUENCE, prev: [0; 32], event }
    }

    #[test]
    fn a_message_is_of_rfc_5424_and_its_frame_counts_octets() {
        let message = message(&entry(json!({ "vlan": 3 })), &[0; 32], "nac 1.example");
        let head = "<109>1 2025-11-24T16:00:00.000001Z nac1.example cordon - nas.update [meta sequenceId=\"1\"] {";
        assert!(message.starts_with(head), "{message}");
        let body: Value = serde_json::from_str(&message[head.len() - 1..]).unwrap();
        assert_eq!(body["actor"]["user"]["name"], "élena");
        let framed = framed(&message);
        let length = message.len().to_string();
        assert!(framed.starts_with(format!("{length} <109>1 ").as_bytes()));
        assert_eq!(framed.len(), message.len() + length.len() + 1);
    }

    #[test]
    fn what_is_too_long_is_told_without_its_states() {
        let long = message(&entry(json!("x".repeat(9_000))), &[0; 32], "");
        assert!(long.len() < MAX_MESSAGE && long.contains("too long for syslog"), "{}", long.len());
        assert!(long.contains("Z - cordon - nas.update "));
    }
}
