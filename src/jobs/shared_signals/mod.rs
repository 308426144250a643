//! Shared Signals: takes in what transmitters push and are asked for, and tells receivers what happens here.

pub mod poll;
pub mod push;
pub mod receive;
pub mod standing;

mod names;
mod owner;
mod signer;

pub use signer::{NotSigned, Signer};
