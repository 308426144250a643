//! Asking other servers by HTTPS: providers of identities, receivers of webhooks.

use rustls::pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one request may take in all, unless it says otherwise.
const REQUEST: Duration = Duration::from_secs(10);
/// The most octets of an answer that are read: what is asked for is far smaller.
const MAX_ANSWER: usize = 1 << 20;
/// The most octets that are read of an answer of which only the status counts.
const MAX_IGNORED: usize = 64 << 10;

/// Why another server was of no use.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It was not reached, or broke off.
    #[error("{0}")]
    Transport(String),
    /// It refused.
    #[error("it answered {status}: {body}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
    /// What it said cannot be read.
    #[error("its answer cannot be read: {0}")]
    Unreadable(String),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        // The cause says more than the outermost words, and the address is told by who asks.
        let error = error.without_url();
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            told = format!("{told}: {inner}");
            cause = inner.source();
        }
        FetchError::Transport(told)
    }
}

/// A client that trusts the system's CAs and `more`, follows no redirects, and waits for nobody for long.
///
/// # Errors
/// When a certificate of `more` cannot be read.
pub fn client(more: &[CertificateDer<'_>]) -> Result<reqwest::Client, FetchError> {
    // One provider for the whole process; that it is there already is no fault.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut roots = Vec::new();
    for certificate in more {
        roots.push(reqwest::Certificate::from_der(certificate)?);
    }
    let client = reqwest::Client::builder()
        .user_agent(concat!("cordon/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .tls_certs_merge(roots)
        .build()?;
    Ok(client)
}

/// A client that trusts the CAs of `roots` alone, shows the certificate and key of `own` (both PEM), and finds the server of
/// one name at a given address, if one is given.
///
/// # Errors
/// When a certificate or the key cannot be read.
pub fn pinned(roots: &[u8], own: &[u8], at: Option<(String, SocketAddr)>) -> Result<reqwest::Client, FetchError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cordon/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(roots)?)
        .identity(reqwest::Identity::from_pem(own)?);
    if let Some((name, address)) = at {
        builder = builder.resolve(&name, address);
    }
    Ok(builder.build()?)
}

/// Sends a request, and gives status and body, which is read up to 1 MiB.
///
/// # Errors
/// When the server is not reached, breaks off or says too much.
pub async fn answer_to(request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), FetchError> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(FetchError::Unreadable("it is longer than 1 MiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status().as_u16(), body))
}

/// Sends a request, and gives the status. What else is said is read, so that the connection can be used again, and counts
/// for nothing.
///
/// # Errors
/// When the server is not reached, or says nothing in time.
pub async fn status_of(request: reqwest::RequestBuilder) -> Result<u16, FetchError> {
    let mut response = request.send().await?;
    let (status, mut left) = (response.status().as_u16(), MAX_IGNORED);
    while let Ok(Some(chunk)) = response.chunk().await
        && let Some(less) = left.checked_sub(chunk.len())
    {
        left = less;
    }
    Ok(status)
}

/// Sends a request, and reads the JSON that it is answered with.
///
/// # Errors
/// When the server is not reached, refuses, or says something else.
pub async fn json<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, FetchError> {
    /// What is told of a refusal, in characters.
    const TOLD: usize = 300;
    let (status, body) = answer_to(request).await?;
    if !(200..300).contains(&status) {
        let body = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(TOLD).collect();
        return Err(FetchError::Refused { status, body });
    }
    serde_json::from_slice(&body).map_err(|e| FetchError::Unreadable(e.to_string()))
}
