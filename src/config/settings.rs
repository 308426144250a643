//! The settings of `cordon.toml` one by one: what each is, where it is said, and when a change of it is in force.
//!
//! What of a section is listed here is told by the API, and is what the log names when a change waits for the next
//! start. Sections are taken apart by their fields, so that none is forgotten.

use super::risk::RiskSection;
use super::shared_signals::SharedSignalsSection;
use super::smtp::SmtpSection;
use super::{
    AuditSection, ChangesSection, Config, DatabaseSection, HoldValue, HttpSection, OidcGrant, OidcSection,
    OperatorsSection, PkiSection, PolicySection, PostureSection, RadsecSection, RecheckSection, RetentionSection,
    ServerSection, Source, SyslogSection, TelemetrySection, TlsSection, line_of,
};
use crate::coa;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::DeTable;

/// What is shown of a secret.
const SECRET: &str = "(secret)";

/// When a changed setting is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Within a second.
    Reload,
    /// From the next start on.
    Restart,
}

impl Effect {
    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Effect::Reload => "reload",
            Effect::Restart => "restart",
        }
    }
}

/// One setting.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// The section, without brackets.
    pub section: &'static str,
    /// The key within it.
    pub key: &'static str,
    /// Its value, or what stands for a secret one.
    pub value: Value,
    /// The line of the file that says so; none for a default.
    pub line: Option<usize>,
    /// When a change of it is in force.
    pub effect: Effect,
    /// What of it counts at the start alone.
    at_start: Option<Value>,
}

impl Setting {
    /// As the file has it, `[server] workers`.
    pub fn name(&self) -> String {
        format!("[{}] {}", self.section, self.key)
    }

    /// Whether `now`, the same setting of the file as it is now, waits for a start of the server that runs with this.
    pub fn waits(&self, now: &Setting) -> bool {
        self.at_start != now.at_start
    }
}

/// The names of those that wait for the next start of a server that was started with others.
pub fn waiting(started: &[Setting], now: &[Setting]) -> Vec<String> {
    started.iter().zip(now).filter(|(started, now)| started.waits(now)).map(|(started, _)| started.name()).collect()
}

/// All settings, always the same ones in the same order.
pub fn settings(config: &Config, source: &Source) -> Vec<Setting> {
    let mut all = List { source, table: DeTable::parse(&source.text).ok().map(Spanned::into_inner), all: Vec::new() };
    of_server(&mut all, &config.server);
    of_records(&mut all, config);
    of_http(&mut all, &config.http);
    of_tls(&mut all, config);
    of_operators(&mut all, config);
    of_changes(&mut all, &config.changes);
    let PolicySection { file, tests, timezone, four_eyes } = &config.policy;
    all.reload("policy", "file", file);
    all.reload("policy", "tests", tests);
    all.reload("policy", "timezone", &timezone.as_ref().map_or("UTC", |zone| zone.get_ref().as_str()));
    all.reload("policy", "four_eyes", four_eyes);
    let PostureSection { listen, enroll_secret_file } = &config.posture;
    all.restart("posture", "listen", listen);
    all.reload("posture", "enroll_secret_file", enroll_secret_file);
    let RecheckSection { listen, tls, contact } = &config.recheck;
    all.restart("recheck", "listen", listen);
    all.restart("recheck", "tls", tls);
    all.restart("recheck", "contact", contact);
    of_risk(&mut all, &config.risk);
    let SharedSignalsSection { receivers, transmitter } = &config.ssf;
    let receivers: Vec<_> = receivers.iter().map(|one| one.get_ref().as_str()).collect();
    all.reload("ssf", "receivers", &receivers);
    let names: Vec<_> = transmitter.iter().map(|one| one.name.get_ref().as_str()).collect();
    all.reload("ssf", "transmitter", &names);
    of_smtp(&mut all, config.smtp.as_ref());
    let TelemetrySection { otlp, ratio } = &config.telemetry;
    all.restart("telemetry", "otlp", otlp);
    all.restart("telemetry", "ratio", ratio);
    all.all
}

fn of_smtp(all: &mut List<'_>, section: Option<&SmtpSection>) {
    all.restart("smtp", "server", &section.map(|smtp| &smtp.server));
    all.restart("smtp", "security", &section.map(|smtp| smtp.security));
    all.restart("smtp", "from", &section.map(|smtp| &smtp.from));
    all.restart("smtp", "username", &section.and_then(|smtp| smtp.username.as_ref()));
    all.restart("smtp", "password_file", &section.and_then(|smtp| smtp.password_file.as_ref()));
    all.restart("smtp", "ca", &section.and_then(|smtp| smtp.ca.as_ref()));
}

fn of_server(all: &mut List<'_>, section: &ServerSection) {
    let ServerSection {
        data_dir,
        auth,
        acct,
        nas_profiles,
        dictionaries,
        workers,
        reject_delay_ms,
        conversation_timeout_secs,
        stop_delay_ms,
        drain_secs,
    } = section;
    all.restart("server", "data_dir", data_dir);
    all.restart("server", "auth", auth);
    all.restart("server", "acct", acct);
    all.restart("server", "workers", workers);
    all.restart("server", "reject_delay_ms", reject_delay_ms);
    all.restart("server", "conversation_timeout_secs", conversation_timeout_secs);
    all.restart("server", "stop_delay_ms", stop_delay_ms);
    all.restart("server", "drain_secs", drain_secs);
    all.reload("server", "nas_profiles", nas_profiles);
    all.reload("server", "dictionaries", dictionaries);
}

fn of_records(all: &mut List<'_>, config: &Config) {
    let DatabaseSection { url, url_file, journal_mib } = &config.database;
    all.secret("database", "url", url);
    all.restart("database", "url_file", url_file);
    all.restart("database", "journal_mib", journal_mib);
    let RetentionSection {
        decisions_days,
        accounting_days,
        sessions_days,
        usage_5min_days,
        usage_hour_days,
        usage_day_days,
        silent_session_hours,
    } = &config.retention;
    all.restart("retention", "decisions_days", decisions_days);
    all.restart("retention", "accounting_days", accounting_days);
    all.restart("retention", "sessions_days", sessions_days);
    all.restart("retention", "usage_5min_days", usage_5min_days);
    all.restart("retention", "usage_hour_days", usage_hour_days);
    all.restart("retention", "usage_day_days", usage_day_days);
    all.restart("retention", "silent_session_hours", silent_session_hours);
    let AuditSection { syslog } = &config.audit;
    let syslog = syslog.as_ref().map(|syslog| {
        let SyslogSection { server, ca, name, certificate, key } = syslog.get_ref();
        json!({ "server": server, "ca": ca, "name": name, "certificate": certificate, "key": key })
    });
    all.restart("audit", "syslog", &syslog);
}

fn of_http(all: &mut List<'_>, section: &HttpSection) {
    let HttpSection { listen, certificate, key, origin, token_file, token } = section;
    all.restart("http", "listen", listen);
    // Its certificate and key are read at each reload, but whether it has one is for the start.
    all.add("http", "certificate", value(certificate), Effect::Reload, Some(certificate.is_some().into()));
    all.reload("http", "key", key);
    all.restart("http", "origin", origin);
    all.restart("http", "token_file", token_file);
    all.secret("http", "token", token);
}

fn of_tls(all: &mut List<'_>, config: &Config) {
    let TlsSection { certificate, key, min_version, max_version, fragment_size, resumption } = &config.tls;
    all.reload("tls", "certificate", certificate);
    all.reload("tls", "key", key);
    all.reload("tls", "min_version", min_version);
    all.reload("tls", "max_version", max_version);
    all.reload("tls", "fragment_size", fragment_size);
    all.reload("tls", "resumption", resumption);
    let PkiSection { dir } = &config.pki;
    all.reload("pki", "dir", dir);
    let RadsecSection {
        listen,
        certificate,
        key,
        min_version,
        max_version,
        // As those of `[[ca]]`, no setting of the server.
        ca: _,
        radius_1_1,
        idle_timeout_secs,
        io_timeout_secs,
        max_connections,
        max_connections_per_address,
    } = &config.radsec;
    all.restart("radsec", "listen", listen);
    all.reload("radsec", "certificate", certificate);
    all.reload("radsec", "key", key);
    all.reload("radsec", "min_version", min_version);
    all.reload("radsec", "max_version", max_version);
    all.reload("radsec", "radius_1_1", radius_1_1);
    all.reload("radsec", "idle_timeout_secs", idle_timeout_secs);
    all.reload("radsec", "io_timeout_secs", io_timeout_secs);
    all.reload("radsec", "max_connections", max_connections);
    all.reload("radsec", "max_connections_per_address", max_connections_per_address);
}

fn of_operators(all: &mut List<'_>, config: &Config) {
    let OperatorsSection { second_factor } = &config.operators;
    all.reload("operators", "second_factor", second_factor);
    // Without a provider its section is not there, and its keys are null.
    let Some(section) = config.oidc.as_ref().map(toml::Spanned::get_ref) else {
        for key in ["name", "issuer", "client_id", "client_secret_file", "ca", "claim", "grant"] {
            all.reload("oidc", key, &Value::Null);
        }
        return;
    };
    let OidcSection { name, issuer, client_id, client_secret_file, ca, claim, grant } = section;
    let grants = grant.iter().map(|grant| {
        let OidcGrant { value, roles, sites } = grant.get_ref();
        let roles: Vec<&str> = roles.iter().map(|role| role.code()).collect();
        json!({ "value": value, "roles": roles, "sites": sites })
    });
    all.reload("oidc", "name", name);
    all.reload("oidc", "issuer", issuer);
    all.reload("oidc", "client_id", client_id);
    all.reload("oidc", "client_secret_file", client_secret_file);
    all.reload("oidc", "ca", ca);
    all.reload("oidc", "claim", claim);
    all.reload("oidc", "grant", &grants.collect::<Vec<_>>());
}

fn of_risk(all: &mut List<'_>, section: &RiskSection) {
    let RiskSection { medium, high, hysteresis, weights, half_life_secs, travel_secs, hook } = section;
    all.reload("risk", "medium", medium);
    all.reload("risk", "high", high);
    all.reload("risk", "hysteresis", hysteresis);
    all.reload("risk", "weights", &named(weights));
    all.reload("risk", "half_life_secs", &named(half_life_secs));
    all.reload("risk", "travel_secs", travel_secs);
    all.reload("risk", "hook", &hook.iter().map(|hook| hook.name.get_ref().as_str()).collect::<Vec<_>>());
}

/// A table of the file, as it is shown.
fn named<T: Copy>(table: &BTreeMap<Spanned<String>, Spanned<T>>) -> BTreeMap<&str, T> {
    table.iter().map(|(name, value)| (name.get_ref().as_str(), *value.get_ref())).collect()
}

fn of_changes(all: &mut List<'_>, section: &ChangesSection) {
    let ChangesSection {
        reevaluate,
        in_flight,
        in_flight_per_nas,
        per_second,
        deadline_secs,
        hold_above,
        hold_secs,
        recheck_secs,
    } = section;
    let default = coa::Settings::default();
    let secs = |given: &Option<toml::Spanned<u64>>, default: std::time::Duration| {
        given.as_ref().map_or(default.as_secs(), |given| *given.get_ref())
    };
    let number =
        |given: &Option<toml::Spanned<usize>>, default: usize| given.as_ref().map_or(default, |given| *given.get_ref());
    let per_second = per_second.as_ref().map_or(default.limits.per_second, |given| *given.get_ref());
    let hold = match (hold_above.as_ref().map(toml::Spanned::get_ref), default.hold) {
        (Some(HoldValue::Sessions(count)), _) => json!(count),
        (None, coa::Hold::Above(count)) => json!(count),
        (Some(HoldValue::Share(share)), _) => json!(share),
        (None, coa::Hold::Share(share)) => json!(format!("{share}%")),
    };
    all.reload("changes", "reevaluate", &reevaluate.unwrap_or(default.reevaluate));
    all.reload("changes", "in_flight", &number(in_flight, default.limits.in_flight));
    all.reload("changes", "in_flight_per_nas", &number(in_flight_per_nas, default.limits.per_nas));
    all.reload("changes", "per_second", &per_second);
    all.reload("changes", "deadline_secs", &secs(deadline_secs, default.deadline));
    all.reload("changes", "hold_above", &hold);
    all.reload("changes", "hold_secs", &hold_secs.unwrap_or(default.hold_for.as_secs()));
    all.reload("changes", "recheck_secs", &secs(recheck_secs, default.recheck));
}

fn value(given: &impl Serialize) -> Value {
    // Only a path that is no text cannot be said.
    serde_json::to_value(given).unwrap_or_default()
}

/// The settings so far.
struct List<'a> {
    source: &'a Source,
    table: Option<DeTable<'a>>,
    all: Vec<Setting>,
}

impl List<'_> {
    fn reload(&mut self, section: &'static str, key: &'static str, given: &impl Serialize) {
        self.add(section, key, value(given), Effect::Reload, None);
    }

    fn restart(&mut self, section: &'static str, key: &'static str, given: &impl Serialize) {
        let value = value(given);
        self.add(section, key, value.clone(), Effect::Restart, Some(value));
    }

    fn secret(&mut self, section: &'static str, key: &'static str, given: &Option<impl Serialize>) {
        let shown = given.as_ref().map_or(Value::Null, |_| SECRET.into());
        self.add(section, key, shown, Effect::Restart, Some(value(given)));
    }

    fn add(&mut self, section: &'static str, key: &'static str, value: Value, effect: Effect, at_start: Option<Value>) {
        let line = self.line(section, key);
        self.all.push(Setting { section, key, value, line, effect, at_start });
    }

    fn line(&self, section: &str, key: &str) -> Option<usize> {
        let (_, section) = self.table.as_ref()?.iter().find(|(name, _)| name.get_ref() == section)?;
        let (name, _) = section.get_ref().as_table()?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(line_of(&self.source.text, name.span().start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Setting> {
        let source =
            Source { file: "cordon.toml".into(), text: format!("{text}\n[tls]\ncertificate = \"a\"\nkey = \"b\"\n") };
        settings(&Config::parse(&source).unwrap(), &source)
    }

    #[test]
    fn each_says_where_it_is_from_and_what_waits() {
        let (started, now) = (
            of("[server]\nworkers = 2\n[http]\ntoken = \"old\""),
            of("[server]\nworkers = 3\n[http]\ntoken = \"new\""),
        );
        assert_eq!(waiting(&started, &now), ["[server] workers", "[http] token"]);
        assert!(waiting(&started, &started).is_empty());
        let find = |key| started.iter().find(|setting| setting.name() == key).unwrap();
        assert_eq!((&find("[server] workers").value, find("[server] workers").line), (&json!(2), Some(2)));
        assert_eq!((&find("[server] drain_secs").value, find("[server] drain_secs").line), (&json!(5), None));
        assert_eq!(find("[http] token").value, SECRET);
        assert_eq!(find("[changes] hold_above").value, 1_000);
    }
}
