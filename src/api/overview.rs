//! The whole at a glance: what happens, what fails and why, what needs somebody, and the four principles as numbers. All of it
//! is in memory, or a few rows: nobody reads what was recorded to show it.

use super::ApiState;
use super::calendar::{Item, endings};
use super::problem::Problem;
use super::risk::RiskView;
use crate::access::Snapshot;
use crate::audit::tally::{Ended, Tally};
use crate::coa::life::{Ending, Life};
use crate::ids::SessionId;
use crate::inventory::behaviour::Behaviour;
use crate::inventory::nas::Nas;
use crate::session::census::Census;
use crate::signals::risk::Level;
use crate::store::changes::ChangeFilter;
use crate::telemetry::DiscardRow;
use crate::time::Timestamp;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// How long an answer is given again: many may look at it, and each second is enough.
const FRESH: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Of changes that the server found due, those of this time tell how fast it contains.
const CONTAINED: Duration = Duration::from_secs(7 * 24 * 3600);
/// And no more than so many, the latest.
const MAX_CONTAINED: u32 = 200;
/// What ends within this time is shown.
const AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);
/// A NAS from which nothing came for so long is silent.
const SILENT: Duration = Duration::from_secs(15 * 60);
/// Of lists, what is shown here; their own operations have all of it.
const SHOWN: usize = 10;
/// NASes that need somebody, at most.
const SHOWN_NAS: usize = 50;

/// An answer, and when it was made.
type Answered = (Timestamp, Arc<Overview>);

/// The last answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Last(Arc<tokio::sync::Mutex<Option<Answered>>>);

/// The whole at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overview {
    at: Timestamp,
    /// Since when attempts are counted; what lies before is not among the figures.
    counted_since: Timestamp,
    /// Each minute of the last hour, the present one last.
    minutes: Vec<MinuteView>,
    hour: EndedView,
    day: EndedView,
    /// Why attempts of the last hour ended that were not let in, the most frequent first.
    reasons_hour: Vec<ReasonCount>,
    /// The same of the last day.
    reasons_day: Vec<ReasonCount>,
    sessions: SessionsOverview,
    /// What ends within 30 days and is more than a single identity, the earliest first; `GET /api/v1/calendar` has all.
    ending: Vec<Item>,
    nas: NasOverview,
    at_risk: RiskOverview,
    /// The four principles, each as a number and with what lies behind it.
    principles: Vec<Principle>,
}

/// A minute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MinuteOfLogins)]
pub(super) struct MinuteView {
    begin: Timestamp,
    accept: u64,
    reject: u64,
    incomplete: u64,
}

/// How attempts ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoginsEnded)]
pub(super) struct EndedView {
    accept: u64,
    reject: u64,
    incomplete: u64,
    /// Of those that were let in, those that proved themselves by a certificate.
    by_certificate: u64,
}

impl From<Ended> for EndedView {
    fn from(ended: Ended) -> Self {
        let Ended { accept, reject, incomplete, by_certificate } = ended;
        Self { accept, reject, incomplete, by_certificate }
    }
}

/// A reason, and how often it was one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonCount {
    reason: &'static str,
    count: u64,
    /// What it means.
    cause: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// Who is on the network.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionsOverview {
    total: u64,
    /// By kind of identity; `unknown` is nobody that is known.
    kinds: BTreeMap<String, u64>,
    /// By site; those of NASes without one are under the empty name.
    sites: BTreeMap<String, u64>,
    /// Those of which accounting alone tells.
    unproven: u64,
}

/// How the NASes are doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NasOverview {
    /// How many are configured.
    total: usize,
    /// From how many of them something came within 15 minutes.
    active: usize,
    /// From how many nothing ever came.
    never_seen: usize,
    /// Addresses that ask and are no NAS, since the start.
    unknown: u64,
    /// Those that need somebody, the gravest first; at most 50.
    troubled: Vec<TroubledNas>,
}

/// A NAS that needs somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TroubledNas {
    name: String,
    #[schema(required)]
    site: Option<String>,
    /// `wrong_secret`, `dropped`, `silent`, `never_seen` or `no_message_authenticator`.
    trouble: &'static str,
    detail: String,
    remedy: String,
    #[schema(required)]
    last_at: Option<Timestamp>,
}

/// Who speaks for caution.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RiskOverview {
    high: usize,
    medium: usize,
    /// The gravest, at most 10.
    worst: Vec<RiskView>,
}

/// A principle of zero trust, as it stands here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Principle {
    /// `verify_explicitly`, `least_privilege`, `assume_breach` or `continuously_validate`.
    principle: &'static str,
    /// The number; null where there is nothing yet that it could be made of.
    #[schema(required)]
    value: Option<f64>,
    /// What it counts: `decisions_per_hour`, `broad_rules` or `seconds`.
    unit: &'static str,
    /// A second number that belongs to it: the share of certificates, the longest time to contain, sessions never proven.
    #[schema(required)]
    also: Option<f64>,
    /// In words.
    detail: String,
    /// The operation that lists what lies behind it.
    see: String,
}

/// The whole at a glance
///
/// What happens and fails, who is on the network, what ends soon, which NASes and identities need somebody, and the four
/// principles of zero trust as numbers. An answer is made at most once a second.
#[utoipa::path(
    get, path = "/api/v1/overview", operation_id = "get_overview", tag = "system",
    responses((status = 200, description = "It", body = Overview)),
    security(("bearer" = ["network:read"]))
)]
pub(super) async fn get(State(state): State<ApiState>) -> Result<Json<Arc<Overview>>, Problem> {
    // Who comes meanwhile waits for the same answer.
    let mut last = state.overview.0.lock().await;
    let now = state.clock.now();
    if let Some((at, overview)) = &*last
        && now.since(*at) < FRESH
    {
        return Ok(Json(overview.clone()));
    }
    let overview = Arc::new(made(&state, now).await?);
    *last = Some((now, overview.clone()));
    Ok(Json(overview))
}

async fn made(state: &ApiState, now: Timestamp) -> Result<Overview, Problem> {
    let snapshot = state.engine.snapshot();
    let census = state.writer.census();
    let contained = containment(state, now).await?;
    let ending = endings(state, now, now + AHEAD).await?;
    let ending = ending.items.into_iter().filter(|item| item.is_of_many()).take(SHOWN).collect();
    let (since_hour, since_day) = (now - HOUR, now - DAY);
    // What is stored meanwhile waits for it: only figures are taken out.
    let counted = state.writer.feed().counted(|tally| {
        let minutes = tally.minutes(since_hour + Duration::from_secs(60), now);
        let ended = (tally.ended(since_hour), tally.ended(since_day));
        (tally.since(), minutes, ended, reasons(tally, since_hour), reasons(tally, since_day))
    });
    let (counted_since, minutes, (hour, day), reasons_hour, reasons_day) = counted;
    let minute = |(begin, ended): (Timestamp, Ended)| {
        let Ended { accept, reject, incomplete, .. } = ended;
        MinuteView { begin, accept, reject, incomplete }
    };
    Ok(Overview {
        at: now,
        counted_since: counted_since.max(since_day),
        minutes: minutes.into_iter().map(minute).collect(),
        hour: hour.into(),
        day: day.into(),
        reasons_hour,
        reasons_day,
        sessions: sessions(&census, &snapshot),
        ending,
        nas: nas(state, &snapshot, now),
        at_risk: at_risk(state, &snapshot, now),
        principles: vec![verify(hour), least_privilege(&snapshot), contained, validate(&census, now)],
    })
}

fn reasons(tally: &Tally, since: Timestamp) -> Vec<ReasonCount> {
    let count = |(reason, count): (crate::audit::Reason, u64)| ReasonCount {
        reason: reason.code(),
        count,
        cause: reason.cause(),
        remedy: reason.remedy(),
    };
    tally.reasons(since).into_iter().map(count).collect()
}

fn sessions(census: &Census, snapshot: &Snapshot) -> SessionsOverview {
    let (mut kinds, mut sites) = (BTreeMap::new(), BTreeMap::new());
    for ((kind, nas), count) in &census.by {
        *kinds.entry(kind.clone().unwrap_or_else(|| "unknown".into())).or_default() += count;
        let site = snapshot.nas.named(nas).and_then(|nas| nas.site.clone());
        *sites.entry(site.unwrap_or_default()).or_default() += count;
    }
    SessionsOverview { total: census.total, kinds, sites, unproven: census.unproven }
}

/// How NASes behave at the addresses that they send from, by name.
fn behaviours(state: &ApiState) -> HashMap<String, Vec<Behaviour>> {
    let mut by_name: HashMap<String, Vec<Behaviour>> = HashMap::new();
    for behaviour in state.engine.watch().select(|_| true) {
        by_name.entry(behaviour.name.clone()).or_default().push(behaviour);
    }
    by_name
}

fn nas(state: &ApiState, snapshot: &Snapshot, now: Timestamp) -> NasOverview {
    let (known, discards) = (behaviours(state), state.metrics.discards());
    let mut overview = NasOverview {
        total: snapshot.nas.all().len(),
        active: 0,
        never_seen: 0,
        unknown: discards.iter().filter(|row| row.reason.code() == "unknown_nas").map(|row| row.count).sum(),
        troubled: Vec::new(),
    };
    let mut troubled = Vec::new();
    for nas in snapshot.nas.all() {
        let seen = known.get(&nas.name).map(Vec::as_slice).unwrap_or_default();
        let last = seen.iter().map(|behaviour| behaviour.last).max();
        overview.active += usize::from(last.is_some_and(|at| now.since(at) < SILENT));
        let of_it = discards.iter().filter(|row| row.nas == nas.name && now.since(row.last_at) < DAY);
        let dropped = of_it.max_by_key(|row| (row.reason.code() == "wrong_secret", row.last_at));
        overview.never_seen += usize::from(last.is_none() && dropped.is_none());
        troubled.extend(trouble(nas, seen, last, dropped, now));
    }
    troubled.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.name.cmp(&other.name)));
    overview.troubled = troubled.into_iter().map(|(_, troubled)| troubled).take(SHOWN_NAS).collect();
    overview
}

/// What is wrong with a NAS, and how grave that is, the gravest as 0.
fn trouble(
    nas: &Nas,
    seen: &[Behaviour],
    last: Option<Timestamp>,
    dropped: Option<&DiscardRow>,
    now: Timestamp,
) -> Option<(u8, TroubledNas)> {
    let told = |grave: u8, trouble: &'static str, detail: String, remedy: &str| {
        let (name, site, remedy) = (nas.name.clone(), nas.site.clone(), remedy.to_owned());
        Some((grave, TroubledNas { name, site, trouble, detail, remedy, last_at: last }))
    };
    // What was dropped before all went well is over.
    if let Some(row) = dropped.filter(|row| last.is_none_or(|last| row.last_at + SILENT >= last)) {
        let wrong = row.reason.code() == "wrong_secret";
        let detail = format!("{} ({} times, last from {})", row.reason.cause(), row.count, row.last_source);
        return told(u8::from(!wrong), if wrong { "wrong_secret" } else { "dropped" }, detail, row.reason.remedy());
    }
    match last {
        None => told(
            4,
            "never_seen",
            "nothing ever came from it".into(),
            "enter this server on it, and look here whether its first packet comes; `GET /api/v1/nas/{name}/snippet` has the text",
        ),
        Some(at) if now.since(at) >= SILENT => told(
            3,
            "silent",
            format!("nothing came from it since {at}"),
            "if there should be logins, look whether it is up, and at the path between it and this server",
        ),
        Some(_) if nas.secret.is_some() && seen.iter().any(|b| b.message_authenticator() != "always") => told(
            2,
            "no_message_authenticator",
            "requests come without Message-Authenticator: whoever is on the path can forge replies to them (BlastRADIUS)".into(),
            "update it, or switch Message-Authenticator on there; then say message_authenticator = \"required\" here",
        ),
        Some(_) => None,
    }
}

fn at_risk(state: &ApiState, snapshot: &Snapshot, now: Timestamp) -> RiskOverview {
    let risks = state.engine.risks();
    let each = risks.subjects().into_iter().map(|subject| (subject, risks.risk(subject, &snapshot.risk, now)));
    let mut all: Vec<_> = each.filter(|(_, risk)| risk.level != Level::Low).collect();
    all.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    let of = |level| all.iter().filter(|(_, risk)| risk.level == level).count();
    RiskOverview {
        high: of(Level::High),
        medium: of(Level::Medium),
        worst: all.iter().take(SHOWN).map(|(subject, risk)| RiskView::of(*subject, risk, snapshot)).collect(),
    }
}

fn verify(hour: Ended) -> Principle {
    let share = (hour.accept > 0).then(|| hour.by_certificate as f64 / hour.accept as f64);
    let detail = match share {
        Some(share) => format!(
            "{} decisions in the last hour; {:.0} % of those let in had a certificate",
            hour.all(),
            share * 100.0
        ),
        None => format!("{} decisions in the last hour; nobody was let in", hour.all()),
    };
    Principle {
        principle: "verify_explicitly",
        value: Some(hour.all() as f64),
        unit: "decisions_per_hour",
        also: share,
        detail,
        see: "/api/v1/decisions".into(),
    }
}

fn least_privilege(snapshot: &Snapshot) -> Principle {
    let broad = snapshot.policy.broad();
    let detail = match broad.as_slice() {
        [] => format!("none of {} rules grants to everybody or without a condition", snapshot.policy.len()),
        [first, ..] => {
            format!("{} of {} rules are broad; {:?}: {}", broad.len(), snapshot.policy.len(), first.rule, first.why)
        }
    };
    Principle {
        principle: "least_privilege",
        value: Some(broad.len() as f64),
        unit: "broad_rules",
        also: Some(snapshot.policy.len() as f64),
        detail,
        see: "/api/v1/policy".into(),
    }
}

/// From when a change was found due until its NAS confirmed it, of those that nobody asked for.
async fn containment(state: &ApiState, now: Timestamp) -> Result<Principle, Problem> {
    let done = ChangeFilter { state: Some(Ending::Done.code()), ..ChangeFilter::default() };
    let page = state.store.changes_to_sessions(&done, None, MAX_CONTAINED).await?;
    let times = page.items.iter().filter_map(|life| match life {
        Life::Over(over) if over.order.cause.automatic && now.since(over.order.cause.at) < CONTAINED => {
            Some(over.at.since(over.order.cause.at).as_secs_f64())
        }
        _ => None,
    });
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let (median, longest) = (times.get(times.len() / 2).copied(), times.last().copied());
    let detail = match (median, longest) {
        (Some(median), Some(longest)) => format!(
            "{} sessions were changed without being asked for in the last week: half of them within {median:.1} s, all within {longest:.1} s",
            times.len()
        ),
        _ => "no session had to be changed in the last week".into(),
    };
    let see = format!("/api/v1/changes?state={}", Ending::Done.code());
    Ok(Principle { principle: "assume_breach", value: median, unit: "seconds", also: longest, detail, see })
}

fn validate(census: &Census, now: Timestamp) -> Principle {
    let seconds = census.oldest.as_ref().map(|oldest| now.since(oldest.proven).as_secs_f64());
    let see = |id: &SessionId| format!("/api/v1/sessions/{id}");
    let detail = match &census.oldest {
        Some(oldest) => {
            let who = oldest.who.as_deref().unwrap_or("somebody");
            format!("{who} at {} proved itself last at {}; no session is older", oldest.nas, oldest.proven)
        }
        None => "nobody is on the network".into(),
    };
    Principle {
        principle: "continuously_validate",
        value: seconds,
        unit: "seconds",
        also: Some(census.unproven as f64),
        detail,
        see: census.oldest.as_ref().map_or_else(|| "/api/v1/sessions?live=true".into(), |o| see(&o.session)),
    }
}
