//! Syslog over TLS (RFC 5425), as a sender: a connection for each batch, whose
//! orderly end tells that the receiver has taken all of it.
//!
//! Syslog knows no acknowledgement. The receiver closes when it has read our
//! close_notify, which comes after all else; had it gone before, the connection
//! would have been reset.

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a connection, and its handshake, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a receiver may take for a batch, and for its end.
const TAKE: Duration = Duration::from_secs(30);
/// Octets that are read of what a receiver says, which is nothing.
const SAID: usize = 256;
/// The most octets that it may say.
const MAX_SAID: usize = 64 * 1024;

/// Where syslog goes.
#[derive(Clone)]
pub struct Receiver {
    /// Host and port.
    address: String,
    /// The name in its certificate.
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({})", self.address)
    }
}

/// Why a batch may not have been taken.
#[derive(Debug, thiserror::Error)]
pub enum SyslogError {
    /// It is not reached, or its certificate is not believed.
    #[error("no connection to {address}: {error}")]
    Connect {
        /// The receiver.
        address: String,
        /// As the system or TLS says.
        error: io::Error,
    },
    /// It went away, or did not confirm the end.
    #[error("{address} has not taken all: {error}")]
    Send {
        /// The receiver.
        address: String,
        /// As the system or TLS says.
        error: io::Error,
    },
}

impl Receiver {
    /// The receiver at `address`, a host and a port, whose certificate bears `name`.
    pub fn new(address: String, name: ServerName<'static>, tls: Arc<ClientConfig>) -> Receiver {
        Receiver { address, name, tls }
    }

    /// What its place in the log is kept under.
    pub fn name(&self) -> String {
        format!("syslog {}", self.address)
    }

    /// Sends framed messages, and waits until the receiver has taken them.
    ///
    /// # Errors
    /// See [`SyslogError`]; then some may have been taken.
    pub async fn tell(&self, messages: &[u8]) -> Result<(), SyslogError> {
        let connected = within(CONNECT, async {
            let socket = TcpStream::connect(&self.address).await?;
            socket.set_nodelay(true)?;
            TlsConnector::from(self.tls.clone()).connect(self.name.clone(), socket).await
        });
        let connected = connected.await;
        let mut stream = connected.map_err(|error| SyslogError::Connect { address: self.address.clone(), error })?;
        let taken = within(TAKE, async {
            stream.write_all(messages).await?;
            stream.flush().await?;
            stream.shutdown().await?;
            let (mut buffer, mut said) = ([0; SAID], 0);
            loop {
                match stream.read(&mut buffer).await {
                    Ok(0) => return Ok(()),
                    Ok(n) => said += n,
                    // Many end without a close_notify of their own. It is no less an end.
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(e) => return Err(e),
                }
                if said > MAX_SAID {
                    return Err(io::Error::other("it talks, which no syslog receiver does"));
                }
            }
        });
        taken.await.map_err(|error| SyslogError::Send { address: self.address.clone(), error })
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("nothing came of it within {} s", limit.as_secs()));
    tokio::time::timeout(limit, work).await.map_err(late)?
}
