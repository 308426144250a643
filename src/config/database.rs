//! Where records and the inventory are kept, and for how long.

use super::{Config, ConfigError, RetentionSection, Source};
use crate::store::Location;
use crate::store::partition::Retention;
use std::time::Duration;

/// The database's file, within `data_dir`, unless it is PostgreSQL.
pub const DATABASE: &str = "cordon.db";
/// The least that the journal may be allowed to hold, in MiB: two of its files.
const JOURNAL_LEAST_MIB: u64 = 64;
const DAY: u64 = 24 * 3600;

/// Where the database of a configuration is.
///
/// # Errors
/// When it is said in two ways, or is no URL of PostgreSQL.
pub fn location(config: &Config, source: &Source) -> Result<Location, ConfigError> {
    let section = &config.database;
    let journal = section.journal_mib.get_ref();
    if *journal < JOURNAL_LEAST_MIB {
        let message = format!("[database] journal_mib is {journal}");
        let remedy =
            format!("{JOURNAL_LEAST_MIB} is the least; 1024 holds a million decisions while the database is away");
        return Err(source.error(section.journal_mib.span(), message, remedy));
    }
    if config.retention.silent_session_hours.get_ref() == &0 {
        let remedy = "24 is usual: hours after which a session that never tells of itself is taken to have ended";
        return Err(source.error(
            config.retention.silent_session_hours.span(),
            "[retention] silent_session_hours is 0",
            remedy,
        ));
    }
    let (url, span) = match (&section.url, &section.url_file) {
        (None, None) => return Ok(Location::File(source.resolve(&config.server.data_dir).join(DATABASE))),
        (Some(url), None) => (url.get_ref().clone(), url.span()),
        (None, Some(file)) => {
            let path = source.resolve(file.get_ref());
            let text = std::fs::read_to_string(&path).map_err(|e| {
                let message = format!("{} cannot be read: {e}", path.display());
                source.error(file.span(), message, "paths are relative to the configuration file")
            })?;
            (text.trim().to_owned(), file.span())
        }
        (Some(url), Some(_)) => {
            let message = "[database] has url and url_file";
            return Err(source.error(url.span(), message, "keep one of them: url_file keeps the password out of here"));
        }
    };
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        let message = "[database] url is no URL of PostgreSQL";
        let remedy = "write postgres://USER:PASSWORD@HOST:5432/NAME; leave it out for SQLite in data_dir";
        return Err(source.error(span, message, remedy));
    }
    Ok(Location::Url(url))
}

/// How long records are kept.
pub fn retention(section: &RetentionSection) -> Retention {
    let days = |days: u32| (days > 0).then(|| Duration::from_secs(u64::from(days) * DAY));
    Retention {
        decisions: days(section.decisions_days),
        accounting: days(section.accounting_days),
        sessions: days(section.sessions_days),
        usage_minutes: days(section.usage_5min_days),
        usage_hours: days(section.usage_hour_days),
        usage_days: days(section.usage_day_days),
    }
}

/// After which silence a session that never tells of itself is taken to have ended.
pub fn silence(section: &RetentionSection) -> Duration {
    Duration::from_secs(u64::from(*section.silent_session_hours.get_ref()) * 3600)
}
