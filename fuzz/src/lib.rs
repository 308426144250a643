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

/// EAP without the TLS engine, under the paths that it has in the product.
pub mod eap {
    pub use crate::eap_packet as packet;

    /// EAP-TLS framing.
    pub mod tls {
        pub use crate::eap_tls_fragment as fragment;
    }
}
