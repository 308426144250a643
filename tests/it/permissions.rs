//! Who may ask for what: every operation with every role.

use crate::support::server::{Server, TOKEN};
use cordon::operators::role::Role;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// A token of this role.
fn token(server: &Server, body: &Value) -> Value {
    let (status, made) = server.send("POST", "/api/v1/tokens", body);
    assert_eq!(status, 201, "{made:#}");
    made
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// What each operation asks for, and who has it: the line of an operation is wanted by `tests/golden/permissions.txt`.
#[test]
fn every_operation_is_for_those_roles_alone_that_the_table_names() {
    let server = Server::bare();
    let tokens: Vec<(Role, String)> = Role::ALL
        .into_iter()
        .map(|role| {
            let made = token(&server, &json!({ "name": role.code(), "role": role.code() }));
            (role, made["token"].as_str().unwrap().to_owned())
        })
        .collect();
    for (_, token) in &tokens {
        assert_eq!(server.exchange("GET", "/api/v1/me", &[&bearer(token)], None).status, 200);
    }
    let document = cordon::api::document();
    let mut table = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            // Nothing is called so: what is let through finds nothing.
            let concrete = path.replace("{id}", "00000000-0000-0000-0000-000000000000").replace("{name}", "none");
            let concrete = concrete.replace("{number}", "0");
            // A stream has no end; what it cannot read has.
            let concrete = concrete.replace("/events", "/events?after=nothing");
            assert!(!concrete.contains('{'), "{path} has a part that this test does not know");
            let body = operation.get("requestBody").map(|_| json!({}));
            let ask = |headers: &[&str]| server.exchange(&method, &concrete, headers, body.as_ref()).status;
            let anonymous = ask(&[]);
            let public = operation["security"] == json!([{}]);
            assert_eq!(anonymous != 401, public, "{method} {path} without a token: {anonymous}");
            // 429: it was tried too often.
            let refused = public || [401, 429].contains(&ask(&[&bearer("cordon_not-one")]));
            assert!(refused, "{method} {path} with a token that is none");
            let mut allowed = Vec::new();
            for (role, token) in &tokens {
                let status = ask(&[&bearer(token)]);
                assert!(status != 401 && status < 500, "{method} {path} as {role}: {status}");
                if status != 403 {
                    allowed.push(role.code());
                }
            }
            let allowed = match (public, allowed.len() == tokens.len()) {
                (true, _) => "everybody, without a token".to_owned(),
                (false, true) => "all roles".to_owned(),
                (false, false) => allowed.join(", "),
            };
            writeln!(table, "{method:6} {path:50} {allowed}").unwrap();
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/permissions.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    for (line, wanted) in table.lines().zip(wanted.lines()) {
        assert_eq!(line, wanted, "who may do that has changed: is it meant? UPDATE_GOLDEN=1 writes the table anew");
    }
    assert_eq!(table.lines().count(), wanted.lines().count(), "an operation has no line; UPDATE_GOLDEN=1 writes it");
}

#[test]
fn a_token_does_no_more_than_it_says_is_shown_once_and_ends() {
    let server = Server::bare();
    let made = token(&server, &json!({ "name": "mdm", "permissions": ["posture:write", "own"], "expires_in_days": 7 }));
    let value = made["token"].as_str().unwrap();
    let id = made["id"].as_str().unwrap();
    let me = server.exchange("GET", "/api/v1/me", &[&bearer(value)], None);
    assert_eq!(
        (&me.body["name"], &me.body["permissions"]),
        (&json!("mdm"), &json!(["own", "posture:write"])),
        "{}",
        me.text
    );
    let refused = server.exchange("GET", "/api/v1/decisions", &[&bearer(value)], None);
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("forbidden")), "{}", refused.text);
    assert!(refused.text.contains("network:read"), "{}", refused.text);

    let listed = server.get("/api/v1/tokens");
    assert_eq!((&listed[0]["id"], &listed[0]["good"]), (&json!(id), &json!(true)), "{listed:#}");
    assert!(!listed[0]["last_used_at"].is_null(), "{listed:#}");
    assert!(!listed.to_string().contains(value), "a value is shown once");
    assert!(!server.get("/api/v1/audit?kind=token").to_string().contains(value));

    // Nobody gives away more than they have.
    let maker = token(&server, &json!({ "name": "maker", "permissions": ["operators:write"] }));
    let maker = bearer(maker["token"].as_str().unwrap());
    for (body, status) in [
        (json!({ "name": "more", "role": "administrator" }), 403),
        (json!({ "name": "as much", "permissions": ["operators:write"] }), 201),
        (json!({ "name": "nothing" }), 400),
        (json!({ "name": "", "role": "viewer" }), 400),
        (json!({ "name": "x", "role": "root" }), 400),
        (json!({ "name": "x", "permissions": ["everything"] }), 400),
        (json!({ "name": "x", "permissions": ["operators:write"], "expires_in_days": 4000 }), 400),
    ] {
        let answer = server.exchange("POST", "/api/v1/tokens", &[&maker], Some(&body));
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }

    let revoked = server.exchange("DELETE", &format!("/api/v1/tokens/{id}"), &[&bearer(TOKEN)], None);
    assert_eq!(revoked.status, 204, "{}", revoked.text);
    assert_eq!(server.exchange("GET", "/api/v1/me", &[&bearer(value)], None).status, 401);
    assert!(!server.get(&format!("/api/v1/tokens/{id}"))["revoked_at"].is_null());
    let events = server.get("/api/v1/audit?kind=token");
    let actions: Vec<_> = events["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["token.revoke", "token.create", "token.create", "token.create"], "{events:#}");
}

#[test]
fn who_guesses_tokens_is_slowed_down_and_nobody_else() {
    let server = Server::bare();
    let good = token(&server, &json!({ "name": "mdm", "role": "viewer" }));
    let me = || server.exchange("GET", "/api/v1/me", &[&bearer(good["token"].as_str().unwrap())], None).status;
    assert_eq!(me(), 200);
    let guess = |n: usize| server.exchange("GET", "/api/v1/me", &[&bearer(&format!("cordon_guess-{n}"))], None).status;
    let statuses: Vec<u16> = (0..120).map(guess).collect();
    assert!(statuses.starts_with(&[401; 50]) && statuses.contains(&429), "{statuses:?}");
    // The server's own token is not looked up.
    assert_eq!(server.exchange("GET", "/api/v1/me", &[&bearer(TOKEN)], None).status, 200);
    assert_eq!(me(), 200, "nor is one that was good before");
}
