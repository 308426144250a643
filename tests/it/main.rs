//! All integration tests, in one binary. Peers are real ones from Debian's
//! packages; `scripts/install-deps.sh` installs them.

// Unwrapping is a fair way for a test to fail, and real peers live in real time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

mod agents;
mod audit;
mod backup;
mod behaviour;
mod campus;
mod change_queue;
mod cli;
mod coa;
mod console;
mod cordon_agent;
mod day;
mod deb;
mod demo;
mod durable;
mod eap_tls;
mod endpoints;
mod events;
mod glance;
mod hostile;
mod https;
mod import;
mod inventory;
mod issuing;
mod layering;
mod lists;
mod mab;
mod openapi;
mod operation;
mod operators;
mod permissions;
mod playbook_load;
mod playbooks;
mod policy;
mod postgres;
mod posture;
mod profiles;
mod radius;
mod radius_rs;
mod radsec;
mod reasons;
mod recheck;
mod reload;
mod repository;
mod resources;
mod risk;
mod shared_signals;
mod simulation;
mod store;
mod telemetry;
mod upgrade;
mod vendors;
mod walk;
mod webhooks;
mod wired;
