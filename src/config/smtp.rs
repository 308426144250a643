//! `[smtp]`: by which mail server people are told.

use super::{Config, ConfigError, Source};
use crate::transport::mail::{Mail, Security};
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// The usual port of mail that is handed in with STARTTLS (RFC 6409).
const SUBMISSION: u16 = 587;

/// `[smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    /// The server's name; the port, if it is not 587, after a colon.
    pub server: Spanned<String>,
    /// `starttls` (unless said otherwise), `tls`, or `none`, which is for a server on this host alone.
    #[serde(default)]
    pub security: Security,
    /// The sender.
    pub from: Spanned<String>,
    /// By which name to log in; without one, there is no login.
    pub username: Option<String>,
    /// The password's file.
    pub password_file: Option<Spanned<PathBuf>>,
    /// A CA's certificate in PEM, beside those of the system.
    pub ca: Option<Spanned<PathBuf>>,
}

/// How mail is sent; `None` when it is not.
///
/// # Errors
/// What is wrong.
pub fn mail(config: &Config, source: &Source) -> Result<Option<Mail>, ConfigError> {
    let Some(section) = &config.smtp else { return Ok(None) };
    let server = section.server.get_ref();
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()),
        None => (server.as_str(), Some(SUBMISSION)),
    };
    let Some(port) = port.filter(|port| *port != 0 && !host.is_empty()) else {
        let message = format!("[smtp] server is {server:?}");
        return Err(source.error(section.server.span(), message, "write it like mail.example.com:587"));
    };
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if section.security == Security::None && !is_here {
        let message = format!("mail would go to {host} in clear text");
        return Err(source.error(section.server.span(), message, "leave security out, or give starttls or tls"));
    }
    if !Mail::is_address(section.from.get_ref()) {
        let message = format!("[smtp] from is {:?}", section.from.get_ref());
        return Err(source.error(section.from.span(), message, "write it like cordon@example.com"));
    }
    let read = |path: &Spanned<PathBuf>| {
        let file = source.resolve(path.get_ref());
        let failed = |e: std::io::Error| {
            let message = format!("{} cannot be read: {e}", file.display());
            source.error(path.span(), message, "name a file that the server may read")
        };
        std::fs::read_to_string(&file).map_err(failed)
    };
    let login = match (&section.username, &section.password_file) {
        (Some(name), Some(file)) => Some((name.clone(), crate::secret::Secret::new(read(file)?.trim().to_owned()))),
        (None, None) => None,
        _ => {
            let message = "[smtp] has one of username and password_file".to_owned();
            return Err(source.error(section.server.span(), message, "give both, or neither"));
        }
    };
    let ca = section.ca.as_ref().map(read).transpose()?;
    let from = section.from.get_ref().clone();
    Ok(Some(Mail { host: host.to_owned(), port, security: section.security, from, login, ca }))
}
