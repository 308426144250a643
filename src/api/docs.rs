//! The OpenAPI document as a page to read: no script, and nothing from elsewhere.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// What the page may load: its own style, and nothing else.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How it looks.
pub(super) const STYLE: &str = include_str!("docs.css");

/// Text that stands in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text with `code` in it.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (number, part) in escaped(text).split('`').enumerate() {
        let _ = if number % 2 == 1 { write!(out, "<code>{part}</code>") } else { write!(out, "{part}") };
    }
    out
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The page for this document.
pub(super) fn page(document: &Value) -> String {
    let mut tags: Map<String, Value> = Map::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tag = operation["tags"][0].as_str().unwrap_or("other");
            let list = tags.entry(tag).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(serde_json::json!({ "path": path, "method": method, "operation": operation }));
            }
        }
    }
    let (mut contents, mut body) = (String::new(), String::new());
    for (tag, operations) in &tags {
        // Writing to a string cannot fail.
        let _ = write!(contents, "<li><a href=\"#tag-{0}\">{0}</a><ul>", escaped(tag));
        let _ = write!(body, "<section><h2 id=\"tag-{0}\">{0}</h2>", escaped(tag));
        for one in operations.as_array().into_iter().flatten() {
            let (path, method, operation) = (text(one, "path"), text(one, "method").to_uppercase(), &one["operation"]);
            let id = escaped(text(operation, "operationId"));
            let _ = write!(contents, "<li><a href=\"#{id}\">{}</a></li>", prose(text(operation, "summary")));
            body.push_str(&self::operation(&id, &method, path, operation, document));
        }
        contents.push_str("</ul></li>");
        body.push_str("</section>");
    }
    let info = &document["info"];
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Cordon: the HTTP API</title><link rel=\"stylesheet\" \
         href=\"/api/docs.css\"></head><body><nav><h1>Cordon</h1><p>The HTTP API, version {}</p><p><a \
         href=\"/api/v1/openapi.json\">OpenAPI document</a></p><ul>{contents}</ul></nav><main><p class=\"lead\">{}</p>{body}</main>\
         </body></html>",
        escaped(text(info, "version")),
        prose(text(info, "description")),
    )
}

fn operation(id: &str, method: &str, path: &str, operation: &Value, document: &Value) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<article id=\"{id}\"><h3><span class=\"method {0}\">{0}</span> <code>{1}</code></h3><p>{2}</p>",
        method,
        escaped(path),
        prose(text(operation, "summary"))
    );
    for paragraph in text(operation, "description").split("\n\n").filter(|p| !p.is_empty()) {
        let _ = write!(out, "<p>{}</p>", prose(paragraph));
    }
    match operation["security"][0]["bearer"][0].as_str() {
        Some(permission) => {
            let _ = write!(out, "<p class=\"needs\">Needs the permission <code>{}</code></p>", escaped(permission));
        }
        None => out.push_str("<p class=\"needs\">Open to everybody</p>"),
    }
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        out.push_str("<h4>Parameters</h4><table>");
        for parameter in parameters {
            let (name, place) = (escaped(text(parameter, "name")), escaped(text(parameter, "in")));
            let said = prose(text(parameter, "description"));
            let _ = write!(out, "<tr><td><code>{name}</code></td><td>{place}</td><td>{said}</td></tr>");
        }
        out.push_str("</table>");
    }
    let json = &operation["requestBody"]["content"]["application/json"]["schema"];
    if json.is_object() {
        out.push_str("<h4>Body</h4>");
        out.push_str(&schema(json, document));
    }
    out.push_str("<h4>Answers</h4><dl>");
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let _ = write!(out, "<dt>{status}</dt><dd>{}", prose(text(answer, "description")));
        if status.starts_with('2') {
            let bodies = answer["content"].as_object().into_iter().flatten();
            bodies.for_each(|(_, body)| out.push_str(&schema(&body["schema"], document)));
        }
        out.push_str("</dd>");
    }
    out.push_str("</dl>");
    let data = if json.is_object() { " -H 'Content-Type: application/json' -d '{...}'" } else { "" };
    let request = if method == "GET" { String::new() } else { format!(" -X {method}") };
    let _ = write!(
        out,
        "<pre>curl{request} -H \"Authorization: Bearer $TOKEN\"{data} \"$CORDON{}\"</pre></article>",
        escaped(path)
    );
    out
}

/// What a schema refers to.
fn resolved<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

/// The fields of an object as a table; of a list, those of its items.
fn schema(given: &Value, document: &Value) -> String {
    let schema = resolved(given, document);
    let items = resolved(&schema["items"], document);
    let (object, prefix) = if items.is_object() { (items, "a list, each with") } else { (schema, "") };
    let mut fields: Vec<(&String, &Value)> = object["properties"].as_object().into_iter().flatten().collect();
    for part in object["allOf"].as_array().into_iter().flatten() {
        fields.extend(resolved(part, document)["properties"].as_object().into_iter().flatten());
    }
    if fields.is_empty() {
        return String::new();
    }
    let mut out = format!("<p>{prefix}</p><table>");
    for (name, field) in fields {
        let kind = kind_of(field, document);
        let said = prose(text(field, "description"));
        let _ =
            write!(out, "<tr><td><code>{}</code></td><td>{}</td><td>{said}</td></tr>", escaped(name), escaped(&kind));
    }
    out.push_str("</table>");
    out
}

/// The kind of a field in a word or two.
fn kind_of(field: &Value, document: &Value) -> String {
    let own = resolved(field, document);
    let one = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = match &own["type"] {
        Value::Array(all) => all.iter().filter(|kind| *kind != "null").map(one).collect::<Vec<_>>().join(" or "),
        kind => one(kind),
    };
    let kind = match kind.as_str() {
        "array" => format!("list of {}", kind_of(&own["items"], document)),
        _ => kind,
    };
    let format = text(own, "format");
    if format.is_empty() || format.starts_with("int") { kind } else { format.to_owned() }
}
