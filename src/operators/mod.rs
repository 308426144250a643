//! Who administers the server, and what each of them may do.

pub mod account;
pub mod passkey;
pub mod password;
pub mod provider;
pub mod role;
pub mod second_factor;
pub mod sign_in;
pub mod throttle;
pub mod token;
