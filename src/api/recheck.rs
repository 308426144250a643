//! The page that NASes send the browsers of those to who are in quarantine: what fails, how to mend it, and a button that
//! has it looked at again.
//!
//! It is a listener of its own, so that a quarantine network need not reach the API. It works without a script, and
//! knows whose browser it is by the ticket in its address, see [`crate::enforcement::ticket`]. It tells no more than
//! whoever sits there may know: not what speaks against them, and nothing of anybody else.

use super::docs::escaped;
use super::{ApiState, request_id};
use crate::access::reevaluate::{Standing, look};
use crate::audit::decision::Decision;
use crate::inventory::identity::Identity;
use crate::inventory::mac::MacAddress;
use crate::posture::compliance::{Finding, Severity, Status, Verdict};
use crate::signals::signal::Subject;
use crate::store::StoreError;
use crate::store::read::Of;
use crate::time::Timestamp;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_request};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::timeout::TimeoutLayer;

/// What the page may load and ask: its own style, and its own button.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const STYLE: &str = include_str!("../../web/sign-in/style.css");
/// The longest body, in octets: the button sends none.
const MAX_BODY: usize = 1_024;
/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a ticket is good: longer than a session that is not asked to log in again.
const TICKET_LIFE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long a login may be without a session that is known: its NAS has told nothing of it yet.
const GRACE: Duration = Duration::from_secs(600);
/// Sessions of an endpoint that are looked through for the one that goes on.
const SESSIONS: u32 = 8;
/// Pages that are made at once: what they read is read by those, too, who decide and record.
const AT_ONCE: usize = 2;
/// Seconds until a page looks by itself that waits for something.
const LOOK_SECS: u32 = 5;
/// How often it does, one after the other: two minutes.
const LOOKS: u32 = 24;

/// What all pages have in common.
#[derive(Clone)]
struct Pages {
    /// Whom people turn to.
    contact: Option<Arc<str>>,
    turns: Arc<Semaphore>,
}

/// All routes.
pub fn router(state: ApiState, contact: Option<String>) -> Router {
    let pages = Pages { contact: contact.map(Arc::from), turns: Arc::new(Semaphore::new(AT_ONCE)) };
    let style = || async { ([(header::CONTENT_TYPE, "text/css")], STYLE) };
    let nothing = || async {
        page(StatusCode::NOT_FOUND, "Nothing is here", "<p>Open the page that your network sends you to.</p>", None)
    };
    Router::new()
        .route("/recheck/style.css", get(style))
        .route("/recheck/{ticket}", get(show).post(again))
        .fallback(nothing)
        .layer(Extension(pages))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(from_fn_with_state(state.clone(), request_id::identified))
        // Nobody here is part of anybody's trace.
        .layer(map_request(async |mut request: Request| {
            request.headers_mut().remove("traceparent");
            request
        }))
        .with_state(state)
}

/// Whose browser it is, and how it stands.
struct Guest {
    /// What it has now.
    decision: Decision,
    identity: Option<Arc<Identity>>,
    contained: bool,
}

impl Guest {
    /// Whether it has proven who it is. A MAC address proves nothing: whoever shows it is told no more than what to mend.
    fn is_proven(&self) -> bool {
        self.decision.method == "eap-tls"
    }

    /// Why it has what it has, and whether it would come to something else.
    fn standing(&self, state: &ApiState) -> Standing {
        look(&self.decision, &state.engine.snapshot(), &state.engine.known(), state.clock.now()).standing
    }
}

/// How often a page has looked by itself.
#[derive(Deserialize)]
struct Looked {
    #[serde(default)]
    n: u32,
}

impl ApiState {
    /// Who was let in by the decision of a ticket.
    async fn guest(&self, ticket: &str, pages: &Pages, looked: u32) -> Result<Guest, Response> {
        let now = self.clock.now();
        let id = self.engine.tickets().read(ticket).filter(|id| now.since(id.made_at()) < TICKET_LIFE);
        let id = id.ok_or_else(connect_again)?;
        self.guests.take(id, now).map_err(|_| too_many(looked))?;
        let _turn = pages.turns.acquire().await;
        let granted = self.store.decision(id).await.map_err(|error| unreadable(&error, looked))?;
        // It is recorded within a moment of the login.
        let wait = "<p>Your login is being recorded.</p>";
        let granted = granted.ok_or_else(|| page(StatusCode::OK, "One moment", wait, Some(looked)))?;
        let decision = self.goes_on(granted).await.map_err(|error| unreadable(&error, looked))?;
        let decision = decision.ok_or_else(connect_again)?;
        let snapshot = self.engine.snapshot();
        // Whoever has that certificate or address today may be somebody else.
        let identity = decision.identity.as_ref().and_then(|was| snapshot.identities.by_id(was.id).cloned());
        let mac = decision.mac.as_deref().and_then(|mac| MacAddress::parse(mac).ok());
        let subjects = [identity.as_ref().map(|identity| Subject::Identity(identity.id)), mac.map(Subject::Mac)];
        Ok(Guest { contained: self.engine.containments().of(&subjects).is_some(), decision, identity })
    }

    /// The decision of the session that goes on since this login: by it, or by a later login of the same endpoint. Nothing
    /// when there is none.
    async fn goes_on(&self, granted: Decision) -> Result<Option<Decision>, StoreError> {
        let now = self.clock.now();
        let of = match (&granted.mac, &granted.identity) {
            (Some(mac), _) => Of::Mac(mac),
            (None, Some(identity)) => Of::Identity(&identity.name),
            (None, None) => return Ok(Some(granted).filter(|granted| now.since(granted.at) < GRACE)),
        };
        let sessions = self.store.live_sessions(of, now, None, SESSIONS).await?.items;
        if sessions.iter().any(|(session, _)| session.decision() == Some(granted.id)) {
            return Ok(Some(granted));
        }
        let whose = |decision: &Decision| decision.identity.as_ref().map(|identity| identity.id);
        let same = |decision: &Decision| {
            (whose(decision), &decision.method, &decision.mac) == (whose(&granted), &granted.method, &granted.mac)
        };
        let later = sessions.into_iter().find_map(|(_, decision)| decision.filter(same));
        Ok(later.or_else(|| Some(granted).filter(|granted| now.since(granted.at) < GRACE)))
    }
}

async fn show(
    State(state): State<ApiState>,
    Extension(pages): Extension<Pages>,
    Path(ticket): Path<String>,
    looked: Result<Query<Looked>, QueryRejection>,
) -> Response {
    let looked = looked.map_or(0, |Query(looked)| looked.n);
    let guest = match state.guest(&ticket, &pages, looked).await {
        Ok(guest) => guest,
        Err(answer) => return answer,
    };
    let (snapshot, now) = (state.engine.snapshot(), state.clock.now());
    let judged = |identity| state.engine.posture().verdict(identity, &snapshot.compliance, now);
    let verdict = guest.identity.as_deref().map(judged);
    let mut text = String::new();
    let name = guest.identity.as_ref().filter(|_| guest.is_proven()).map(|identity| &*identity.name);
    let name = name.or(guest.decision.mac.as_deref()).unwrap_or("unknown");
    let _ = write!(text, "<p>Device: <code>{}</code></p>", escaped(name));
    let standing = guest.standing(&state);
    let moves = matches!(&standing, Standing::Differs(difference) if difference.reason.is_none());
    let title = match (&standing, &verdict) {
        (Standing::Differs(difference), _) if difference.reason.is_some() => {
            text.push_str("<p role=\"alert\">This device is not let in at the moment.</p>");
            "No access"
        }
        (Standing::Differs(_), _) => {
            text.push_str("<p role=\"status\">This takes some seconds. If nothing happens, connect again.</p>");
            "Your access is being changed"
        }
        (_, Some(verdict)) if !verdict.findings.is_empty() => {
            write_findings(&mut text, verdict, guest.is_proven(), now);
            if verdict.status == Status::Warning { "This should be mended" } else { "This device needs attention" }
        }
        _ if guest.contained => {
            text.push_str("<p role=\"alert\">The access of this device is limited for the time being.</p>");
            "Limited access"
        }
        (_, Some(_)) => {
            text.push_str("<p role=\"status\">Everything that is asked of this device is in order.</p>");
            "In order"
        }
        (_, None) => {
            text.push_str("<p role=\"alert\">Nobody has registered this device here.</p>");
            "This device is not known"
        }
    };
    if let Some(contact) = &pages.contact {
        let _ = write!(text, "<p>Help: {}</p>", escaped(contact));
    }
    if guest.identity.is_some() && !moves {
        text.push_str("<form method=\"post\"><button class=\"first\">Check again</button></form>");
        if let Some(at) = verdict.and_then(|verdict| verdict.reported).filter(|_| guest.is_proven()) {
            let _ = write!(text, "<p><small>Last report of this device: {} ago.</small></p>", span(now.since(at)));
        }
    }
    page(StatusCode::OK, title, &text, moves.then_some(looked))
}

async fn again(
    State(state): State<ApiState>,
    Extension(pages): Extension<Pages>,
    Path(ticket): Path<String>,
) -> Response {
    let guest = match state.guest(&ticket, &pages, 0).await {
        Ok(guest) => guest,
        Err(answer) => return answer,
    };
    if let Some(identity) = &guest.identity {
        state.posture.judge_again(identity);
        // Where nothing has changed there is nothing to look at.
        if matches!(guest.standing(&state), Standing::Differs(_)) {
            state.posture.look_again(identity);
        }
    }
    Redirect::to(&format!("/recheck/{ticket}")).into_response()
}

/// What fails and what to do; what was found, to who is meant.
fn write_findings(text: &mut String, verdict: &Verdict, is_proven: bool, now: Timestamp) {
    for finding in &verdict.findings {
        let Finding { check, severity, found, wanted, grace_until, remedy, .. } = finding;
        let what = if check.meaning().is_empty() { check.name() } else { check.meaning().trim_end_matches('.') };
        let found = found.as_ref().map_or("not known".to_owned(), ToString::to_string);
        let role = match (severity, grace_until) {
            (Severity::Critical, None) => "alert",
            _ => "note",
        };
        let _ = write!(text, "<section role=\"{role}\"><h2>{}</h2>", escaped(what));
        if is_proven {
            let _ = write!(text, "<p>It is: {}. It must be: {}.</p>", escaped(&found), escaped(wanted));
        }
        let _ = write!(text, "<p>{}</p>", escaped(remedy));
        if let Some(until) = grace_until.filter(|until| *until > now) {
            let _ = write!(text, "<p>There is time for that: {}.</p>", span(until.since(now)));
        }
        text.push_str("</section>");
    }
}

/// A span of time, in the largest unit that it fills.
fn span(time: Duration) -> String {
    let secs = time.as_secs();
    let (count, unit) = match secs {
        0..60 => (secs, "second"),
        60..3_600 => (secs / 60, "minute"),
        3_600..86_400 => (secs / 3_600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn connect_again() -> Response {
    let text = "<p>This address is not valid any more. Connect to the network again, and open any page.</p>";
    page(StatusCode::NOT_FOUND, "Connect again", text, None)
}

fn unreadable(error: &StoreError, looked: u32) -> Response {
    tracing::warn!(%error, "the page for endpoints cannot be made");
    let text = "<p>The server cannot look it up now.</p>";
    page(StatusCode::SERVICE_UNAVAILABLE, "One moment", text, Some(looked))
}

fn too_many(looked: u32) -> Response {
    page(StatusCode::TOO_MANY_REQUESTS, "One moment", "<p>It was asked too often.</p>", Some(looked))
}

/// A page; one that waits for something has looked so often by itself, and looks again.
fn page(status: StatusCode, title: &str, text: &str, waits: Option<u32>) -> Response {
    let mut html = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    if let Some(looked) = waits.filter(|looked| *looked < LOOKS) {
        let _ = writeln!(html, "<meta http-equiv=\"refresh\" content=\"{LOOK_SECS};url=?n={}\">", looked + 1);
    }
    let _ = write!(
        html,
        "<title>{title}</title>\n<link rel=\"stylesheet\" href=\"/recheck/style.css\">\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{text}\n\
         </main>\n</body>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // The ticket in the address is nobody else's business.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_one_unit() {
        let told = |secs| span(Duration::from_secs(secs));
        assert_eq!(
            [1, 59, 60, 7_199, 86_400 * 3].map(told),
            ["1 second", "59 seconds", "1 minute", "1 hour", "3 days"]
        );
    }
}
