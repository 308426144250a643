//! What was decided and why: the decision record and its closed list of
//! reasons. Explanation, replay and audit all read from this record.

pub mod decision;
pub mod reason;

pub use decision::{Decision, DecisionOutcome, Fact, IdentityRef};
pub use reason::Reason;
