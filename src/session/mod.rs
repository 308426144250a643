//! Stays on the network, as accounting tells of them.

pub mod accounting;
mod attributes;
pub mod state;

pub use accounting::{AccountingError, AccountingRecord, AccountingStatus};
pub use state::{Session, SessionKey, SessionState};
