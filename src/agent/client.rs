//! What is asked of the server, by the host's certificate.

use super::config::Settings;
use crate::posture::check::{Check, Value};
use crate::time::Timestamp;
use crate::transport::https::{FetchError, answer_to, json, pinned};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// A report, as it is sent and as it is kept until it was.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// As of when it was so.
    pub at: Timestamp,
    /// How long it holds, in seconds.
    pub ttl_secs: u64,
    /// What was found.
    pub checks: BTreeMap<Check, Value>,
}

/// How the server says that this host stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// The name of its identity.
    pub name: String,
    /// The kind of its identity.
    pub kind: String,
    /// `compliant`, `warning`, `unknown` or `non_compliant`.
    pub status: String,
    /// As of when something was reported last.
    pub reported_at: Option<Timestamp>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// The software that is looked for.
    #[serde(default)]
    pub watched: BTreeSet<Arc<str>>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub check: String,
    /// `critical` or `warning`.
    pub severity: String,
    /// What was found; nothing if it is not known.
    pub found: Option<Value>,
    /// What it must be.
    pub wanted: String,
    /// Until when it does not count yet.
    pub grace_until: Option<Timestamp>,
    /// What to do.
    pub remedy: String,
}

/// Why the server was not told.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file of the configuration is of no use.
    #[error("{0}")]
    File(String),
    /// The server is not reached, or not in order.
    #[error("{0}")]
    Server(FetchError),
    /// The server has said no to this report, and would again.
    #[error("the server took no report: {0}")]
    Refused(String),
}

/// A connection is made for each errand: there is one in minutes, and the certificate may be another by then.
fn client(settings: &Settings) -> Result<reqwest::Client, ClientError> {
    let read =
        |path: &std::path::Path| std::fs::read(path).map_err(|e| ClientError::File(format!("{}: {e}", path.display())));
    let mut own = read(&settings.certificate)?;
    own.push(b'\n');
    own.extend(read(&settings.key)?);
    let url = reqwest::Url::parse(&settings.server).map_err(|e| ClientError::File(format!("server: {e}")))?;
    let at: Option<(String, SocketAddr)> = settings.address.and_then(|at| Some((url.host_str()?.to_owned(), at)));
    pinned(&read(&settings.ca)?, &own, at).map_err(ClientError::Server)
}

/// Reports; how the host stands then.
///
/// # Errors
/// See [`ClientError`].
pub async fn report(settings: &Settings, report: &Report) -> Result<Standing, ClientError> {
    let request = client(settings)?.put(format!("{}/posture/v1/report", settings.server)).json(report);
    match json(request).await {
        // Too old, not newer than the latest, or of a form that this server does not know.
        Err(FetchError::Refused { status: 400 | 409, body }) => Err(ClientError::Refused(body)),
        told => told.map_err(ClientError::Server),
    }
}

/// How the host stands.
///
/// # Errors
/// See [`ClientError`].
pub async fn standing(settings: &Settings) -> Result<Standing, ClientError> {
    let request = client(settings)?.get(format!("{}/posture/v1/standing", settings.server));
    json(request).await.map_err(ClientError::Server)
}

/// The certificate for the key of this request, with its chain, in PEM.
///
/// # Errors
/// See [`ClientError`].
pub async fn renewed(settings: &Settings, csr: String) -> Result<String, ClientError> {
    #[derive(Deserialize)]
    struct Renewed {
        certificate: String,
    }
    let request = client(settings)?.post(format!("{}/posture/v1/certificate", settings.server)).body(csr);
    let (status, body) = answer_to(request).await.map_err(ClientError::Server)?;
    if status != 201 {
        let body = String::from_utf8_lossy(&body).into_owned();
        return Err(ClientError::Server(FetchError::Refused { status, body }));
    }
    let renewed: Renewed =
        serde_json::from_slice(&body).map_err(|e| ClientError::Server(FetchError::Unreadable(e.to_string())))?;
    Ok(renewed.certificate)
}
