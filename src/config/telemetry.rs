//! What is told of the server's own work.

use super::{Config, ConfigError, Source};

/// What a collector's address ends with (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "v1/traces";

/// Where traces are sent, and which share of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Otlp {
    /// Where.
    pub url: reqwest::Url,
    /// From 0 to 1.
    pub ratio: f64,
}

/// Where traces are sent; `None` when they are not made.
///
/// # Errors
/// When that is no address, or no share.
pub fn otlp(config: &Config, source: &Source) -> Result<Option<Otlp>, ConfigError> {
    let section = &config.telemetry;
    let ratio = *section.ratio.get_ref();
    if !(0.0..=1.0).contains(&ratio) {
        let remedy = "1.0 sends all traces, 0.01 one in a hundred";
        return Err(source.error(section.ratio.span(), format!("[telemetry] ratio is {ratio}"), remedy));
    }
    let Some(given) = &section.otlp else { return Ok(None) };
    let wrong = || {
        let remedy = "write the collector's address, such as \"http://127.0.0.1:4318\"; /v1/traces is added to it";
        source.error(given.span(), format!("[telemetry] otlp is {:?}", given.get_ref()), remedy)
    };
    let base = given.get_ref().trim_end_matches('/');
    let url = reqwest::Url::parse(&format!("{base}/{PATH}")).map_err(|_| wrong())?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() || url.query().is_some() {
        return Err(wrong());
    }
    Ok(Some(Otlp { url, ratio }))
}
