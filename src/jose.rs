//! Signed tokens of others (JWS, RFC 7515; JWT, RFC 7519): which signatures are believed, and by which keys.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::de::DeserializeOwned;

/// What may sign. Not HMAC: a public key must never be taken for its key. RSA keys below 2048 bits verify nothing.
const SIGNED_BY: [Algorithm; 8] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS512,
    Algorithm::EdDSA,
];

/// Why a token is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoseError {
    /// It is no token, or is signed by nothing that there is: `alg: none` among it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// What signs it may sign nothing.
    #[error("it is signed by {0}")]
    Algorithm(String),
    /// The key that it names is not known; it may be new.
    #[error("it is signed by a key that is not known")]
    UnknownKey,
    /// The signature is not of that key.
    #[error("its signature does not hold: {0}")]
    Forged(String),
}

/// The header and the claims of a token that one of `keys` has signed. Nothing else is looked at: neither time nor audience.
///
/// # Errors
/// See [`JoseError`].
pub fn open<T: DeserializeOwned + Clone>(token: &str, keys: &JwkSet) -> Result<(Header, T), JoseError> {
    let header = header(token)?;
    let key = match &header.kid {
        Some(kid) => keys.find(kid),
        // One key needs no name.
        None => keys.keys.first().filter(|_| keys.keys.len() == 1),
    };
    let forged = |e: jsonwebtoken::errors::Error| JoseError::Forged(e.to_string());
    let key = DecodingKey::from_jwk(key.ok_or(JoseError::UnknownKey)?).map_err(forged)?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let token = jsonwebtoken::decode::<T>(token, &key, &validation).map_err(|e| match e.kind() {
        jsonwebtoken::errors::ErrorKind::Json(e) => JoseError::Unreadable(e.to_string()),
        _ => forged(e),
    })?;
    Ok((header, token.claims))
}

/// The header of a token, which nobody vouches for yet.
///
/// # Errors
/// When it cannot be read, or names what may sign nothing.
pub fn header(token: &str) -> Result<Header, JoseError> {
    let header = jsonwebtoken::decode_header(token).map_err(|e| JoseError::Unreadable(e.to_string()))?;
    if !SIGNED_BY.contains(&header.alg) {
        return Err(JoseError::Algorithm(format!("{:?}", header.alg)));
    }
    if header.crit.as_ref().is_some_and(|names| !names.is_empty()) {
        // RFC 7515, section 4.1.11: what must be understood and is not, makes it invalid.
        return Err(JoseError::Unreadable("it wants extensions that are not known (crit)".into()));
    }
    Ok(header)
}
