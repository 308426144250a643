//! The key that events are signed with: RSA of 2048 bits with SHA-256 (RS256), as the CAEP Interoperability Profile 1.0
//! wants it.

use super::set::TYPE;
use crate::secret::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::Duration;

/// For how long a key that signs no more is published: longer than any event waits that it has signed.
pub const PUBLISHED: Duration = Duration::from_secs(8 * 24 * 3600);

/// A key cannot be made or used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the key for Shared Signals cannot be {0}")]
pub struct KeyError(&'static str);

/// A key that signs.
#[derive(Debug)]
pub struct Key {
    /// Its name: the thumbprint of RFC 7638.
    pub kid: String,
    pair: KeyPair,
}

impl Key {
    /// A new key, with what is to be kept of it: PKCS#8. It takes a tenth of a second.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn make() -> Result<(Key, Secret), KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError("made"))?;
        let kept: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError("made"))?;
        let kept = Secret::new(kept.as_ref());
        Ok((Key::of(pair), kept))
    }

    /// The key that was kept.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(kept: &Secret) -> Result<Key, KeyError> {
        KeyPair::from_pkcs8(kept.expose()).map(Key::of).map_err(|_| KeyError("read"))
    }

    fn of(pair: KeyPair) -> Key {
        let (n, e) = numbers(&pair);
        // RFC 7638, section 3: the members that count, in the order of their names.
        let canonical = json!({ "e": e, "kty": "RSA", "n": n }).to_string();
        Key { kid: URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())), pair }
    }

    /// The public key (RFC 7517).
    pub fn public(&self) -> Value {
        let (n, e) = numbers(&self.pair);
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e })
    }

    /// The claims as a signed token.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let header = json!({ "typ": TYPE, "alg": "RS256", "kid": self.kid });
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        let done = self.pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature);
        done.map_err(|_| KeyError("used"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Modulus and exponent, as JSON has them.
fn numbers(pair: &KeyPair) -> (String, String) {
    let public = pair.public_key();
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let (n, e) = (public.modulus(), public.exponent());
    (text(n.big_endian_without_leading_zero()), text(e.big_endian_without_leading_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_signals::event::EventType;
    use crate::shared_signals::set::RefusedCode;
    use crate::shared_signals::{NotOpened, open};
    use crate::time::Timestamp;
    use jsonwebtoken::jwk::JwkSet;

    #[test]
    fn what_a_key_signs_holds_and_nothing_else_does() {
        let (key, kept) = Key::make().unwrap();
        let again = Key::open(&kept).unwrap();
        assert_eq!((&key.kid, key.public()), (&again.kid, again.public()));
        let keys: JwkSet = serde_json::from_value(json!({ "keys": [key.public()] })).unwrap();
        let now = Timestamp::from_unix_secs(1_790_000_000);
        let claims = json!({
            "iss": "https://a.example", "aud": "https://b.example", "jti": "1", "iat": now.unix_secs(),
            "sub_id": { "format": "opaque", "id": "x" }, "events": { EventType::SessionRevoked.uri(): {} },
        });
        let token = again.sign(&claims).unwrap();
        let audience = ["https://b.example".to_owned()];
        let opened = |token: &str, keys: &JwkSet| open(token, keys, "https://a.example", &audience, now);
        assert_eq!(opened(&token, &keys).unwrap().jti, "1");
        // The last digit of a signature may say nothing; the first always does.
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{rest}.{other}{}", &signature[1..]);
        let code = |result| match result {
            Err(NotOpened::Refused(refused)) => Some(refused.code),
            _ => None,
        };
        assert_eq!(code(opened(&forged, &keys)), Some(RefusedCode::InvalidKey));
        // Nor does the signature of other claims.
        let mut altered = claims.clone();
        altered["jti"] = json!("2");
        let head = rest.split('.').next().unwrap();
        let altered = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(altered.to_string()));
        assert_eq!(code(opened(&altered, &keys)), Some(RefusedCode::InvalidKey));
        let none = serde_json::from_value(json!({ "keys": [] })).unwrap();
        assert_eq!(opened(&token, &none), Err(NotOpened::UnknownKey));
        for (header, wanted) in [
            (json!({ "typ": TYPE, "alg": "none" }), RefusedCode::InvalidRequest),
            (json!({ "typ": TYPE, "alg": "HS256", "kid": key.kid }), RefusedCode::InvalidKey),
            (json!({ "typ": "JWT", "alg": "RS256", "kid": key.kid }), RefusedCode::InvalidRequest),
            (json!({ "alg": "RS256", "kid": key.kid }), RefusedCode::InvalidRequest),
            (json!({ "typ": TYPE, "alg": "RS256", "kid": key.kid, "crit": ["x"] }), RefusedCode::InvalidRequest),
        ] {
            let (_, rest) = token.split_once('.').unwrap();
            let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()));
            assert_eq!(code(opened(&token, &keys)), Some(wanted), "{header}");
        }
        for token in ["", "a", "a.b.c", &"a".repeat(70_000)] {
            assert_eq!(code(opened(token, &keys)), Some(RefusedCode::InvalidRequest));
        }
    }
}
