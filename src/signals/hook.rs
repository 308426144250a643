//! What an IDS or a SIEM sends by its own webhook, read as a signal: Suricata's EVE, and any other JSON by pointers
//! (RFC 6901) that the configuration gives.

use super::kind::SignalKind;
use super::signal::{Severity, Told, plain};
use crate::inventory::mac::MacAddress;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;

/// The name of the hook that reads Suricata's EVE.
pub const SURICATA: &str = "suricata";
/// Events that one request may bring.
pub const MAX_EVENTS: usize = 1_000;
/// Octets of an id that a source gives; longer ones are cut.
const MAX_ID: usize = 200;

/// What an event is read by: pointers into it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Hook {
    /// The name of the hook, which is the source of its signals.
    pub name: String,
    /// Where what makes an event one of ours is, and what it must be there; others are passed over.
    pub only: Vec<(String, String)>,
    /// Where the id is.
    pub id: Option<String>,
    /// Where the time is: RFC 3339, or seconds since 1970.
    pub at: Option<String>,
    /// Where the name of the identity is.
    pub identity: Option<String>,
    /// Where the MAC address is.
    pub mac: Option<String>,
    /// Where IP addresses are, one of which leads to whom it is about.
    pub ips: Vec<String>,
    /// Where the kind is, and what its values mean.
    pub kind: Option<(String, HashMap<String, SignalKind>)>,
    /// The kind of what has none.
    pub default_kind: Option<SignalKind>,
    /// Where the severity is, and what its values mean.
    pub severity: Option<(String, HashMap<String, Severity>)>,
    /// The severity of what has none.
    pub default_severity: Option<Severity>,
    /// Where that is by which the same is known again.
    pub topic: Option<String>,
    /// Where the words are.
    pub detail: Option<String>,
    /// Evidence, by name, and where it is.
    pub evidence: Vec<(String, String)>,
}

/// What an event says, with the name of the identity where it gives one.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// What is told.
    pub told: Told,
    /// The name of the identity, whose id is to be looked up.
    pub identity: Option<String>,
}

/// Why an event is of no use.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unread {
    /// Its time is none.
    #[error("{0:?} is no time: RFC 3339, or seconds since 1970")]
    Time(String),
    /// Its address is none.
    #[error("{0:?} is no {1}")]
    Address(String, &'static str),
    /// It names nobody.
    #[error("it names neither an identity nor a MAC nor an IP address where the hook looks for them")]
    Nobody,
}

impl Hook {
    /// What an event says; nothing if it is none of ours.
    ///
    /// # Errors
    /// See [`Unread`].
    pub fn read(&self, event: &Value) -> Result<Option<Event>, Unread> {
        let text = |pointer: &Option<String>| pointer.as_deref().and_then(|at| text(event, at));
        if self.only.iter().any(|(at, wanted)| self::text(event, at).as_ref() != Some(wanted)) {
            return Ok(None);
        }
        let kind = self.kind.as_ref().and_then(|(at, means)| means.get(&self::text(event, at)?).copied());
        let severity = self.severity.as_ref().and_then(|(at, means)| {
            let said = self::text(event, at)?;
            means.get(&said).copied().or_else(|| Severity::from_code(&said.to_ascii_lowercase()))
        });
        let kind = kind.or(self.default_kind).unwrap_or(SignalKind::IdsAlert);
        let severity = severity.or(self.default_severity).unwrap_or(Severity::Medium);
        let mut told = Told::new(&self.name, kind, severity, &text(&self.detail).unwrap_or_default());
        told.at = text(&self.at).map(|said| time(&said).ok_or(Unread::Time(said))).transpose()?;
        told.source_id = text(&self.id).map(|id| plain(&id).chars().take(MAX_ID).collect());
        told.topic = text(&self.topic).map(|topic| plain(&topic)).unwrap_or_default();
        told.mac = match text(&self.mac) {
            Some(said) => Some(MacAddress::parse(&said).map_err(|_| Unread::Address(said, "MAC address"))?),
            None => None,
        };
        for said in self.ips.iter().filter_map(|at| self::text(event, at)) {
            let ip: IpAddr = said.parse().map_err(|_| Unread::Address(said, "IP address"))?;
            told.ips.push(ip.to_canonical());
        }
        for (name, at) in &self.evidence {
            told.evidence(name, &self::text(event, at).unwrap_or_default());
        }
        let identity = text(&self.identity);
        if identity.is_none() && told.mac.is_none() && told.ips.is_empty() {
            return Err(Unread::Nobody);
        }
        Ok(Some(Event { told, identity }))
    }
}

/// What a text, number or truth value at a pointer is, as text.
fn text(event: &Value, pointer: &str) -> Option<String> {
    match event.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A time as other programs write it.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(secs) = text.parse::<f64>() {
        return (0.0..4e9).contains(&secs).then(|| Timestamp::from_micros((secs * 1e6) as i64));
    }
    let at = text.parse::<jiff::Timestamp>().ok();
    // Suricata's has no colon in its offset.
    let at = at.or_else(|| jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

/// The hook for Suricata's EVE (`eve-log` with `alert`): other events are passed over.
pub fn suricata() -> Hook {
    let at = |pointer: &str| Some(pointer.to_owned());
    let kinds = [
        ("A Network Trojan was detected", SignalKind::Malware),
        ("Malware Command and Control Activity Detected", SignalKind::Malware),
        ("Crypto Currency Mining Activity Detected", SignalKind::Malware),
        ("Exploit Kit Activity Detected", SignalKind::Malware),
        ("Successful Credential Theft Detected", SignalKind::CredentialCompromise),
    ];
    let severities = [("1", Severity::High), ("2", Severity::Medium), ("3", Severity::Low), ("4", Severity::Info)];
    let evidence = [
        ("category", "/alert/category"),
        ("signature_id", "/alert/signature_id"),
        ("action", "/alert/action"),
        ("source", "/src_ip"),
        ("source_port", "/src_port"),
        ("destination", "/dest_ip"),
        ("destination_port", "/dest_port"),
        ("protocol", "/proto"),
        ("application", "/app_proto"),
        ("sensor", "/host"),
    ];
    Hook {
        name: SURICATA.into(),
        only: vec![("/event_type".into(), "alert".into())],
        id: None,
        at: at("/timestamp"),
        identity: None,
        mac: None,
        ips: vec!["/src_ip".into(), "/dest_ip".into()],
        kind: Some(("/alert/category".into(), kinds.map(|(said, kind)| (said.to_owned(), kind)).into())),
        default_kind: Some(SignalKind::IdsAlert),
        severity: Some(("/alert/severity".into(), severities.map(|(said, s)| (said.to_owned(), s)).into())),
        default_severity: Some(Severity::Medium),
        topic: at("/alert/signature_id"),
        detail: at("/alert/signature"),
        evidence: evidence.map(|(name, at)| (name.to_owned(), at.to_owned())).into(),
    }
}

/// The id of an alert of Suricata, which has none of its own: its flow, rule and time.
pub fn suricata_id(event: &Value) -> Option<String> {
    let parts = ["/flow_id", "/alert/signature_id", "/timestamp"].map(|at| text(event, at));
    Some(parts.into_iter().collect::<Option<Vec<_>>>()?.join("-"))
}

/// The events of a body: one, a list of them, or one a line.
///
/// # Errors
/// In words: it is no JSON, or too much.
pub fn events(body: &str) -> Result<Vec<Value>, String> {
    let mut events = Vec::new();
    for read in serde_json::Deserializer::from_str(body).into_iter::<Value>() {
        match read.map_err(|e| e.to_string())? {
            Value::Array(list) => events.extend(list),
            one => events.push(one),
        }
        if events.len() > MAX_EVENTS {
            return Err(format!("there are more than {MAX_EVENTS} events; send them in parts"));
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Suricata's documentation (eve-json-format), with another address.
    const EVE: &str = r#"{"timestamp":"2026-11-26T06:46:15.363187+0000","flow_id":1676750115612680,"in_iface":"eth0",
        "event_type":"alert","src_ip":"10.1.0.23","src_port":49162,"dest_ip":"192.0.2.66","dest_port":443,"proto":"TCP",
        "app_proto":"tls","alert":{"action":"allowed","gid":1,"signature_id":2024897,"rev":1,
        "signature":"ET MALWARE Observed CnC Domain","category":"Malware Command and Control Activity Detected","severity":1}}
        {"timestamp":"2026-11-26T06:46:16.000000+0000","event_type":"flow","src_ip":"10.1.0.23"}"#;

    #[test]
    fn alerts_of_suricata_are_read_and_other_events_passed_over() {
        let events = events(EVE).unwrap();
        assert_eq!(events.len(), 2);
        let Event { told, identity } = suricata().read(&events[0]).unwrap().unwrap();
        assert_eq!((told.kind, told.severity, identity), (SignalKind::Malware, Severity::High, None));
        assert_eq!(told.at.unwrap().to_string(), "2026-11-26T06:46:15.363187Z");
        assert_eq!(told.ips, ["10.1.0.23".parse::<IpAddr>().unwrap(), "192.0.2.66".parse().unwrap()]);
        assert_eq!((told.topic.as_str(), told.detail.as_str()), ("2024897", "ET MALWARE Observed CnC Domain"));
        assert_eq!(told.evidence["destination_port"], "443");
        let id = suricata_id(&events[0]).unwrap();
        assert_eq!(id, "1676750115612680-2024897-2026-11-26T06:46:15.363187+0000");
        assert_eq!(suricata().read(&events[1]), Ok(None));
    }

    #[test]
    fn any_json_is_read_by_pointers() {
        let hook = Hook {
            name: "siem".into(),
            id: Some("/alert/id".into()),
            at: Some("/when".into()),
            identity: Some("/host/name".into()),
            mac: Some("/host/mac".into()),
            kind: Some(("/rule".into(), [("dlp".to_owned(), SignalKind::DataExfiltration)].into())),
            severity: Some(("/level".into(), [("9".to_owned(), Severity::Critical)].into())),
            ..Hook::default()
        };
        let read = |text: &str| hook.read(&serde_json::from_str(text).unwrap());
        let event = r#"{"alert": {"id": 7}, "when": 1790000000.5, "host": {"name": "coder", "mac": "02:00:5e:00:00:01"},
                        "rule": "dlp", "level": 9}"#;
        let Event { told, identity } = read(event).unwrap().unwrap();
        assert_eq!((told.kind, told.severity), (SignalKind::DataExfiltration, Severity::Critical));
        assert_eq!((told.source_id.as_deref(), identity.as_deref()), (Some("7"), Some("coder")));
        assert_eq!(told.at, Some(Timestamp::from_micros(1_790_000_000_500_000)));
        let plain = read(r#"{"host": {"name": "coder"}, "level": "High"}"#).unwrap().unwrap().told;
        assert_eq!((plain.kind, plain.severity), (SignalKind::IdsAlert, Severity::High));
        assert_eq!(read("{}"), Err(Unread::Nobody));
        assert!(matches!(read(r#"{"when": "noon", "host": {"name": "a"}}"#), Err(Unread::Time(_))));
        assert!(matches!(read(r#"{"host": {"mac": "nonsense"}}"#), Err(Unread::Address(..))));
    }

    #[test]
    fn a_body_is_one_event_a_list_or_lines_and_has_a_bound() {
        assert_eq!(events("{}").unwrap().len(), 1);
        assert_eq!(events("[{}, {}]").unwrap().len(), 2);
        assert_eq!(events("{}\n{}\n{}\n").unwrap().len(), 3);
        assert!(events("[1, 2").is_err() && events(&"{}\n".repeat(MAX_EVENTS + 1)).is_err());
    }
}
