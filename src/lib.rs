//! Cordon, a network access control server.
//!
//! Imports point down only; `tests/it/layering.rs` enforces it.
//!
//! | layer | modules | what lives there |
//! |---|---|---|
//! | 5 | `cli`, `server` | commands, composition root |
//! | 4 | `access`, `api`, `jobs`, `config`, `agent` | one request from arrival to reply; HTTP; periodic work; typed configuration; the program on hosts |
//! | 3 | `store`, `transport` | sqlx; sockets |
//! | 2 | `inventory`, `policy`, `enforcement`, `session`, `pki`, `audit`, `client`, `coa`, `operators`, `posture`, `shared_signals`, `signals`, `webhooks` | domain rules |
//! | 1 | `radius`, `eap`, `jose` | protocols as pure state machines |
//! | 0 | `time`, `ids`, `random`, `secret`, `telemetry` | words everything else is said in |
//!
//! Layers 0 to 2 are sans-IO: bytes and the time go in; bytes, events and the
//! next deadline come out.

pub mod ids;
pub mod random;
pub mod secret;
pub mod telemetry;
pub mod time;

pub mod eap;
pub mod jose;
pub mod radius;

pub mod audit;
pub mod client;
pub mod coa;
pub mod enforcement;
pub mod inventory;
pub mod operators;
pub mod pki;
pub mod playbooks;
pub mod policy;
pub mod posture;
pub mod session;
pub mod shared_signals;
pub mod signals;
pub mod webhooks;

pub mod store;
pub mod transport;

pub mod access;
pub mod agent;
pub mod api;
pub mod config;
pub mod jobs;

pub mod cli;
pub mod server;
