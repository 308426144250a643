//! What speaks against somebody, whoever tells it, and how much that comes to.
//!
//! A [`signal::Signal`] is the one form for all: what is seen of endpoints here, what detectors find, what an IDS, a
//! SIEM, an agent's gateway or another system's events tell. [`risk`] is the sum of what is known of one, each part of
//! which halves with time; [`table::RiskTable`] holds everybody's, for decisions to read.

pub mod detect;
pub mod hook;
pub mod kind;
pub mod risk;
pub mod signal;
pub mod table;
