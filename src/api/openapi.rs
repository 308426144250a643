//! The OpenAPI document: made of what each handler says of itself, with what all have in common.

use super::problem::{MAX_BODY, ProblemDetails};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa::{PartialSchema, ToSchema};

/// What the document says of the API as a whole.
const DESCRIPTION: &str = "Everything that the console and the command line do, they do by this API. \
    Each operation names under `security` the permission that it wants; docs/api.md says which roles have it. \
    Lists come in pages: ask for the next with `cursor` and the value of `next`. Times are RFC 3339 in UTC. \
    Errors are problem details (RFC 9457).";

/// Finishes what the handlers said: `info`, ways to authenticate, and the answers that any operation may give.
pub(super) fn finish(mut document: OpenApi) -> Value {
    let components = document.components.get_or_insert_default();
    let mut schemas = vec![(ProblemDetails::name().into_owned(), ProblemDetails::schema())];
    ProblemDetails::schemas(&mut schemas);
    components.schemas.extend(schemas);
    // What it is made of can always be written as JSON.
    let mut document = serde_json::to_value(&document).unwrap_or_default();
    document["info"] = json!({
        "title": "Cordon",
        "version": env!("CARGO_PKG_VERSION"),
        "description": DESCRIPTION,
        "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
    });
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "A token: the server's own, or one that an operator made." },
        "cookie": {
            "type": "apiKey", "in": "cookie", "name": "__Host-cordon",
            "description": "A sign-in (`cordon` over plain HTTP). Changes want the header X-Cordon-CSRF as well.",
        },
    });
    let problem = json!({
        "description": "",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemDetails" } } },
    });
    let key = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "The same request with the same key is done once; its answer is kept for a day.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
    });
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let guarded = operation["security"][0].as_object().is_some_and(|scheme| !scheme.is_empty());
            if guarded && let Some(ways) = operation["security"].as_array_mut() {
                ways.push(json!({ "cookie": [] }));
            }
            let body = operation.get("requestBody").is_some();
            let writes = guarded && method != "get";
            let parameters = operation.get("parameters").is_some();
            if method == "post" && body {
                let list = operation.as_object_mut().map(|of| of.entry("parameters").or_insert_with(|| json!([])));
                if let Some(list) = list.and_then(Value::as_array_mut) {
                    list.push(key.clone());
                }
            }
            let Some(responses) = operation["responses"].as_object_mut() else { continue };
            // What is refused is told as a problem, whoever refuses it, unless a standard wants another form.
            let plain = |refusal: &Value| refusal.get("content").is_none();
            for (_, refusal) in responses.iter_mut().filter(|(status, of)| *status >= &"400".to_owned() && plain(of)) {
                refusal["content"] = problem["content"].clone();
            }
            let mut may = |status: &str, when: bool, why: &str| {
                if when && !responses.contains_key(status) {
                    let mut answer = problem.clone();
                    answer["description"] = why.into();
                    responses.insert(status.into(), answer);
                }
            };
            may("400", parameters || body, "The request cannot be read");
            may("401", guarded, "Nobody known asks");
            may("403", guarded, "They may not do that");
            may("404", path.contains('{'), "There is no such thing");
            may("409", writes, "It does not fit what there is, or was asked for already");
            may("412", writes, "It is another than If-Match says, or is there");
            may("413", body, &format!("The body is longer than {} MiB", MAX_BODY >> 20));
            may("415", body, "The body is no JSON");
            may("422", writes, "It, or what would come of it, is wrong");
            may("429", guarded, "Too many requests; Retry-After says when to try again");
            may("500", true, "The server is at fault");
            may("503", guarded, "The database cannot be used at the moment");
        }
    }
    document
}
