//! EAP (RFC 3748) as pure state machines: the server's side ([`server`]), the
//! supplicant's side ([`peer`]), and the one method that Cordon speaks,
//! EAP-TLS (RFC 5216, RFC 9190), in [`tls`].
//!
//! Nothing here knows RADIUS, sockets or the clock. One EAP packet goes in, and
//! one comes out, or a question: *the peer has proven who it is; may it join?*

pub mod packet;
pub mod peer;
pub mod server;
pub mod tls;
