//! The protocol layers of `cordon`, compiled apart from the rest.

#[path = "../../src/radius/mod.rs"]
pub mod radius;
#[path = "../../src/secret.rs"]
pub mod secret;
#[path = "../../src/time.rs"]
pub mod time;

#[path = "../../src/eap/packet.rs"]
pub mod eap_packet;
#[path = "../../src/eap/tls/fragment.rs"]
pub mod eap_tls_fragment;

#[path = "../../src/shared_signals/event.rs"]
pub mod event;
#[path = "../../src/shared_signals/set.rs"]
pub mod set;
#[path = "../../src/shared_signals/subject.rs"]
pub mod subject;

/// EAP without the TLS engine, under the paths that it has in the product.
pub mod eap {
    pub use crate::eap_packet as packet;

    /// EAP-TLS framing.
    pub mod tls {
        pub use crate::eap_tls_fragment as fragment;
    }
}
