//! The claims of a Security Event Token, as another system signs them.
#![no_main]

use cordon_fuzz::set::{MAX_AGE, MAX_AHEAD, Set};
use cordon_fuzz::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|claims: &[u8]| {
    let Ok(claims) = serde_json::from_slice(claims) else { return };
    let now = Timestamp::from_unix_secs(1_790_000_000);
    let Ok(set) = Set::read(&claims, "https://a", &["https://b".into()], now) else { return };
    assert!(set.issued <= now + MAX_AHEAD && now.since(set.issued) <= MAX_AGE, "it is of now");
    assert!(!set.jti.is_empty(), "it has a name");
    let _ = (set.happened(), set.reason(), set.subject.as_ref().map(|subject| subject.describe()));
});
