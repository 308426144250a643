//! One policy decides for everything that connects: facts in, a profile or a
//! denial out, with the rules that decided.

pub mod breadth;
pub mod engine;
pub mod explain;
pub mod facts;
pub mod lint;
pub mod suite;
