//! Whether the owner of a stream may still have one: what is pushed is asked for by nobody, so that no guard looks at it.

use crate::operators::account::Sites;
use crate::operators::role::Permission;
use crate::shared_signals::stream::Owner;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// Whether `owner` is there, good, and may have streams.
///
/// # Errors
/// When the database cannot be read.
pub async fn may_be_told(store: &Store, owner: Owner, now: Timestamp) -> Result<bool, StoreError> {
    let operator = match owner {
        Owner::Root => return Ok(true),
        Owner::Operator(id) => id,
        Owner::Token(id) => {
            let Some(token) = store.token(id).await?.filter(|token| token.is_good(now)) else { return Ok(false) };
            if !token.permissions.include(Permission::SharedSignals) || token.sites != Sites::All {
                return Ok(false);
            }
            match token.operator {
                Some(operator) => operator,
                None => return Ok(true),
            }
        }
    };
    // Who loses a right loses it by all their tokens.
    let operator = store.operator(operator).await?.filter(|operator| !operator.disabled);
    Ok(operator.is_some_and(|operator| {
        operator.permissions().include(Permission::SharedSignals) && operator.sites == Sites::All
    }))
}
