//! Who administers the server, and what each of them may do.

pub mod role;
pub mod token;
