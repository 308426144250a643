//! Datagrams that were dropped without an answer, and connections that were refused
//! or cut, counted by NAS and reason.

use crate::time::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The metric's name, without the common prefix and the suffix of counters.
const NAME: &str = "radius_discarded";

/// The NAS label of a source that no NAS is configured for.
const UNKNOWN: &str = "unknown";

/// The NAS label once [`MAX_NAS`] is reached.
const OTHER: &str = "other";

/// How long the log says nothing more about the same NAS and reason: a flood must
/// not fill the disk.
const QUIET: Duration = Duration::from_secs(60);

/// How many NAS are counted by name. Names come from the configuration, so this
/// only guards against a very long run with ever new names; 10,000 rows take
/// about 8 MB.
const MAX_NAS: usize = 10_000;

macro_rules! discards {
    ($($variant:ident $code:literal $cause:literal $remedy:literal)+) => {
        /// Why a datagram got no answer, or a connection was refused or cut. A
        /// closed list, so that what is silent on the wire is not silent to the
        /// operator.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Discard {
            $(#[doc = $cause] $variant,)+
        }

        impl Discard {
            /// All of them.
            pub const ALL: &[Discard] = &[$(Discard::$variant,)+];

            /// The stable name that is counted by.
            pub const fn code(self) -> &'static str {
                match self { $(Discard::$variant => $code,)+ }
            }

            /// What happened, in plain words.
            pub const fn cause(self) -> &'static str {
                match self { $(Discard::$variant => $cause,)+ }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Discard::$variant => $remedy,)+ }
            }
        }
    };
}

discards! {
    UnknownNas "unknown_nas"
        "The source address is not that of a configured NAS."
        "If the address is one of your switches or controllers, add it to the configuration; if not, find out who is sending. The switch may use another source interface than you expect."
    Malformed "malformed"
        "The datagram is not a well-formed RADIUS packet."
        "Check that only RADIUS is sent to this port. If a NAS does it regularly, capture a packet, show it with `cordon decode` and report it to the vendor."
    UnexpectedCode "unexpected_code"
        "The packet is well-formed but of a kind that does not belong on this port, such as accounting on the authentication port."
        "Correct the ports on the NAS: usually 1812 for authentication and 1813 for accounting."
    WrongSecret "wrong_secret"
        "The packet's authenticator does not fit: the NAS and this server have different shared secrets."
        "Set the same secret on both sides, without stray spaces. Nobody can log in through this NAS until then."
    MissingMessageAuthenticator "missing_message_authenticator"
        "The request holds no Message-Authenticator although one is required of this NAS (CVE-2024-3596)."
        "Update the NAS or switch Message-Authenticator on there. Only if it cannot, set message_authenticator = \"off\" for it, and protect the path to it."
    EapWithoutMessageAuthenticator "eap_without_message_authenticator"
        "The request holds EAP but no Message-Authenticator, which RFC 3579 forbids."
        "Update the NAS; there is no setting that allows this."
    DuplicateMessageAuthenticator "duplicate_message_authenticator"
        "The request holds more than one Message-Authenticator, so that it is unclear which one protects it."
        "Look for a faulty proxy between the NAS and this server."
    InProgress "in_progress"
        "The NAS repeated a request that is still being worked on."
        "A few are normal. If there are many, this server or its disk is too slow: compare the handle and commit times in the metrics with the timeout of the NAS."
    InvalidEap "invalid_eap"
        "The EAP packet inside the request is broken or does not belong to the step the login is at."
        "A few are normal on a lossy path. If one NAS does it constantly, update it."
    ConversationUnknown "conversation_unknown"
        "The request continues a login that this server does not know: it is over, timed out, began on another server, or belongs to another NAS."
        "A few are normal after a restart. If there are many, the NAS spreads one login over several servers: make it stay with one."
    ConversationEvicted "conversation_evicted"
        "The oldest login in progress made room for a newer one, because this NAS had used up its conversations."
        "Somebody behind this NAS begins logins without going on. Find the port by the decisions with the reason conversation_timed_out. If the load is legitimate, raise max_conversations for this NAS."
    ReplyTooLong "reply_too_long"
        "The reply would have been longer than RADIUS can carry (4,096 octets), or a value longer than its attribute."
        "Shorten the profile that was granted, or the Proxy-State that the proxies add."
    InvalidAccounting "invalid_accounting"
        "The accounting request lacks what identifies the session, or holds values that cannot be."
        "With RUST_LOG=cordon=debug the log says which attribute. Update the NAS, or switch the missing attribute on there; it will repeat the request until it is accepted."
    Overloaded "overloaded"
        "More requests arrived than could be queued."
        "Find out who is flooding, from the counts by NAS. If the load is legitimate, give this server more cores and workers."
    ConversationLimit "conversation_limit"
        "Too many logins are in progress, on this server or from this NAS."
        "Look for a looping port or a mass reconnect. If it is legitimate, raise max_conversations for this NAS."
    BackendUnavailable "backend_unavailable"
        "The record of the request could not be stored, so it was not acknowledged; the NAS will repeat it or turn to another server."
        "Look at /readyz and the log of this server: full disk, wrong file permissions or a failing disk are the usual causes."
    NotReady "not_ready"
        "A Status-Server request was not answered, because this server could not serve logins at that time."
        "/readyz says why. During start and stop it is normal."
    Stopping "stopping"
        "A login that began was not taken up, because this server is about to stop and could not see it to its end."
        "The NAS asks again, or another server. It is normal during a stop or a restart."
    RadsecLimit "radsec_limit"
        "Too many TLS connections are open, in all or from this address, or one made room for newer ones before it had finished its handshake."
        "Find out who connects, from the counts by source. If it is legitimate, raise max_connections or max_connections_per_address of [radsec], and the number of files that the service may open."
    RadsecHandshake "radsec_handshake"
        "The TLS handshake of a connection failed: no TLS, a version or cipher that is not spoken here, or the peer did not like this server's certificate."
        "The log tells the error. The NAS must speak TLS 1.2 or 1.3, and trust the CA of this server's RadSec certificate. Port scans and checks of load balancers are seen here too."
    RadsecNoCertificate "radsec_no_certificate"
        "A peer connected by TLS and presented no certificate."
        "Give the NAS a certificate of a CA in [[radsec.ca]], and let it present that."
    RadsecCertificate "radsec_certificate"
        "The certificate of a peer is not good: of a CA that is not in [[radsec.ca]], expired, revoked, or not for client authentication. A connection that stood is cut when this becomes so."
        "The log tells which. Issue the NAS another certificate, or trust its CA in [[radsec.ca]]; if it was revoked on purpose, all is well."
    RadsecUnknownNas "radsec_unknown_nas"
        "The certificate of a peer is good, and no NAS is configured by a name in it, or not any more. The common name does not count."
        "Add radsec = { san_dns = \"...\" } to the [[nas]], with a name that the certificate has among its alternative names."
    RadsecAmbiguous "radsec_ambiguous"
        "The names in the certificate of a peer are those of several NASes."
        "Issue each NAS a certificate with its own name alone, or name it by issuer and serial."
    RadsecSource "radsec_source"
        "A NAS connected by TLS from an address that is not among its own."
        "If it has moved, correct `address` of the [[nas]]. If not, find out who has its key, and revoke its certificate."
    RadsecVersion "radsec_version"
        "A peer and this server did not agree on RADIUS/1.1: one demands what the other does not speak."
        "Compare radius_1_1 of [radsec] and of the [[nas]] with the settings of the NAS. RADIUS/1.1 needs TLS 1.3."
    RadsecMalformed "radsec_malformed"
        "What a peer sent within TLS is no RADIUS, so that the connection was closed."
        "Check that the peer speaks RADIUS over TLS, and the version that was agreed on. If a NAS does it regularly, update it."
    RadsecDeadline "radsec_deadline"
        "A peer took too long: for its handshake, for the rest of a packet, or to take a reply."
        "If it is a NAS, look at the path to it for lost packets and firewalls that forget connections; io_timeout_secs of [radsec] is the deadline."
    RadsecUnmatched "radsec_unmatched"
        "A reply came by a TLS connection that answers no request of this server."
        "A few are normal when a NAS answers late. If there are many, update the NAS."
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// How often one NAS had datagrams discarded for one reason, and when last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscardRow {
    /// The NAS's configured name, or "unknown".
    pub nas: String,
    /// Why.
    pub reason: Discard,
    /// How many since the start of the process.
    pub count: u64,
    /// Where the last one came from.
    pub last_source: IpAddr,
    /// When the last one came.
    pub last_at: Timestamp,
}

#[derive(Clone, Copy)]
struct Tally {
    count: u64,
    last_source: IpAddr,
    last_at: Timestamp,
    /// When the log last had a line about it.
    noted_at: Timestamp,
}

/// One tally for each reason, in the order of [`Discard::ALL`].
type Tallies = [Option<Tally>; Discard::ALL.len()];

/// The counts behind [`Metrics::discarded`](super::Metrics::discarded).
#[derive(Default)]
pub(super) struct Discards(Mutex<BTreeMap<String, Tallies>>);

impl Discards {
    /// Counts one. Whether it deserves a line in the log: the first does, and
    /// then one each [`QUIET`].
    pub(super) fn count(&self, nas: Option<&str>, reason: Discard, source: IpAddr, now: Timestamp) -> bool {
        let mut rows = self.lock();
        let mut name = nas.unwrap_or(UNKNOWN);
        if rows.len() >= MAX_NAS && !rows.contains_key(name) {
            name = OTHER;
        }
        if !rows.contains_key(name) {
            rows.insert(name.to_owned(), [None; Discard::ALL.len()]);
        }
        let Some(slot) = rows.get_mut(name).and_then(|tallies| tallies.get_mut(reason as usize)) else { return false };
        let noted = slot.map(|t| t.noted_at).filter(|at| now.since(*at) < QUIET);
        let count = slot.map_or(0, |t| t.count).saturating_add(1);
        *slot = Some(Tally { count, last_source: source, last_at: now, noted_at: noted.unwrap_or(now) });
        noted.is_none()
    }

    pub(super) fn rows(&self) -> Vec<DiscardRow> {
        let rows = self.lock();
        let each = rows.iter().flat_map(|(nas, tallies)| {
            Discard::ALL.iter().zip(tallies).filter_map(move |(&reason, tally)| {
                tally.map(|Tally { count, last_source, last_at, .. }| DiscardRow {
                    nas: nas.clone(),
                    reason,
                    count,
                    last_source,
                    last_at,
                })
            })
        });
        each.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Tallies>> {
        // A count is right even if another thread panicked while it held the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Discards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Discards")
    }
}

impl Collector for Discards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Datagrams that were dropped without an answer";
        let mut family = encoder.encode_descriptor(NAME, help, None, MetricType::Counter)?;
        for row in self.rows() {
            let labels = [("nas", row.nas.as_str()), ("reason", row.reason.code())];
            ConstCounter::new(row.count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn counts_by_nas_and_reason_and_keeps_the_last_source() {
        let d = Discards::default();
        let later = Timestamp::from_unix_secs(2);
        d.count(None, Discard::UnknownNas, IpAddr::from([192, 0, 2, 1]), Timestamp::from_unix_secs(1));
        d.count(None, Discard::UnknownNas, SOURCE, later);
        d.count(Some("sw1"), Discard::WrongSecret, SOURCE, later);
        let rows = d.rows();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].nas.as_str(), rows[0].count), ("sw1", 1));
        assert_eq!((rows[1].nas.as_str(), rows[1].count, rows[1].last_source), ("unknown", 2, SOURCE));
        assert_eq!(rows[1].last_at, later);
    }

    #[test]
    fn the_table_is_bounded() {
        let d = Discards::default();
        for i in 0..MAX_NAS + 50 {
            d.count(Some(&format!("nas{i}")), Discard::Malformed, SOURCE, Timestamp::default());
        }
        let rows = d.rows();
        assert_eq!(rows.len(), MAX_NAS + 1);
        assert_eq!(rows.iter().find(|r| r.nas == OTHER).unwrap().count, 50);
        assert_eq!(rows.iter().map(|r| r.count).sum::<u64>(), MAX_NAS as u64 + 50);
    }

    #[test]
    fn every_reason_is_explained() {
        for (i, d) in Discard::ALL.iter().enumerate() {
            assert_eq!(*d as usize, i);
            assert!(d.cause().ends_with('.') && d.remedy().ends_with('.'), "{d}");
        }
    }
}
