//! Shared Signals by HTTP: where transmitters push events, and all that receivers ask for (SSF 1.0).

pub(super) mod control;
pub(super) mod describe;
pub(super) mod receive;
pub(super) mod stream;
