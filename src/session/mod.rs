//! Stays on the network: who was let in, and what accounting tells of it.

pub mod accounting;
mod attributes;
pub mod census;
pub mod live;
pub mod meter;
pub mod names;
pub mod state;

pub use accounting::{AccountingError, AccountingRecord, AccountingStatus};
pub use names::SessionNames;
pub use state::{Session, SessionKey, SessionState};
