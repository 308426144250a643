//! Who and what is known: NASes, identities and their credentials, MAC
//! addresses.

pub mod identity;
pub mod mac;
pub mod nas;
