//! Sockets and the clock: the only code that touches the outside while a
//! request is served.

pub mod clock;
pub mod coa;
pub mod https;
pub mod jwks;
pub mod mail;
pub mod radsec;
pub mod syslog;
pub mod udp;
