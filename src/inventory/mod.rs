//! Who and what is known: NASes, identities and their credentials, MAC
//! addresses.

pub mod credential;
pub mod identity;
pub mod index;
pub mod mac;
pub mod nas;
pub mod seal;
pub mod unknown;
