//! What osquery is asked, and what its answers tell.
//!
//! Each query of the pack gives a column `value`, and its name says of which check: `cordon_firewall_linux`. Results
//! of other queries are none of our business.

use super::check::{Check, Form, MAX_LIST, Value};
use super::compliance::Verdict;
use super::report::MAX_AHEAD;
use crate::ids::{IdentityId, NodeId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What the names of our queries begin with.
const PREFIX: &str = "cordon_";
/// Stands in a query for the names that are looked for.
const WATCHED: &str = ":watched";
/// How many intervals of its query a value holds: two results may be lost.
const INTERVALS: u32 = 3;
/// How long a value holds whose query is not ours, in seconds.
const OTHER_TTL_SECS: u32 = 3_600;
/// Results of this age are told as of now: the clock of a host counts in seconds, and they lie in its buffer for some.
const FRESH: Duration = MAX_AHEAD;
/// Octets of a text that an enrolled node says of itself.
pub const MAX_NODE_TEXT: usize = 128;

/// Our pack, as it lies in `packaging/osquery`.
static PACK: LazyLock<Pack> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../packaging/osquery/cordon.conf")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
struct Pack {
    options: Json,
    schedule: BTreeMap<String, Query>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Query {
    query: String,
    interval: u32,
    snapshot: bool,
    platform: Platform,
}

/// What a node runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Any Linux.
    Linux,
    /// macOS.
    Darwin,
    /// Windows.
    Windows,
}

impl Platform {
    /// The name that osquery uses.
    pub const fn name(self) -> &'static str {
        match self {
            Platform::Linux => "linux",
            Platform::Darwin => "darwin",
            Platform::Windows => "windows",
        }
    }

    /// That of this name; what osquery calls by the name of a distribution is a Linux.
    pub fn named(name: &str) -> Platform {
        match name {
            "darwin" => Platform::Darwin,
            "windows" => Platform::Windows,
            _ => Platform::Linux,
        }
    }
}

/// A host whose osquery was enrolled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// What it is called by `--host_identifier`.
    pub host_identifier: String,
    /// Whose certificate enrolled it; nobody's if it was a secret.
    pub identity: Option<IdentityId>,
    /// The serial number of its hardware.
    pub hardware_serial: String,
    /// The name that it has given itself.
    pub hostname: String,
    /// What it runs on.
    pub platform: Platform,
    /// Its operating system in words.
    pub os_version: String,
    /// The version of its osquery.
    pub osquery_version: String,
    /// When it was enrolled last.
    pub enrolled: Timestamp,
    /// When it was heard of last, to the minute.
    pub seen: Timestamp,
}

/// The configuration of a node: our pack, looking for `watched` software.
pub fn config(watched: &BTreeSet<Arc<str>>) -> Json {
    let mut schedule = Map::new();
    for (name, query) in &PACK.schedule {
        if let Some(sql) = sql(query, watched) {
            schedule.insert(name.clone(), json!(Query { query: sql, ..query.clone() }));
        }
    }
    json!({ "options": PACK.options, "schedule": schedule, "node_invalid": false })
}

/// The queries that are to be asked at once, by name: those of what fails or is not known.
pub fn urgent(verdict: &Verdict, platform: Platform, watched: &BTreeSet<Arc<str>>) -> Map<String, Json> {
    let mut queries = Map::new();
    for finding in &verdict.findings {
        let name = format!("{PREFIX}{}_{}", finding.check, platform.name());
        if let Some(sql) = PACK.schedule.get(&name).and_then(|query| sql(query, watched)) {
            queries.insert(name, sql.into());
        }
    }
    queries
}

/// The query's text; nothing if it looks for software and there is none to look for.
fn sql(query: &Query, watched: &BTreeSet<Arc<str>>) -> Option<String> {
    if !query.query.contains(WATCHED) {
        return Some(query.query.clone());
    }
    let quoted: Vec<String> =
        watched.iter().take(MAX_LIST).map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
    (!quoted.is_empty()).then(|| query.query.replace(WATCHED, &quoted.join(", ")))
}

/// What one result tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// Of what.
    pub check: Check,
    /// What was found.
    pub value: Value,
    /// How long it holds, in seconds.
    pub ttl_secs: u32,
    /// As of when.
    pub at: Timestamp,
}

/// What an entry of a result log tells, if it is a snapshot of one of our queries.
pub fn of_log(entry: &Json, now: Timestamp) -> Option<Told> {
    let rows = entry["snapshot"].as_array()?;
    let secs = entry["unixTime"].as_i64().or_else(|| entry["unixTime"].as_str()?.parse().ok())?;
    let at = Timestamp::from_unix_secs(secs.clamp(0, now.unix_secs()));
    let at = if now.since(at) <= FRESH { now } else { at };
    told(entry["name"].as_str()?, rows, at)
}

/// What the rows of the query of this name tell.
pub fn told(name: &str, rows: &[Json], at: Timestamp) -> Option<Told> {
    let check = check_of(name)?;
    let value = value(&check, rows)?;
    let ttl_secs = PACK.schedule.get(name).map_or(OTHER_TTL_SECS, |query| query.interval.saturating_mul(INTERVALS));
    Some(Told { check, value, ttl_secs, at })
}

/// `cordon_firewall_linux`, `cordon_x.vpn_darwin`.
fn check_of(name: &str) -> Option<Check> {
    let (check, _platform) = name.strip_prefix(PREFIX)?.rsplit_once('_')?;
    check.parse().ok()
}

/// A value from rows whose columns are texts, as osquery has it. No row, or an empty one, tells nothing, but of a list.
fn value(check: &Check, rows: &[Json]) -> Option<Value> {
    let text = |row: &Json| match &row["value"] {
        Json::String(text) => Some(text.trim().to_owned()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let json = if check.form() == Form::List {
        rows.iter().filter_map(text).take(MAX_LIST).collect()
    } else {
        let first = rows.first().and_then(text).filter(|text| !text.is_empty())?;
        match check.form() {
            Form::Flag => Json::Bool(match first.as_str() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return None,
            }),
            Form::Number => first.parse::<i64>().ok()?.into(),
            _ => first.into(),
        }
    };
    check.value(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(names: &[&str]) -> BTreeSet<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn every_query_of_the_pack_is_of_a_check_and_its_platform() {
        assert!(PACK.schedule.len() > 20);
        for (name, query) in &PACK.schedule {
            assert!(check_of(name).is_some_and(|check| Check::KNOWN.contains(&check)), "{name}");
            assert!(name.ends_with(query.platform.name()), "{name}");
            assert!(query.snapshot && query.interval >= 60 && query.query.contains("value"), "{name}");
        }
    }

    #[test]
    fn software_is_looked_for_by_name_and_only_if_some_is_named() {
        let names = |config: &Json| config["schedule"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let none = config(&watched(&[]));
        assert!(!names(&none).iter().any(|name| name.contains("forbidden")));
        let some = config(&watched(&["tor", "o'hack"]));
        let sql = some["schedule"]["cordon_forbidden_software_windows"]["query"].as_str().unwrap();
        assert!(sql.contains("IN ('o''hack', 'tor')"), "{sql}");
        assert!(!some.to_string().contains(WATCHED));
    }

    #[test]
    fn results_become_values_of_their_checks_form() {
        let now = Timestamp::from_unix_secs(1_790_000_000);
        let rows = |values: &[&str]| values.iter().map(|value| json!({ "value": value })).collect::<Vec<_>>();
        for (name, values, expected) in [
            ("cordon_firewall_linux", &["1"][..], Some(Value::Flag(true))),
            ("cordon_firewall_windows", &["0"], Some(Value::Flag(false))),
            ("cordon_firewall_linux", &[""], None),
            ("cordon_firewall_linux", &[], None),
            ("cordon_patch_age_days_linux", &["12"], Some(Value::Number(12))),
            ("cordon_patch_age_days_linux", &["soon"], None),
            ("cordon_os_version_darwin", &["14.6.1"], Some(Value::Text("14.6.1".into()))),
            ("cordon_os_version_linux", &["rolling"], None),
            ("cordon_forbidden_software_linux", &[], Some(Value::List(BTreeSet::new()))),
            ("cordon_forbidden_software_linux", &["tor", "nmap"], Some(Value::List(watched(&["nmap", "tor"])))),
            ("cordon_x.vpn_linux", &["on"], Some(Value::Text("on".into()))),
            ("fleet_label_query_1", &["1"], None),
        ] {
            assert_eq!(told(name, &rows(values), now).map(|told| told.value), expected, "{name} {values:?}");
        }
        let entry =
            |secs: i64| json!({ "name": "cordon_firewall_linux", "unixTime": secs, "snapshot": [{ "value": "1" }] });
        let at = |secs| of_log(&entry(secs), now).map(|told| (told.at, told.ttl_secs));
        assert_eq!(at(now.unix_secs() - 5), Some((now, 180)));
        assert_eq!(at(now.unix_secs() + 500), Some((now, 180)), "a clock that is ahead");
        assert_eq!(at(now.unix_secs() - 3_600), Some((Timestamp::from_unix_secs(1_789_996_400), 180)));
        assert_eq!(of_log(&json!({ "name": "cordon_firewall_linux", "unixTime": 1, "columns": {} }), now), None);
    }
}
