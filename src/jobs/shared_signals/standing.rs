//! Whose risk or compliance is another than was told: noted at once, told soon, and compared with what was told last, so that
//! a restart neither loses nor repeats anything.

use crate::access::Engine;
use crate::ids::IdentityId;
use crate::posture::compliance::Status;
use crate::shared_signals::happening::{Happening, What};
use crate::signals::risk::{Level, Risk};
use crate::signals::signal::Subject;
use crate::store::shared_signals::Standing;
use crate::store::{Store, StoreError};
use crate::transport::clock::Clock;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often it is looked whether something is to be told: soon enough for who acts on it.
const LOOK: Duration = Duration::from_millis(250);
/// Identities that are told of in one transaction.
const AT_ONCE: usize = 500;
const RISK: &str = "risk";
const COMPLIANCE: &str = "compliance";
const COMPLIANT: &str = "compliant";
const NOT_COMPLIANT: &str = "not-compliant";

/// Notes whose standing may be another. Cloning it shares what is noted, which has at most one entry for each identity.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<BTreeSet<IdentityId>>>);

impl Standings {
    /// That of this identity may be another.
    pub fn note(&self, id: IdentityId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    fn take(&self, most: usize) -> Vec<IdentityId> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| noted.pop_first()).take(most).collect()
    }
}

/// Tells what was noted, until the server ends. First all whose standing was told or is worth it.
pub async fn run(noted: Standings, store: Store, engine: Arc<Engine>, clock: Arc<Clock>) {
    let mut interval = tokio::time::interval(LOOK);
    let mut compared = false;
    loop {
        interval.tick().await;
        if !compared {
            match before(&store, &engine).await {
                Ok(all) => all.into_iter().for_each(|id| noted.note(id)),
                Err(error) => {
                    tracing::debug!(%error, "what was told of risks cannot be read");
                    continue;
                }
            }
            compared = true;
        }
        let ids = noted.take(AT_ONCE);
        if ids.is_empty() {
            continue;
        }
        let standings: Vec<Standing> = ids.iter().flat_map(|id| standings(*id, &engine, &clock)).collect();
        if let Err(error) = store.tell_standings(&standings).await {
            tracing::debug!(%error, "whose risk has changed is told later");
            ids.into_iter().for_each(|id| noted.note(id));
        }
    }
}

/// Those to compare after a start: what was told, and what is worth telling. Nobody, if there is nobody to tell.
async fn before(store: &Store, engine: &Engine) -> Result<Vec<IdentityId>, StoreError> {
    if !store.has_streams().await? {
        return Ok(Vec::new());
    }
    let mut all = store.told_standings(RISK, Level::Low.code()).await?;
    all.extend(store.told_standings(COMPLIANCE, COMPLIANT).await?);
    let fails = |id: &IdentityId| engine.posture().stored(*id).is_some_and(|(_, of)| of == Status::NonCompliant);
    all.extend(engine.posture().ids().into_iter().filter(fails));
    all.extend(engine.risks().subjects().into_iter().filter_map(|subject| match subject {
        Subject::Identity(id) => Some(id),
        Subject::Mac(_) => None,
    }));
    Ok(all)
}

fn standings(id: IdentityId, engine: &Engine, clock: &Clock) -> Vec<Standing> {
    let (snapshot, now) = (engine.snapshot(), clock.now());
    let Some(identity) = snapshot.identities.by_id(id) else { return Vec::new() };
    let name = identity.name.to_string();
    let happening = move |what: What, why: String, name: &str| Happening {
        at: now,
        what,
        identity: Some(id),
        name: Some(name.to_owned()),
        session: None,
        why,
        by_admin: false,
    };
    let risk = engine.risks().risk(Subject::Identity(id), &snapshot.risk, now);
    let (level, why, of) = (risk.level, factors(&risk), name.clone());
    let tell_risk = move |before: Option<&str>| {
        let before = before.and_then(Level::from_code).unwrap_or_default();
        happening(What::Risk { level, before }, why.clone(), &of)
    };
    let told = Standing {
        identity: id,
        what: RISK,
        value: level.code(),
        usual: Level::Low.code(),
        happening: Box::new(tell_risk),
    };
    let mut all = vec![told];
    let verdict = engine.posture().verdict(identity, &snapshot.compliance, now);
    let compliant = match verdict.status {
        Status::Compliant | Status::Warning => true,
        Status::NonCompliant => false,
        // Of what is not known nothing is told.
        Status::Unknown => return all,
    };
    let why = if compliant { "its posture is as it should be" } else { "its posture is not as it should be" };
    let tell_compliance = move |before: Option<&str>| {
        let before = before.map(|told| told == COMPLIANT);
        happening(What::Compliance { compliant, before }, why.to_owned(), &name)
    };
    let value = if compliant { COMPLIANT } else { NOT_COMPLIANT };
    let tell_compliance = Box::new(tell_compliance);
    all.push(Standing { identity: id, what: COMPLIANCE, value, usual: COMPLIANT, happening: tell_compliance });
    all
}

/// What speaks against somebody, in a few words.
fn factors(risk: &Risk) -> String {
    const NAMED: usize = 5;
    let mut kinds: Vec<&str> = risk.factors.iter().map(|(factor, _)| factor.kind.code()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.truncate(NAMED);
    format!("the score is {:.0}: {}", risk.score, kinds.join(", "))
}
