//! What is done against somebody by itself: who is kept apart, why, and until when.

pub mod budget;
pub mod case;
pub mod containment;
pub mod ledger;
pub mod playbook;
pub mod run;
