//! Shared Signals by HTTP: where transmitters push events, and all that receivers ask for (SSF 1.0).

/// The longest body of a request, in octets: a token is at most 64 KiB, and what is settled at once is some 60 KiB.
pub(super) const MAX_BODY: usize = 256 * 1024;

pub(super) mod control;
pub(super) mod describe;
pub(super) mod receive;
pub(super) mod stream;
