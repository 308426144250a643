//! What is wrong with the form of a file, in words that say how to write it.

use super::{ConfigError, Source};
use serde::{Deserialize, Deserializer};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use toml::Spanned;

/// Sections of which there may be several.
const LISTS: [&str; 9] = ["ca", "profile", "compliance", "playbook", "nas", "site", "group", "binding", "identity"];
/// Sections of which there is one.
const SINGLE: [&str; 11] =
    ["smtp", "server", "database", "retention", "http", "tls", "posture", "radsec", "policy", "changes", "pki"];
/// Keys that hold addresses with a port, and the usual port.
const LISTENERS: [(&str, u16); 3] = [("auth", 1812), ("acct", 1813), ("listen", 8080)];
/// The usual port of RADIUS over TLS, whose key is `listen` too.
const RADSEC_PORT: u16 = 2083;

/// What the parser found, with the remedy where it is known what was meant;
/// else with `otherwise`.
pub(super) fn error(source: &Source, e: &toml::de::Error, otherwise: &str) -> ConfigError {
    let span = e.span().unwrap_or(0..0);
    let message = e.message().trim().replace('\n', " ");
    if let Some(error) = brackets(source) {
        return error;
    }
    if message.contains("socket address") {
        return address(source, span);
    }
    let remedy = if message.starts_with("missing field `tls`") {
        "add a [tls] section with certificate and key; `cordon ca init` and `cordon ca issue --server` make them"
    } else if message.starts_with("invalid type: string") && message.ends_with("expected a sequence") {
        "it is a list: put the value, or several with commas, in square brackets"
    } else {
        otherwise
    };
    source.error(span, message, remedy)
}

/// A section with the brackets of the other kind.
fn brackets(source: &Source) -> Option<ConfigError> {
    let table: toml::Table = toml::from_str(&source.text).ok()?;
    let (name, value) = table.iter().find(|(name, value)| {
        LISTS.contains(&name.as_str()) && value.is_table() || SINGLE.contains(&name.as_str()) && value.is_array()
    })?;
    let (wrong, right) = match value.is_table() {
        true => (format!("[{name}]"), format!("[[{name}]]")),
        false => (format!("[[{name}]]"), format!("[{name}]")),
    };
    let why = if value.is_table() { "there may be several" } else { "there is one" };
    let mut start = 0;
    let header = source.text.split_inclusive('\n').find_map(|line| {
        let here = start;
        start += line.len();
        let bare: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        (bare == wrong).then(|| here..here + line.len())
    });
    Some(source.error(
        header.unwrap_or(0..0),
        format!("{wrong} is written for {right}"),
        format!("write {right}: {why}"),
    ))
}

/// An address that lacks its port, or is none.
fn address(source: &Source, span: Range<usize>) -> ConfigError {
    let written = source.text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']);
    let before = source.text.get(..span.start).unwrap_or_default();
    let key = before.lines().rev().find_map(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        LISTENERS.iter().find(|(key, _)| *key == name)
    });
    let section = before.lines().rev().find(|line| line.trim_start().starts_with('[') && !line.contains('='));
    let port = match section.map(str::trim) {
        Some("[radsec]") => RADSEC_PORT,
        _ => key.map_or(1812, |(_, port)| *port),
    };
    match written.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => {
            let whole = SocketAddr::new(ip, port).to_string();
            source.error(span, format!("the address {written:?} has no port"), format!("write {whole:?}"))
        }
        Err(_) => source.error(
            span,
            format!("{written:?} is no address with a port"),
            format!("give the address by its number, and the port: \"0.0.0.0:{port}\" or \"[::]:{port}\""),
        ),
    }
}

/// A time as text, whether it was quoted or is one of TOML's own.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a time such as \"2027-01-31T00:00:00Z\"")]
enum Time {
    Quoted(String),
    Plain(toml::value::Datetime),
}

/// See [`Time`].
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spanned<String>>, D::Error> {
    let time = Spanned::<Time>::deserialize(deserializer)?;
    let span = time.span();
    Ok(Some(Spanned::new(
        span,
        match time.into_inner() {
            Time::Quoted(text) => text,
            Time::Plain(time) => time.to_string(),
        },
    )))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError, Source};

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(&Source { file: "cordon.toml".into(), text: text.into() })
    }

    #[test]
    fn what_is_often_written_otherwise_is_told_how() {
        let tls = "[tls]\ncertificate = \"a\"\nkey = \"b\"\n";
        for (text, line, remedy) in [
            ("[nas]\nname = \"sw1\"\n", 4, "write [[nas]]"),
            ("\n[ identity ]\nname = \"x\"\n", 5, "write [[identity]]"),
            ("[[server]]\nworkers = 2\n", 4, "write [server]"),
            ("[server]\nauth = [\"10.0.0.1\"]\n", 5, "\"10.0.0.1:1812\""),
            ("[server]\nacct = [\"0.0.0.0:1813\",\n  \"::1\"]\n", 6, "\"[::1]:1813\""),
            ("[http]\nlisten = \"127.0.0.1\"\n", 5, "\"127.0.0.1:8080\""),
            ("[radsec]\nlisten = [\"0.0.0.0\"]\n", 5, "\"0.0.0.0:2083\""),
            ("[server]\nauth = [\"radius.example:1812\"]\n", 5, "by its number"),
            ("[server]\nauth = \"0.0.0.0:1812\"\n", 5, "square brackets"),
        ] {
            let error = parse(&format!("{tls}{text}")).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.remedy.contains(remedy), "no {remedy:?} in: {error}");
        }
    }

    #[test]
    fn an_expiry_may_be_written_with_quotes_and_without() {
        let tls = "[tls]\ncertificate = \"a\"\nkey = \"b\"\n";
        for (written, read) in [
            ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z"),
            ("\"2027-01-31T00:00:00Z\"", "2027-01-31T00:00:00Z"),
            ("2027-01-31 08:00:00+01:00", "2027-01-31T08:00:00+01:00"),
        ] {
            let config = parse(&format!("{tls}[[identity]]\nname = \"x\"\nkind = \"device\"\nexpires = {written}\n"));
            let config = config.unwrap_or_else(|e| panic!("{written}: {e}"));
            assert_eq!(config.identity[0].expires.as_ref().unwrap().get_ref(), read);
        }
        let error = parse(&format!("{tls}[[identity]]\nname = \"x\"\nkind = \"device\"\nexpires = 7\n")).unwrap_err();
        assert_eq!(error.line, Some(7), "{error}");
        assert!(error.message.contains("a time such as"), "{error}");
    }
}
