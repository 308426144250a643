//! RADIUS (RFC 2865, 2866, 2868, 2869, 3579, 5080, 5997, 6929, 8044, and over TLS
//! 6614 and 9765) as pure functions over octets.
//!
//! [`packet`] reads without copying, [`authenticator`] turns a packet into one
//! that is proven to come from who knows the secret, [`radsec`] one that came over
//! TLS, [`stream`] cuts what came over TLS into packets, [`builder`] writes,
//! [`dictionary`] gives numbers their names.

pub mod attribute;
pub mod authenticator;
pub mod builder;
pub mod dedup;
pub mod dictionary;
pub mod extended;
pub mod hide;
pub mod packet;
pub mod radsec;
pub mod stream;
pub mod value;
