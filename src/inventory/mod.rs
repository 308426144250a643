//! Who and what is known: NASes, identities and their credentials, MAC
//! addresses; and what is seen on the wire: endpoints, their vendors and kinds, and
//! how each NAS behaves.

pub mod behaviour;
pub mod binding;
pub mod certificate_name;
pub mod credential;
pub mod endpoint;
pub mod fingerprint;
pub mod identity;
pub mod index;
pub mod listing;
pub mod mac;
pub mod nas;
pub mod observation;
pub mod oui;
pub mod seal;
pub mod sensor;
pub mod unknown;
pub mod watch;
