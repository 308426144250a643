//! The page that NASes send the browsers of those to who are in quarantine: what fails, how to mend it, and a button that
//! has it looked at again.
//!
//! It is a listener of its own, so that a quarantine network need not reach the API. It works without a script, and
//! knows whose browser it is by the ticket in its address, see [`crate::enforcement::ticket`]. It tells no more than
//! whoever sits there may know: not what speaks against them, and nothing of anybody else.

use super::docs::escaped;
use super::{ApiState, request_id};
use crate::access::identify::{by_certificate, by_mac};
use crate::access::reevaluate::{Standing, look};
use crate::access::replay::facts_of;
use crate::audit::decision::Decision;
use crate::inventory::identity::Identity;
use crate::operators::throttle::Network;
use crate::policy::facts::Principal;
use crate::posture::compliance::{Finding, Severity, Status, Verdict};
use crate::time::Timestamp;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
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
/// Seconds until a page looks by itself that waits for something.
const LOOK_SECS: u32 = 5;

/// Whom people turn to.
#[derive(Clone)]
struct Contact(Arc<Option<String>>);

/// All routes.
pub fn router(state: ApiState, contact: Option<String>) -> Router {
    let contact = Contact(Arc::new(contact));
    let style = || async { ([(header::CONTENT_TYPE, "text/css")], STYLE) };
    Router::new()
        .route("/recheck/style.css", get(style))
        .route("/recheck/{ticket}", get(show).post(again))
        .fallback(|State(_): State<ApiState>| async {
            page(
                StatusCode::NOT_FOUND,
                "Nothing is here",
                "<p>Open the page that your network sends you to.</p>",
                false,
            )
        })
        .layer(axum::Extension(contact))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(from_fn_with_state(state.clone(), request_id::identified))
        .with_state(state)
}

/// Whose browser it is.
struct Guest {
    decision: Decision,
    identity: Option<Arc<Identity>>,
    contained: bool,
}

impl ApiState {
    /// Who was let in by the decision of a ticket.
    async fn guest(&self, ticket: &str, from: SocketAddr) -> Result<Guest, Response> {
        let (now, network) = (self.clock.now(), Network::of(from.ip()));
        self.failures.check(&network, now).map_err(|_| too_many())?;
        let id = self.engine.tickets().read(ticket).filter(|id| now.since(id.made_at()) < TICKET_LIFE);
        let Some(id) = id else {
            self.failures.take(network, now).map_err(|_| too_many())?;
            let text = "<p>This address is not valid any more. Connect to the network again, and open any page.</p>";
            return Err(page(StatusCode::NOT_FOUND, "Connect again", text, false));
        };
        let decision = self.store.decision(id).await.map_err(|error| {
            tracing::warn!(%error, "the page for endpoints cannot be made");
            let text = "<p>The server cannot look it up now. This page looks again by itself.</p>";
            page(StatusCode::SERVICE_UNAVAILABLE, "One moment", text, true)
        })?;
        // It is recorded within a moment of the login.
        let wait = "<p>Your login is being recorded. This page looks again by itself.</p>";
        let decision = decision.ok_or_else(|| page(StatusCode::OK, "One moment", wait, true))?;
        let snapshot = self.engine.snapshot();
        let facts = facts_of(&decision);
        let (leaf, mac) = facts.as_ref().map_or((None, None), |facts| (facts.certificate.as_ref(), facts.mac));
        let ca = facts.as_ref().and_then(|facts| facts.certificate_ca.as_deref());
        let found = match (leaf, mac) {
            (Some(leaf), _) => by_certificate(&snapshot, leaf, ca, now).principal,
            (None, Some(mac)) => by_mac(&snapshot, mac, now).principal,
            (None, None) => Principal::UnknownMac,
        };
        let contained = self.engine.containments().of(&found.subjects(mac)).is_some();
        let identity = match found {
            Principal::Identity(identity) => Some(identity),
            Principal::UnknownCertificate | Principal::UnknownMac => None,
        };
        Ok(Guest { decision, identity, contained })
    }
}

type From = ConnectInfo<SocketAddr>;

async fn show(
    State(state): State<ApiState>,
    axum::Extension(contact): axum::Extension<Contact>,
    ConnectInfo(from): From,
    Path(ticket): Path<String>,
) -> Response {
    let guest = match state.guest(&ticket, from).await {
        Ok(guest) => guest,
        Err(answer) => return answer,
    };
    let (snapshot, now) = (state.engine.snapshot(), state.clock.now());
    let verdict =
        guest.identity.as_ref().map(|identity| state.engine.posture().verdict(identity, &snapshot.compliance, now));
    let standing = look(&guest.decision, &snapshot, &state.engine.known(), now).standing;
    let moves = matches!(&standing, Standing::Differs(difference) if difference.reason.is_none());
    let barred = matches!(&standing, Standing::Differs(difference) if difference.reason.is_some());
    let mut text = String::new();
    let name = guest.identity.as_ref().map(|identity| &*identity.name).or(guest.decision.mac.as_deref());
    let _ = write!(text, "<p>Device: <code>{}</code></p>", escaped(name.unwrap_or("unknown")));
    let title = match &verdict {
        _ if moves => {
            text.push_str("<p role=\"status\">Your access is being changed. This takes some seconds; if nothing happens, connect again.</p>");
            "Your access is being restored"
        }
        _ if barred => {
            text.push_str("<p role=\"alert\">This device is not let in at the moment.</p>");
            "No access"
        }
        Some(verdict) if verdict.status != Status::Compliant && !verdict.findings.is_empty() => {
            write_findings(&mut text, verdict, now);
            "This device needs attention"
        }
        _ if guest.contained => {
            text.push_str("<p role=\"alert\">The access of this device is limited for the time being.</p>");
            "Limited access"
        }
        Some(_) => {
            text.push_str("<p role=\"status\">Everything that is asked of this device is in order.</p>");
            "In order"
        }
        None => {
            text.push_str("<p role=\"alert\">Nobody has registered this device here.</p>");
            "This device is not known"
        }
    };
    if let Some(contact) = contact.0.as_ref() {
        let _ = write!(text, "<p>Help: {}</p>", escaped(contact));
    }
    if guest.identity.is_some() && !moves {
        text.push_str("<form method=\"post\"><button class=\"first\">Check again</button></form>");
        if let Some(at) = verdict.and_then(|verdict| verdict.reported) {
            let _ = write!(text, "<p><small>Last report of this device: {} ago.</small></p>", span(now.since(at)));
        }
    }
    page(StatusCode::OK, title, &text, moves)
}

async fn again(State(state): State<ApiState>, ConnectInfo(from): From, Path(ticket): Path<String>) -> Response {
    let guest = match state.guest(&ticket, from).await {
        Ok(guest) => guest,
        Err(answer) => return answer,
    };
    if let Some(identity) = guest.identity {
        if state.rechecks.take(identity.id, state.clock.now()).is_err() {
            return too_many();
        }
        tracing::info!(identity = &*identity.name, %from, "somebody asks to be looked at again");
        state.posture.look_again(&identity);
    }
    Redirect::to(&format!("/recheck/{ticket}")).into_response()
}

fn write_findings(text: &mut String, verdict: &Verdict, now: Timestamp) {
    for finding in &verdict.findings {
        let Finding { check, severity, found, wanted, grace_until, remedy, .. } = finding;
        let what = if check.meaning().is_empty() { check.name() } else { check.meaning().trim_end_matches('.') };
        let found = found.as_ref().map_or("not known".to_owned(), ToString::to_string);
        let role = match (severity, grace_until) {
            (Severity::Critical, None) => "alert",
            _ => "note",
        };
        let _ = write!(
            text,
            "<section role=\"{role}\"><h2>{}</h2><p>It is: {}. It must be: {}.</p><p>{}</p>",
            escaped(what),
            escaped(&found),
            escaped(wanted),
            escaped(remedy)
        );
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

fn too_many() -> Response {
    let text = "<p>It was asked too often. This page looks again by itself.</p>";
    page(StatusCode::TOO_MANY_REQUESTS, "One moment", text, true)
}

fn page(status: StatusCode, title: &str, text: &str, waits: bool) -> Response {
    let mut html = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    if waits {
        let _ = writeln!(html, "<meta http-equiv=\"refresh\" content=\"{LOOK_SECS}\">");
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
