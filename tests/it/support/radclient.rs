//! radclient, from FreeRADIUS.

use super::server::SECRET;
use super::{feed, system};
use std::net::SocketAddr;
use std::time::Duration;

/// Sends a request of this kind (`auth`, `acct`, `status`) and gives what
/// radclient printed.
pub fn radclient(address: SocketAddr, kind: &str, attributes: &str) -> String {
    radclient_with(address, kind, attributes, SECRET)
}

/// The same with another secret.
pub fn radclient_with(address: SocketAddr, kind: &str, attributes: &str, secret: &str) -> String {
    let mut command = system("radclient", Duration::from_secs(20));
    let address = match address {
        SocketAddr::V4(a) => a.to_string(),
        SocketAddr::V6(a) => format!("[{}]:{}", a.ip(), a.port()),
    };
    command.args(["-x", "-t", "1", "-r", "1", &address, kind, secret]);
    feed(&mut command, attributes)
}
