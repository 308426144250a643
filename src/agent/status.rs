//! `cordon-agent status`: for the one who sits in front of the host.

use super::client::{self, Finding, Standing};
use super::config::Settings;
use super::spool;
use crate::config::authority::facts_of;
use crate::transport::clock::Clock;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Shows how the host stands, as the server says or has said last.
///
/// # Errors
/// When neither is known.
pub async fn status(settings: &Settings, clock: &Clock) -> Result<ExitCode, String> {
    let standing = match client::standing(settings).await {
        Ok(standing) => standing,
        Err(error) => {
            println!("the server cannot be asked: {error}");
            if let Some(report) = spool::unsent(settings) {
                println!("the report of {} waits until it can be", report.at);
            }
            let Some(standing) = spool::standing(settings) else { return Ok(ExitCode::FAILURE) };
            println!("what it said last:");
            standing
        }
    };
    print!("{}", text(&standing));
    if let Ok(facts) = std::fs::read(&settings.certificate).map_err(|e| e.to_string()).and_then(|pem| facts_of(&pem)) {
        let days = facts.not_after.since(clock.now()).as_secs() / 86_400;
        println!("certificate: good until {} ({days} days)", facts.not_after);
    }
    let well = matches!(standing.status.as_str(), "compliant" | "warning");
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(standing: &Standing) -> String {
    let mut out = format!("{} ({}): {}\n", standing.name, standing.kind, standing.status);
    for finding in &standing.findings {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {}: {}", finding.check, told(finding));
        let _ = writeln!(out, "    -> {}", finding.remedy);
    }
    if let Some(at) = standing.reported_at {
        let _ = writeln!(out, "last reported: {at}");
    }
    out
}

fn told(finding: &Finding) -> String {
    let found = finding.found.as_ref().and_then(|value| serde_json::to_string(value).ok());
    let found = found.map_or_else(|| "not known".to_owned(), |value| format!("is {value}"));
    let grace = finding.grace_until.map_or_else(String::new, |until| format!(", counts from {until} on"));
    format!("{found}, must be {} ({}{grace})", finding.wanted, finding.severity)
}
