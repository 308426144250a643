//! What was decided and why, and who changed what.
//!
//! The decision record and its closed list of reasons; explanation and replay read
//! from it. The audit log: events in a hash chain, a Merkle tree over them, signed
//! checkpoints, and proofs that are verified without the database.

pub mod bundle;
pub mod course;
pub mod decision;
pub mod event;
pub mod merkle;
pub mod note;
pub mod ocsf;
pub mod reason;
pub mod syslog;
pub mod tally;
pub mod verify;

pub use decision::{Decision, DecisionOutcome, Fact, IdentityRef};
pub use reason::Reason;
