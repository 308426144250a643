//! The Shared Signals Framework (SSF 1.0) with CAEP 1.0 and RISC 1.0: what other systems know of somebody is taken in, and
//! what is known here is told to them, as Security Event Tokens (RFC 8417) that are pushed (RFC 8935) or polled for
//! (RFC 8936).

pub mod event;
pub mod happening;
pub mod key;
pub mod meaning;
pub mod receivers;
pub mod set;
pub mod stream;
pub mod subject;
pub mod transmitter;

use crate::jose::{self, JoseError};
use crate::time::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Map, Value};
use set::{MAX_LEN, Refused, RefusedCode, Set, TYPE};

/// Why a token is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOpened {
    /// It is signed by a key that is not among these: the issuer may have a new one.
    #[error("it is signed by a key that its issuer does not publish")]
    UnknownKey,
    /// It does not hold.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// The token that `issuer` has signed with one of `keys` for one of `audience`.
///
/// # Errors
/// See [`NotOpened`].
pub fn open(token: &str, keys: &JwkSet, issuer: &str, audience: &[String], now: Timestamp) -> Result<Set, NotOpened> {
    if token.len() > MAX_LEN {
        return Err(Refused::new(RefusedCode::InvalidRequest, format!("it is longer than {MAX_LEN} octets")).into());
    }
    let header = jose::header(token).map_err(refused)?;
    // RFC 8417, section 2.3: so that no other token can be taken for an event.
    let typ = header.typ.as_deref().unwrap_or_default();
    if !typ.trim_start_matches("application/").eq_ignore_ascii_case(TYPE) {
        return Err(Refused::new(RefusedCode::InvalidRequest, format!("its typ is {typ:?}, and not {TYPE}")).into());
    }
    let (_, claims) = jose::open::<Map<String, Value>>(token, keys).map_err(refused)?;
    Ok(Set::read(&claims, issuer, audience, now)?)
}

fn refused(error: JoseError) -> NotOpened {
    let code = match error {
        JoseError::UnknownKey => return NotOpened::UnknownKey,
        JoseError::Unreadable(_) => RefusedCode::InvalidRequest,
        JoseError::Algorithm(_) | JoseError::Forged(_) => RefusedCode::InvalidKey,
    };
    Refused::new(code, error.to_string()).into()
}
