//! Recorded decisions of some days, asked again on all processors.

use super::again::{Flows, who};
use crate::audit::decision::Decision;
use crate::store::Store;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Decisions that one thread asks at a time.
const BATCH: u32 = 2_000;

/// What came of asking again.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Who gets what else.
    pub flows: Flows,
    /// Who was granted each profile at the time.
    pub profiles: BTreeMap<String, BTreeSet<String>>,
}

/// Asks the decisions since `since` again, on all processors: `ask`
/// says what a decision is now and what it would be, or nothing when the policy
/// has no say in it.
///
/// # Errors
/// In words, when the database cannot be read.
pub async fn replay<F>(store: &Store, since: Timestamp, ask: F) -> Result<Replayed, String>
where
    F: Fn(&Decision) -> Option<(String, String)> + Send + Sync + 'static,
{
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let ask = Arc::new(ask);
    let mut running = tokio::task::JoinSet::new();
    let mut all = Replayed::default();
    let mut cursor = None;
    loop {
        let (bodies, next) = store.decision_bodies(since, cursor, BATCH).await.map_err(|e| e.to_string())?;
        if running.len() >= workers
            && let Some(done) = running.join_next().await
        {
            all.merge(done.map_err(|e| e.to_string())??);
        }
        let ask = ask.clone();
        running.spawn_blocking(move || asked(&bodies, ask.as_ref()));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    while let Some(done) = running.join_next().await {
        all.merge(done.map_err(|e| e.to_string())??);
    }
    Ok(all)
}

fn asked(bodies: &[String], ask: &impl Fn(&Decision) -> Option<(String, String)>) -> Result<Replayed, String> {
    let mut out = Replayed::default();
    for body in bodies {
        let decision: Decision = serde_json::from_str(body).map_err(|e| format!("a decision cannot be read: {e}"))?;
        if let Some((old, new)) = ask(&decision) {
            out.flows.add(&decision, old, new);
        }
        if let Some(profile) = &decision.profile {
            out.profiles.entry(profile.clone()).or_default().insert(who(&decision));
        }
    }
    Ok(out)
}

impl Replayed {
    fn merge(&mut self, other: Replayed) {
        self.flows.merge(other.flows);
        for (profile, who) in other.profiles {
            self.profiles.entry(profile).or_default().extend(who);
        }
    }
}
