//! Names of metrics and log fields, said once.

/// Packets that were dropped without an answer, by `nas` and `reason`.
pub const DISCARDED: &str = "cordon_radius_discarded";
