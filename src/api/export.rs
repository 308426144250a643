//! Lists as a whole: NDJSON and CSV that stream, page by page, for as long as the client reads.

use super::ApiState;
use super::caller::Caller;
use super::extract::Query;
use super::page::Page;
use super::problem::Problem;
use super::{accounting, audit, decisions, endpoints, sessions};
use crate::api::inventory::identities;
use crate::audit::event::Event;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io;
use std::pin::Pin;

/// Rows that are read at a time.
const AT_ONCE: u32 = 500;

/// The parameters of a list, as an export turns them over.
pub(super) trait Listed: Clone + Send + Sync + 'static {
    /// For the page that begins at `cursor`, or at the beginning.
    #[must_use]
    fn page(&self, cursor: Option<String>, limit: u32) -> Self;

    /// Where the export begins, and how many rows it has at most.
    fn bounds(&self) -> (Option<String>, Option<u32>);
}

/// A list's parameters have a cursor and a limit.
macro_rules! listed {
    ($($module:ident),*) => {
        $(impl Listed for $module::Parameters {
            fn page(&self, cursor: Option<String>, limit: u32) -> Self {
                let mut of = self.clone();
                (of.cursor, of.limit) = (cursor, Some(limit));
                of
            }

            fn bounds(&self) -> (Option<String>, Option<u32>) {
                (self.cursor.clone(), self.limit)
            }
        })*
    };
}

listed!(accounting, audit, decisions, endpoints, identities, sessions);

type Pages<T> = Pin<Box<dyn Future<Output = Result<Json<Page<T>>, Problem>> + Send>>;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ndjson,
    Csv(&'static [&'static str]),
}

impl Form {
    fn kind(self) -> &'static str {
        match self {
            Form::Ndjson => "application/x-ndjson",
            Form::Csv(_) => "text/csv; charset=utf-8; header=present",
        }
    }

    fn write<T: Serialize>(self, items: &[T], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Form::Ndjson => {
                for item in items {
                    serde_json::to_writer(&mut *out, item)?;
                    out.push(b'\n');
                }
            }
            Form::Csv(columns) => {
                let mut writer = csv::Writer::from_writer(out);
                for item in items {
                    let Value::Object(fields) = serde_json::to_value(item)? else { continue };
                    writer.write_record(columns.iter().map(|column| cell(&fields, column)))?;
                }
                writer.flush()?;
            }
        }
        Ok(())
    }

    fn head(self) -> Vec<u8> {
        match self {
            Form::Ndjson => Vec::new(),
            Form::Csv(columns) => (columns.join(",") + "\r\n").into_bytes(),
        }
    }
}

/// The text of a column: `nas.name` is the name within `nas`. What a spreadsheet would take for a formula stands behind
/// an apostrophe, since names come from who asks to be let in.
fn cell(fields: &Map<String, Value>, column: &str) -> String {
    let mut parts = column.split('.');
    let first = parts.next().and_then(|part| fields.get(part));
    let value = parts.fold(first, |value, part| value.and_then(|value| value.get(part)));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
            let joined = all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
            if joined.starts_with(['=', '+', '-', '@']) { format!("'{joined}") } else { joined }
        }
        Some(other) => other.to_string(),
    }
}

/// What is left to send.
struct Rest<P> {
    parameters: P,
    cursor: Option<String>,
    left: Option<u32>,
    over: bool,
}

async fn export<P: Listed, T: Serialize + Send + 'static>(
    state: ApiState,
    caller: Caller,
    parameters: P,
    (what, form): (&'static str, Form),
    list: fn(ApiState, Caller, P) -> Pages<T>,
) -> Result<Response, Problem> {
    // What leaves as a whole is told, and by whom.
    let event = Event::new(&caller.by(), format!("{what}.export"), what, what, state.clock.now());
    state.store.audit(vec![event]).await?;
    let (cursor, left) = parameters.bounds();
    let begin = Rest { parameters, cursor, left, over: false };
    // The first page at once: what is wrong with the parameters is an answer of its own.
    let (first, rest) = next(&state, &caller, begin, form, list).await?;
    let head = Bytes::from([form.head(), first].concat());
    let pages = stream::unfold((state, caller, Some(rest)), move |(state, caller, rest)| async move {
        let rest = rest.filter(|rest| !rest.over)?;
        match next(&state, &caller, rest, form, list).await {
            Ok((bytes, rest)) => Some((Ok(Bytes::from(bytes)), (state, caller, Some(rest)))),
            Err(problem) => {
                // Cut off, so that nobody takes a part for the whole.
                let error = io::Error::other(problem.told());
                tracing::warn!(%error, "an export was cut off");
                Some((Err(error), (state, caller, None)))
            }
        }
    });
    let whole = futures_util::StreamExt::chain(stream::once(async { Ok(head) }), pages);
    let name = format!("attachment; filename=\"{what}.{}\"", if form == Form::Ndjson { "ndjson" } else { "csv" });
    let headers = [(header::CONTENT_TYPE, form.kind().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(whole)).into_response())
}

async fn next<P: Listed, T: Serialize>(
    state: &ApiState,
    caller: &Caller,
    rest: Rest<P>,
    form: Form,
    list: fn(ApiState, Caller, P) -> Pages<T>,
) -> Result<(Vec<u8>, Rest<P>), Problem> {
    let limit = rest.left.map_or(AT_ONCE, |left| left.min(AT_ONCE));
    let Json(page) = list(state.clone(), caller.clone(), rest.parameters.page(rest.cursor, limit)).await?;
    let mut bytes = Vec::new();
    form.write(&page.items, &mut bytes).map_err(|e| Problem::internal(&e))?;
    let left = rest.left.map(|left| left.saturating_sub(page.items.len() as u32));
    let over = page.next.is_none() || left == Some(0);
    Ok((bytes, Rest { parameters: rest.parameters, cursor: page.next, left, over }))
}

/// The two exports of a list.
macro_rules! exports {
    ($module:ident, $list:expr, $what:literal, [$($scope:literal),+], $columns:expr,
     [$ndjson_path:literal, $ndjson_id:literal, $csv_path:literal, $csv_id:literal], $ndjson:ident, $csv:ident) => {
        #[utoipa::path(
            get, path = $ndjson_path, operation_id = $ndjson_id, tag = "exports", params($module::Parameters),
            summary = "The whole list as NDJSON, a JSON object in each line",
            responses((status = 200, description = "All rows; `limit` is the most in all", body = String, content_type = "application/x-ndjson")),
            security(("bearer" = [$($scope),+]))
        )]
        pub(super) async fn $ndjson(
            State(state): State<ApiState>,
            caller: Caller,
            Query(p): Query<$module::Parameters>,
        ) -> Result<Response, Problem> {
            export(state, caller, p, ($what, Form::Ndjson), $list).await
        }

        #[utoipa::path(
            get, path = $csv_path, operation_id = $csv_id, tag = "exports", params($module::Parameters),
            summary = "The whole list as CSV (RFC 4180) with a header",
            responses((status = 200, description = "All rows; `limit` is the most in all", body = String, content_type = "text/csv")),
            security(("bearer" = [$($scope),+]))
        )]
        pub(super) async fn $csv(
            State(state): State<ApiState>,
            caller: Caller,
            Query(p): Query<$module::Parameters>,
        ) -> Result<Response, Problem> {
            const COLUMNS: &[&str] = &$columns;
            export(state, caller, p, ($what, Form::Csv(COLUMNS)), $list).await
        }
    };
}

exports!(
    decisions,
    |state, caller, p| Box::pin(decisions::list(State(state), caller, Query(p))),
    "decisions",
    ["network:read", "by_site"],
    [
        "id",
        "at",
        "outcome",
        "reason",
        "cause",
        "remedy",
        "detail",
        "method",
        "nas.name",
        "nas.address",
        "nas.port",
        "identity.kind",
        "identity.name",
        "mac",
        "profile",
        "policies",
        "policy_revision",
        "enforced"
    ],
    ["/api/v1/decisions.ndjson", "export_decisions_ndjson", "/api/v1/decisions.csv", "export_decisions_csv"],
    decisions_ndjson,
    decisions_csv
);
exports!(
    sessions,
    |state, caller, p| Box::pin(sessions::list(State(state), caller, Query(p))),
    "sessions",
    ["network:read", "by_site"],
    [
        "id",
        "state",
        "started_at",
        "last_at",
        "stopped_at",
        "terminate_cause",
        "identity",
        "profile",
        "nas.name",
        "nas.address",
        "nas.port",
        "mac",
        "user_name",
        "framed_ip",
        "framed_ipv6",
        "input_octets",
        "output_octets",
        "session_time_secs",
        "acct_session_id",
        "decision"
    ],
    ["/api/v1/sessions.ndjson", "export_sessions_ndjson", "/api/v1/sessions.csv", "export_sessions_csv"],
    sessions_ndjson,
    sessions_csv
);
exports!(
    accounting,
    |state, caller, p| Box::pin(accounting::list(State(state), caller, Query(p))),
    "accounting",
    ["network:read", "by_site"],
    [
        "id",
        "at",
        "received_at",
        "status",
        "nas",
        "device",
        "acct_session_id",
        "station",
        "input_octets",
        "output_octets",
        "session_time_secs"
    ],
    ["/api/v1/accounting.ndjson", "export_accounting_ndjson", "/api/v1/accounting.csv", "export_accounting_csv"],
    accounting_ndjson,
    accounting_csv
);
exports!(
    endpoints,
    |state, caller, p| Box::pin(endpoints::list(State(state), caller, Query(p))),
    "endpoints",
    ["network:read", "by_site"],
    [
        "id",
        "known_by",
        "mac",
        "vendor",
        "identity.kind",
        "identity.name",
        "category",
        "os",
        "confidence",
        "nas.name",
        "nas.port",
        "ip",
        "first_at",
        "last_at"
    ],
    ["/api/v1/endpoints.ndjson", "export_endpoints_ndjson", "/api/v1/endpoints.csv", "export_endpoints_csv"],
    endpoints_ndjson,
    endpoints_csv
);
exports!(
    identities,
    |state, _, p| Box::pin(identities::list(State(state), Query(p))),
    "identities",
    ["inventory:read"],
    ["id", "kind", "name", "status", "owner", "orphaned", "purpose", "autonomy", "environment", "expires", "groups"],
    ["/api/v1/identities.ndjson", "export_identities_ndjson", "/api/v1/identities.csv", "export_identities_csv"],
    identities_ndjson,
    identities_csv
);
exports!(
    audit,
    |state, _, p| Box::pin(audit::list(State(state), Query(p))),
    "audit",
    ["audit:read"],
    [
        "seq",
        "id",
        "at",
        "actor",
        "role",
        "source.kind",
        "source.address",
        "action",
        "object.kind",
        "object.name",
        "reason",
        "outcome",
        "before",
        "after",
        "prev",
        "hash"
    ],
    ["/api/v1/audit.ndjson", "export_audit_ndjson", "/api/v1/audit.csv", "export_audit_csv"],
    audit_ndjson,
    audit_csv
);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_no_formula_and_nested_names_lead_inside() {
        let Value::Object(fields) = json!({
            "name": "=cmd()", "nas": { "name": "sw1", "port": null }, "n": -3, "groups": ["a", "b"], "text": "a,\"b\"\r\n",
        }) else {
            panic!("no object")
        };
        for (column, text) in
            [("name", "'=cmd()"), ("nas.name", "sw1"), ("nas.port", ""), ("n", "-3"), ("groups", "a b"), ("none.x", "")]
        {
            assert_eq!(cell(&fields, column), text, "{column}");
        }
        let mut out = Vec::new();
        Form::Csv(&["text", "n"]).write(&[Value::Object(fields)], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\"a,\"\"b\"\"\r\n\",-3\n");
    }
}
