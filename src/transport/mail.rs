//! Sending email by SMTP (RFC 5321), with TLS.

use crate::secret::Secret;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::Deserialize;
use std::time::Duration;

/// How long one email may take in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS begins after a greeting in clear text, and is required (RFC 3207).
    #[default]
    Starttls,
    /// TLS from the beginning (RFC 8314).
    Tls,
    /// None at all.
    None,
}

/// A mail server, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The sender's address.
    pub from: String,
    /// Name and password.
    pub login: Option<(String, Secret)>,
    /// A CA's certificate in PEM, beside those of the system.
    pub ca: Option<String>,
}

/// Why an email is not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// Sender, receiver or text cannot be written as an email.
    #[error("it cannot be written: {0}")]
    Unwritable(String),
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Refused(String),
    /// The server was silent for too long.
    #[error("the mail server did not answer within {} s", PATIENCE.as_secs())]
    Silent,
}

impl Mail {
    /// Whether this is an email address.
    pub fn is_address(text: &str) -> bool {
        text.parse::<Address>().is_ok()
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, NotSent> {
        // One provider for the whole process; that it is there already is no fault.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let wrong = |e: lettre::transport::smtp::Error| NotSent::Unwritable(e.to_string());
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(pem) = &self.ca {
            parameters = parameters.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(wrong)?);
        }
        let tls = match self.security {
            Security::Starttls => Tls::Required(parameters.build_rustls().map_err(wrong)?),
            Security::Tls => Tls::Wrapper(parameters.build_rustls().map_err(wrong)?),
            Security::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host);
        let mut builder = builder.port(self.port).tls(tls).timeout(Some(PATIENCE));
        if let Some((name, password)) = &self.login {
            let password = String::from_utf8_lossy(password.expose()).into_owned();
            builder = builder.credentials(Credentials::new(name.clone(), password));
        }
        Ok(builder.build())
    }

    /// Sends a text to one address. When it returns, the server has taken it.
    ///
    /// # Errors
    /// See [`NotSent`].
    pub async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), NotSent> {
        let mailbox = |address: &str| {
            let address = address.parse::<Address>().map_err(|e| NotSent::Unwritable(format!("{address}: {e}")))?;
            Ok::<_, NotSent>(Mailbox::new(None, address))
        };
        let message = Message::builder()
            .from(mailbox(&self.from)?)
            .to(mailbox(to)?)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|e| NotSent::Unwritable(e.to_string()))?;
        let transport = self.transport()?;
        match tokio::time::timeout(PATIENCE, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(NotSent::Refused(told(&error))),
            Err(_) => Err(NotSent::Silent),
        }
    }
}

/// An error with its causes: the outermost words say little.
fn told(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
