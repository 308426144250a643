//! Recorded decisions, asked again.

use crate::access::again::Flows;
use crate::access::replayed::{self, Replayed};
use crate::audit::decision::Decision;
use crate::store::Store;
use crate::transport::clock::Clock;
use std::collections::BTreeSet;
use std::time::Duration;

/// Identities that a line names; the others are counted.
const NAMED: usize = 5;

/// Asks the decisions of the last `days` days again; see [`replayed::replay`].
///
/// # Errors
/// In words, when the database cannot be read.
pub async fn replay<F>(store: &Store, days: u32, ask: F) -> Result<Replayed, String>
where
    F: Fn(&Decision) -> Option<(String, String)> + Send + Sync + 'static,
{
    let since = Clock::start().now() - Duration::from_secs(u64::from(days) * 86_400);
    replayed::replay(store, since, ask).await
}

/// Prints who goes where.
pub fn show(flows: &Flows) {
    if flows.changed.is_empty() {
        println!("nobody would get another profile");
    }
    for ((old, new), flow) in &flows.changed {
        println!("{old} -> {new}: {} decisions, {}", flow.decisions, named(&flow.who));
    }
}

/// How many they are, and the names of the first.
pub fn named(who: &BTreeSet<String>) -> String {
    let names: Vec<_> = who.iter().take(NAMED).map(String::as_str).collect();
    let more = who.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}: {}{more}", who.len(), names.join(", "))
}
