//! (being written)
pub mod certificate;
mod der;
mod name;
