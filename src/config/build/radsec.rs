//! RADIUS over TLS.

use super::{Builder, certified_key};
use crate::config::{Config, RadsecSection};
use crate::inventory::nas::NasRegistry;
use crate::pki::certificate::server_faults;
use crate::pki::pem;
use crate::pki::trust::{CaSettings, TrustStore};
use crate::time::Timestamp;
use crate::transport::radsec::{Limits, Policy};
use std::sync::Arc;
use std::time::Duration;

/// A shorter idle time cuts NASes that are merely quiet: watchdogs ask each half
/// minute at most (RFC 3539, section 3.4.1).
const SHORTEST_IDLE: Duration = Duration::from_secs(60);
/// A timeout of a century would not fit the clock; a NAS that is silent for a week has gone.
const LONGEST_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest time for a handshake or the rest of a packet: who needs longer is
/// not there.
const LONGEST_IO: u64 = 300;

impl Builder<'_> {
    /// By what NASes are let in that connect by TLS.
    pub(super) fn radsec(&mut self, config: &Config, nas: &NasRegistry, now: Timestamp) -> Option<Policy> {
        let section = &config.radsec;
        let errors = self.errors.len();
        let cas: Vec<CaSettings> = section.ca.iter().filter_map(|ca| self.ca(ca)).collect();
        let trust = match TrustStore::new(cas, 0) {
            Ok(trust) => trust,
            Err(e) => {
                self.errors.push(self.source.error(0..0, e.to_string(), "correct the [[radsec.ca]] section"));
                return None;
            }
        };
        let identity = match (&section.certificate, &section.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            // What is wrong with those is told where they are used first.
            (None, None) => None,
            (Some(given), None) | (None, Some(given)) => {
                let message = "certificate and key of [radsec] go together";
                self.wrong(given.span(), message, "give both, or neither: those of [tls] are used then");
                return None;
            }
        };
        let (certificate, key) = identity.unwrap_or((&config.tls.certificate, &config.tls.key));
        let pair = match (identity.is_some(), self.source.resolve(certificate.get_ref())) {
            (true, _) => Some((self.read(certificate, "the certificate of [radsec]")?, self.read(key, "its key")?)),
            (false, path) => std::fs::read(path).ok().zip(std::fs::read(self.source.resolve(key.get_ref())).ok()),
        };
        let Some((certificate_pem, key_pem)) = pair else {
            // That of [tls] cannot be read, which is told where it is used first.
            return None;
        };
        let certified_key = match certified_key(&certificate_pem, &key_pem) {
            Ok(key) => key,
            Err(message) => {
                if identity.is_some() {
                    self.wrong(certificate.span(), message, "`cordon ca issue --server` makes a pair that fits");
                }
                return None;
            }
        };
        let chain = pem::certificates(&certificate_pem).unwrap_or_default();
        if let Some(Ok(faults)) = chain.first().filter(|_| identity.is_some()).map(|leaf| server_faults(leaf, now)) {
            self.warnings.extend(faults);
        }
        let min = self.version(&section.min_version)?;
        let max = self.version(&section.max_version)?;
        if min > max {
            self.wrong(section.min_version.span(), "min_version is above max_version", "exchange them");
            return None;
        }
        let limits = self.radsec_limits(section)?;
        self.radsec_warnings(section, nas);
        (self.errors.len() == errors).then(|| Policy {
            nas: nas.clone(),
            trust: Arc::new(trust),
            identity: Arc::new(certified_key),
            versions: (min, max),
            radius_1_1: section.radius_1_1,
            limits,
        })
    }

    fn radsec_limits(&mut self, section: &RadsecSection) -> Option<Limits> {
        let idle = Duration::from_secs(*section.idle_timeout_secs.get_ref());
        if idle > LONGEST_IDLE {
            let message = format!("idle_timeout_secs is above {}, a week", LONGEST_IDLE.as_secs());
            self.wrong(
                section.idle_timeout_secs.span(),
                message,
                "leave it out: 720 suits most networks; 0 is for ever",
            );
            return None;
        }
        if !idle.is_zero() && idle <= SHORTEST_IDLE {
            self.warnings.push(format!(
                "idle_timeout_secs of [radsec] is {}: quiet NASes have to connect again and again; 600 to 900 is good",
                idle.as_secs()
            ));
        }
        let io = &section.io_timeout_secs;
        if !(1..=LONGEST_IO).contains(io.get_ref()) {
            let message = format!("io_timeout_secs is not from 1 to {LONGEST_IO}");
            self.wrong(io.span(), message, "leave it out: 10 suits most networks");
            return None;
        }
        for (key, limit) in [
            ("max_connections", &section.max_connections),
            ("max_connections_per_address", &section.max_connections_per_address),
        ] {
            if *limit.get_ref() == 0 {
                self.wrong(limit.span(), format!("{key} is 0: no NAS could connect"), "leave it out, or give a number");
                return None;
            }
        }
        Some(Limits {
            idle: (!idle.is_zero()).then_some(idle),
            io: Duration::from_secs(*io.get_ref()),
            connections: *section.max_connections.get_ref(),
            per_address: *section.max_connections_per_address.get_ref(),
        })
    }

    fn radsec_warnings(&mut self, section: &RadsecSection, nas: &NasRegistry) {
        let mut over_tls = nas.all().iter().filter(|nas| nas.radsec.is_some());
        match (section.listen.is_empty(), over_tls.next()) {
            (true, Some(nas)) => self.warnings.push(format!(
                "the NAS {} speaks RADIUS over TLS, and [radsec] has no `listen`: it cannot connect",
                nas.name
            )),
            (false, None) => {
                self.warnings.push("[radsec] listens, and no [[nas]] has `radsec`: nobody can connect".to_owned())
            }
            (false, Some(_)) if section.ca.is_empty() => {
                self.warnings.push("[radsec] has no [[radsec.ca]]: no NAS's certificate will be accepted".to_owned())
            }
            _ => {}
        }
    }
}
