//! Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body.

use crate::secret::Secret;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of a secret; 24 to 64 are allowed.
pub const SECRET_LEN: usize = 32;
/// What a secret begins with when it is shown.
const PREFIX: &str = "whsec_";

/// A secret as receivers are given it.
pub fn shown(secret: &Secret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret.expose()))
}

/// The header `webhook-signature`: one signature for each secret, the present one first.
pub fn signatures(secrets: &[Secret], id: &str, unix_secs: i64, body: &str) -> String {
    let signed = format!("{id}.{unix_secs}.{body}");
    let one = |secret: &Secret| {
        let tag = sign(&Key::new(HMAC_SHA256, secret.expose()), signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn signs_as_the_specification_does() {
        let secret = Secret::new(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        assert_eq!(shown(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(std::slice::from_ref(&secret), id, 1_614_265_330, "{\"test\": 2432232314}"), wanted);
        let two = signatures(&[secret, Secret::new([7; 32])], id, 1_614_265_330, "{\"test\": 2432232314}");
        assert!(two.starts_with(&format!("{wanted} v1,")), "{two}");
    }
}
