//! How devices, machines and agents are doing: what was reported of them, for how long that holds, and
//! whether it is good enough.
//!
//! A [`report::Report`] brings values of [`check::Check`]s. [`standing::Standing`] is what is known of one
//! identity from all its sources; a [`compliance::CompliancePolicy`] says what it should be.

pub mod check;
pub mod compliance;
pub mod osquery;
pub mod report;
pub mod standing;
pub mod table;
