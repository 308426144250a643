//! Certificates: what is in them, which are trusted, and a small CA.
//!
//! | file | what it does |
//! |---|---|
//! | [`certificate`] | the facts of one certificate, as policy and records see them |
//! | [`trust`] | the trusted CAs; checks a presented chain, with revocation |
//! | [`error`] | why a chain is refused, or a setting cannot be used |
//! | [`verifier`] | the trusted CAs as rustls asks for them |
//! | [`authority`] | a small CA: issues, revokes |
//! | [`pem`] | PEM bundles (RFC 7468) |
//!
//! All of it is sans-IO: octets and the time are passed in.

pub mod authority;
pub mod certificate;
pub mod error;
pub mod pem;
pub mod standing;
pub mod trust;
pub mod verifier;

mod cache;
mod crl;
mod der;
mod diagnose;
mod lapsed;
mod name;
mod path;
mod request_names;

#[cfg(test)]
mod testing;
