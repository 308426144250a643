//! Everything that can be configured, by the API alone.

use crate::support::eapol::Eapol;
use crate::support::server::{Answer, SECRET, Server, TOKEN};
use serde_json::{Value, json};

const POLICY: &str = r#"
@id("laptops") @order("10") @profile("corp")
permit (principal in Group::"laptops", action == Network::Action::"connect", resource);
"#;

fn ask(server: &Server, method: &str, path: &str, headers: &[&str], body: Option<Value>) -> Answer {
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let headers: Vec<&str> = headers.iter().copied().chain([bearer.as_str()]).collect();
    server.exchange(method, path, &headers, body.as_ref())
}

/// Asks, and expects this status.
#[track_caller]
fn expect(server: &Server, status: u16, method: &str, path: &str, body: Value) -> Answer {
    let answer = ask(server, method, path, &[], Some(body).filter(|body| !body.is_null()));
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    answer
}

/// A network in which p256 may log in, made by the API; its identity's id.
pub(crate) fn network(server: &Server) -> String {
    expect(server, 201, "PUT", "/api/v1/sites/hq", json!({ "description": "the main house" }));
    expect(server, 201, "PUT", "/api/v1/groups/laptops", json!({}));
    let nas = json!({ "address": "127.0.0.1", "secret": SECRET, "site": "hq", "groups": ["access"] });
    let made = expect(server, 201, "PUT", "/api/v1/nas/sw1?reason=a+new+switch", nas);
    assert_eq!(
        (&made.body["in_force"], &made.body["item"]["has_secret"]),
        (&json!(true), &json!(true)),
        "{}",
        made.text
    );
    assert!(!made.text.contains(SECRET), "{}", made.text);
    expect(server, 201, "PUT", "/api/v1/profiles/corp", json!({ "vlan": 20 }));
    expect(server, 201, "POST", "/api/v1/identities", json!({ "kind": "user", "name": "alice" }));
    let laptop = json!({
        "kind": "device", "name": "p256", "groups": ["laptops"], "owner": "alice", "purpose": "work",
        "credentials": [{ "san_dns": "p256.corp.example" }],
    });
    let made = expect(server, 201, "POST", "/api/v1/identities", laptop);
    let active =
        expect(server, 200, "POST", "/api/v1/policy/activate", json!({ "text": POLICY, "comment": "the first" }));
    assert_eq!((&active.body["revision"], &active.body["in_force"]), (&json!(1), &json!(true)), "{}", active.text);
    made.body["item"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn from_nothing_to_a_login_and_back_by_the_api_alone() {
    let server = Server::bare();
    let id = network(&server);
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let decision = server.decision(&laptop.mac);
    assert_eq!((&decision["profile"], &decision["identity"]["id"]), (&json!("corp"), &json!(id)));

    // Another VLAN; the secret that is not named stays.
    expect(&server, 200, "PATCH", "/api/v1/profiles/corp", json!({ "vlan": 30 }));
    let nas = expect(&server, 200, "PATCH", "/api/v1/nas/sw1", json!({ "vendor": "cisco-ios", "site": null }));
    assert_eq!(
        (&nas.body["item"]["vendor"], nas.body["item"].get("site")),
        (&json!("cisco-ios"), None),
        "{}",
        nas.text
    );
    laptop.run(&server).assert_accepted(1);
    let reply = server.decision(&laptop.mac)["reply"].to_string();
    assert!(reply.contains("\"30\""), "{reply}");

    // One call, and it is out.
    let status = format!("/api/v1/identities/{id}/status?reason=stolen");
    let out = expect(&server, 200, "POST", &status, json!({ "status": "suspended" }));
    assert_eq!((&out.body["item"]["status"], &out.body["in_force"]), (&json!("suspended"), &json!(true)));
    laptop.run(&server).assert_refused();
    assert_eq!(server.decision(&laptop.mac)["reason"], "identity_suspended");
    expect(&server, 200, "POST", &status, json!({ "status": "active" }));
    laptop.run(&server).assert_accepted(1);
    expect(&server, 422, "POST", &status, json!({ "status": "requested" }));

    let history = expect(&server, 200, "GET", &format!("/api/v1/identities/{id}/history"), Value::Null);
    let actions: Vec<_> =
        history.body["items"].as_array().unwrap().iter().map(|change| &change["fields"]["status"]["new"]).collect();
    assert_eq!(actions.len(), 3, "{}", history.text);
    assert_eq!(actions[1], "suspended", "{}", history.text);
    let events = server.get("/api/v1/audit?kind=nas&object=sw1");
    let first = events["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&first["reason"], &first["role"]), (&json!("a new switch"), &json!("administrator")), "{first:#}");
    assert!(!events.to_string().contains(SECRET));
}

#[test]
fn int_1_every_kind_is_created_by_the_api_with_an_id_of_its_own_and_found_by_filters() {
    let server = Server::bare();
    expect(&server, 201, "POST", "/api/v1/identities", json!({ "kind": "user", "name": "alice" }));
    let mut ids = std::collections::BTreeSet::new();
    for kind in ["device", "machine", "agent", "service", "model"] {
        let body = json!({ "kind": kind, "name": format!("the-{kind}"), "owner": "alice", "purpose": "a test" });
        let made = expect(&server, 201, "POST", "/api/v1/identities", body.clone());
        let id = made.body["item"]["id"].as_str().unwrap().to_owned();
        // The same again is no second one.
        assert_eq!(expect(&server, 409, "POST", "/api/v1/identities", body).body["code"], "exists");
        // It keeps its id, whatever becomes different.
        let patch = json!({ "purpose": "another test", "attributes": { "department": "it" } });
        let changed = expect(&server, 200, "PATCH", &format!("/api/v1/identities/{id}"), patch);
        assert_eq!(changed.body["item"]["id"], json!(id));
        let renamed = expect(&server, 422, "PATCH", &format!("/api/v1/identities/{id}"), json!({ "name": "x" }));
        assert_eq!(renamed.body["code"], "renamed");
        let found = server.get(&format!("/api/v1/identities?kind={kind}&owner=alice&status=active"));
        let names: Vec<_> = found["items"].as_array().unwrap().iter().map(|i| (&i["id"], &i["name"])).collect();
        assert_eq!(names, [(&json!(id), &json!(format!("the-{kind}")))]);
        ids.insert(id);
    }
    assert_eq!(ids.len(), 5);
    // Pages, one by one, in the order in which they came.
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = server.get(&format!("/api/v1/identities?limit=2{cursor}"));
        seen.extend(page["items"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["alice", "the-device", "the-machine", "the-agent", "the-service", "the-model"]);
    assert_eq!(server.get("/api/v1/identities?name=*AGENT")["items"][0]["name"], "the-agent");
}

#[test]
fn gap_4_who_has_no_owner_is_not_created() {
    let server = Server::bare();
    for (body, word) in [
        (json!({ "kind": "agent", "name": "coder", "purpose": "code" }), "no owner"),
        (json!({ "kind": "agent", "name": "coder", "purpose": "code", "owner": "nobody" }), "no user is called that"),
    ] {
        let refused = expect(&server, 422, "POST", "/api/v1/identities", body);
        let first = refused.body["errors"][0]["message"].as_str().unwrap();
        assert!(first.contains(word) && refused.body["code"] == "invalid_inventory", "{}", refused.text);
        assert!(!refused.body["errors"][0]["remedy"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.get("/api/v1/identities")["items"], json!([]));
}

#[test]
fn a_lost_update_is_refused_and_so_is_what_would_not_start() {
    let server = Server::bare();
    let id = network(&server);
    for path in ["/api/v1/sites/hq".to_owned(), format!("/api/v1/identities/{id}")] {
        let read = expect(&server, 200, "GET", &path, Value::Null);
        let etag = format!("If-Match: {}", read.headers["etag"]);
        let change = |text: &str| match path.contains("sites") {
            true => json!({ "description": text }),
            false => json!({ "purpose": text }),
        };
        let first = ask(&server, "PATCH", &path, &[&etag], Some(change("by one")));
        assert_eq!(first.status, 200, "{}", first.text);
        let second = ask(&server, "PATCH", &path, &[&etag], Some(change("by another")));
        assert_eq!((second.status, &second.body["code"]), (412, &json!("precondition_failed")), "{}", second.text);
        let again = expect(&server, 200, "GET", &path, Value::Null);
        assert_eq!(again.headers["etag"], first.headers["etag"]);
        assert!(again.text.contains("by one"), "{}", again.text);
    }
    let there = ask(&server, "PUT", "/api/v1/sites/hq", &["If-None-Match: *"], Some(json!({})));
    assert_eq!(there.status, 412, "{}", there.text);
    assert_eq!(ask(&server, "DELETE", "/api/v1/sites/none", &[], None).status, 404);
    // The rule needs the profile.
    let needed = ask(&server, "DELETE", "/api/v1/profiles/corp", &[], None);
    assert_eq!((needed.status, &needed.body["code"]), (422, &json!("invalid_inventory")), "{}", needed.text);
    // A file would be one of the server's.
    for body in [
        json!({ "toml": "[policy]\nfile = \"/etc/passwd\"\n" }),
        json!({ "toml": "[[nas]]\nname = \"x\"\naddress = \"192.0.2.1\"\nsecret_file = \"/etc/passwd\"\n" }),
    ] {
        let refused = expect(&server, 422, "POST", "/api/v1/apply", body);
        assert!(refused.text.contains("names a file") && !refused.text.contains("root:"), "{}", refused.text);
    }
    for (method, path, body, status) in [
        ("PUT", "/api/v1/nas/sw2", json!({ "address": "not one", "secret": SECRET }), 422),
        ("PUT", "/api/v1/nas/sw2", json!({ "adress": "192.0.2.1" }), 400),
        ("PUT", "/api/v1/profiles/x", json!({ "vlan": 5000 }), 422),
        ("PUT", "/api/v1/bindings/x", json!({ "kind": "device" }), 422),
        ("PUT", "/api/v1/compliance/x", json!({ "checks": [{ "check": "firewall" }] }), 422),
        ("POST", "/api/v1/policy/activate", json!({}), 400),
        ("POST", "/api/v1/policy/activate", json!({ "revision": 99 }), 422),
        ("POST", "/api/v1/policy/activate", json!({ "text": "permit (principal" }), 422),
        ("POST", "/api/v1/policy/rollback", Value::Null, 409),
    ] {
        let refused = expect(&server, status, method, path, body);
        assert_eq!(refused.headers["content-type"], "application/problem+json", "{}", refused.text);
        assert!(refused.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", refused.text);
    }
}

#[test]
fn a_document_is_planned_applied_and_exported() {
    let server = Server::bare();
    let yaml = "site:\n- name: hq\n  description: here\nprofile:\n- name: corp\n  vlan: 20\n";
    let planned = expect(&server, 200, "POST", "/api/v1/apply?plan=true", json!({ "yaml": yaml }));
    assert_eq!((&planned.body["planned_only"], &planned.body["changes_in_all"]), (&json!(true), &json!(2)));
    assert_eq!(server.get("/api/v1/sites")["items"], json!([]));
    expect(&server, 200, "POST", "/api/v1/apply?reason=a+start", json!({ "yaml": yaml }));
    assert_eq!(server.get("/api/v1/sites")["items"][0]["description"], "here");
    let identities: Vec<Value> = (0..500).map(|n| json!({ "kind": "user", "name": format!("user-{n:03}") })).collect();
    let bulk = expect(&server, 200, "POST", "/api/v1/identities/bulk", json!({ "identities": identities }));
    assert_eq!((&bulk.body["created"], &bulk.body["in_force"]), (&json!(500), &json!(true)), "{}", bulk.text);
    let export = ask(&server, "GET", "/api/v1/export", &[], None);
    assert!(export.text.contains("name = \"user-499\""), "{}", &export.text[..500]);
    // What was exported is what there is.
    let again = expect(&server, 200, "POST", "/api/v1/apply", json!({ "toml": export.text, "prune": true }));
    assert_eq!((&again.body["changes_in_all"], &again.body["unchanged"]), (&json!(0), &json!(502)), "{}", again.text);
    let json = json!({ "document": { "site": [{ "name": "branch" }] }, "prune": true });
    let pruned = expect(&server, 200, "POST", "/api/v1/apply", json);
    let changes: Vec<_> = pruned.body["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["action"].as_str().unwrap(), change["name"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("create", "branch"), ("remove", "hq"), ("remove", "corp")]);
    assert!(expect(&server, 400, "POST", "/api/v1/apply", json!({})).text.contains("one of: document, toml, yaml"));
}

#[test]
fn a_policy_is_checked_explained_compared_activated_and_taken_back() {
    let server = Server::bare();
    network(&server);
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let decision = server.decision(&laptop.mac)["id"].as_str().unwrap().to_owned();
    expect(&server, 201, "PUT", "/api/v1/profiles/limited", json!({ "vlan": 30 }));
    let draft = POLICY.replace("corp", "limited");

    let wrong = expect(
        &server,
        200,
        "POST",
        "/api/v1/policy/validate",
        json!({ "text": "permit (principal, action, resource)\nwhen { context.firewall };" }),
    );
    assert_eq!(wrong.body["valid"], false, "{}", wrong.text);
    assert!(wrong.body["errors"][0]["at"].as_str().unwrap().starts_with("policy, line"), "{}", wrong.text);
    let tests = "[[test]]\nname = \"laptops are limited\"\nexpect = \"limited\"\ngiven = { identity = \"p256\" }\n";
    let checked = expect(&server, 200, "POST", "/api/v1/policy/validate", json!({ "text": draft, "tests": tests }));
    assert_eq!(
        (&checked.body["valid"], &checked.body["tests"][0]["passed"]),
        (&json!(true), &json!(true)),
        "{}",
        checked.text
    );
    let failing = json!({ "text": POLICY, "tests": tests });
    assert_eq!(expect(&server, 200, "POST", "/api/v1/policy/validate", failing.clone()).body["valid"], false);
    assert_eq!(expect(&server, 422, "POST", "/api/v1/policy/activate", failing).body["code"], "invalid_policy");

    let diff = expect(&server, 200, "POST", "/api/v1/policy/diff", json!({ "text": draft, "days": 1 }));
    let flow = &diff.body["flows"][0];
    assert_eq!(
        (&flow["from"], &flow["to"], &flow["who"]),
        (&json!("corp"), &json!("limited"), &json!(["p256"])),
        "{}",
        diff.text
    );
    let why = expect(&server, 200, "POST", "/api/v1/policy/explain", json!({ "decision": decision, "text": draft }));
    assert_eq!((&why.body["outcome"], &why.body["profile"]), (&json!("permit"), &json!("limited")), "{}", why.text);
    let stranger = expect(&server, 200, "POST", "/api/v1/policy/explain", json!({ "given": { "method": "mab" } }));
    assert_eq!(stranger.body["outcome"], "no_rule", "{}", stranger.text);
    assert_eq!(stranger.body["rules"][0]["id"], "laptops");

    expect(&server, 200, "POST", "/api/v1/policy/pin", json!({ "decision": decision }));
    let kept = expect(&server, 422, "POST", "/api/v1/policy/activate", json!({ "text": draft }));
    assert!(kept.text.contains(&decision), "the pinned test keeps it out: {}", kept.text);
    let active = expect(
        &server,
        200,
        "POST",
        "/api/v1/policy/activate",
        json!({ "text": draft, "tests": tests, "comment": "less" }),
    );
    laptop.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&laptop.mac)["profile"], "limited");
    assert_eq!(server.get("/api/v1/policy")["digest"], active.body["digest"]);
    let back = expect(&server, 200, "POST", "/api/v1/policy/rollback?reason=too+little", Value::Null);
    assert_ne!(back.body["digest"], active.body["digest"]);
    laptop.run(&server).assert_accepted(1);
    assert_eq!(server.decision(&laptop.mac)["profile"], "corp");
    let revisions = server.get("/api/v1/policy/revisions");
    assert_eq!(revisions.as_array().unwrap().iter().filter(|r| r["in_force"] == true).count(), 1, "{revisions:#}");
    let text = server.get(&format!("/api/v1/policy/revisions/{}", active.body["revision"]))["text"].clone();
    assert_eq!(text, json!(draft));
    let schema = ask(&server, "GET", "/api/v1/policy/schema", &[], None);
    assert!(schema.text.contains("action connect"), "{}", schema.text);
}

#[test]
fn what_the_file_describes_is_read_and_not_written() {
    let server = Server::start(&crate::support::server::Config::default());
    let nas = server.get("/api/v1/nas/test");
    assert_eq!((&nas["home"], &nas["has_secret"]), (&json!("file"), &json!(true)), "{nas:#}");
    for (method, path, body) in [
        ("PATCH", "/api/v1/nas/test", json!({ "site": "hq" })),
        ("PUT", "/api/v1/profiles/corp", json!({ "vlan": 1 })),
        ("POST", "/api/v1/policy/activate", json!({ "text": POLICY })),
        ("POST", "/api/v1/policy/rollback", Value::Null),
    ] {
        let refused = expect(&server, 409, method, path, body);
        assert_eq!(refused.body["code"], "described_in_file", "{}", refused.text);
    }
    let p256 = server.get("/api/v1/identities?name=p256")["items"][0].clone();
    assert_eq!(p256["in_file"], true, "{p256:#}");
    let path = format!("/api/v1/identities/{}", p256["id"].as_str().unwrap());
    assert_eq!(expect(&server, 409, "PATCH", &path, json!({ "purpose": "x" })).body["code"], "described_in_file");
}

#[test]
fn lists_leave_as_a_whole_in_ndjson_and_csv_and_it_is_told_who_took_them() {
    let server = Server::bare();
    network(&server);
    let identities: Vec<Value> =
        (0..1_200).map(|n| json!({ "kind": "user", "name": format!("=user-{n:04}") })).collect();
    expect(&server, 200, "POST", "/api/v1/identities/bulk", json!({ "identities": identities }));
    let ndjson = ask(&server, "GET", "/api/v1/identities.ndjson?kind=user", &[], None);
    assert_eq!(ndjson.headers["content-type"], "application/x-ndjson");
    let names: Vec<Value> =
        ndjson.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone()).collect();
    let all: std::collections::BTreeSet<String> = names.iter().map(Value::to_string).collect();
    assert_eq!((names.len(), all.len()), (1_201, 1_201), "each once");
    let few = ask(&server, "GET", "/api/v1/identities.ndjson?kind=user&limit=700", &[], None);
    assert_eq!(few.text.lines().count(), 700);

    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let csv = ask(&server, "GET", "/api/v1/identities.csv", &[], None);
    let read = server.path("list.csv");
    std::fs::write(&read, &csv.text).unwrap();
    // By another reader than ours; no cell is a formula.
    let script = "import csv,sys; rows=list(csv.DictReader(open(sys.argv[1], newline='')));\
                  print(len(rows), rows[1]['name'], sum(any(v and v[0] in '=+-@' for v in r.values()) for r in rows))";
    let said = crate::support::succeed(std::process::Command::new("python3").args(["-c", script]).arg(&read));
    assert_eq!(said.trim(), "1202 p256 0", "{}", &csv.text[..300]);
    let decisions = ask(&server, "GET", "/api/v1/decisions.csv?identity=p256", &[], None);
    assert!(decisions.text.lines().nth(1).unwrap().contains(",accept,"), "{}", decisions.text);
    assert_eq!(ask(&server, "GET", "/api/v1/decisions.csv?outcome=perhaps", &[], None).status, 400);
    let sessions = ask(&server, "GET", "/api/v1/sessions.ndjson?identity=p256", &[], None);
    assert_eq!(sessions.text.lines().count(), 1);
    let audit = ask(&server, "GET", "/api/v1/audit.ndjson", &[], None);
    let actions: Vec<Value> =
        audit.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].clone()).collect();
    assert!(
        actions.contains(&json!("identities.export")) && actions.contains(&json!("decisions.export")),
        "{actions:?}"
    );
}

#[test]
fn one_box_finds_what_is_meant() {
    let server = Server::bare();
    let id = network(&server);
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let decision = server.decision(&laptop.mac)["id"].as_str().unwrap().to_owned();
    let find = |q: &str| {
        let found = server.get(&format!("/api/v1/search?q={q}"));
        let hits = found["hits"].as_array().unwrap().iter();
        let hits: Vec<_> =
            hits.map(|hit| format!("{} {}", hit["kind"].as_str().unwrap(), hit["title"].as_str().unwrap())).collect();
        (found["read_as"].as_str().unwrap().to_owned(), hits)
    };
    let plain = laptop.mac.replace('-', "");
    let spelled =
        [plain.clone(), laptop.mac.to_uppercase(), format!("{}.{}.{}", &plain[..4], &plain[4..8], &plain[8..])];
    for mac in spelled {
        let (read_as, hits) = find(&mac);
        assert_eq!(read_as, "mac", "{mac}");
        assert!(hits.contains(&"endpoint p256".into()) && hits.contains(&"session p256".into()), "{mac}: {hits:?}");
    }
    assert_eq!(find(&id), ("id".into(), vec!["identity p256".into()]));
    assert_eq!(find(&decision), ("id".into(), vec!["decision p256".into()]));
    assert_eq!(find("P25").1[0], "identity p256");
    assert_eq!(find("sw").1, ["nas sw1"]);
    assert_eq!(find("127.0.0.1").1, ["nas sw1"]);
    assert_eq!(find("nobody-is-called-so").1, Vec::<String>::new());
    assert_eq!(ask(&server, "GET", "/api/v1/search?q=x", &[], None).status, 400);
    for hit in server.get("/api/v1/search?q=p256")["hits"].as_array().unwrap() {
        assert!(server.get(hit["href"].as_str().unwrap()).is_object());
    }
}

#[test]
fn a_request_that_is_sent_again_is_done_once() {
    let server = Server::bare();
    let key = |key: &str| format!("Idempotency-Key: {key}");
    let alice = json!({ "kind": "user", "name": "alice" });
    let first = ask(&server, "POST", "/api/v1/identities", &[&key("k1")], Some(alice.clone()));
    let again = ask(&server, "POST", "/api/v1/identities", &[&key("k1")], Some(alice.clone()));
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body), "{}", again.text);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other =
        ask(&server, "POST", "/api/v1/identities", &[&key("k1")], Some(json!({ "kind": "user", "name": "bob" })));
    assert_eq!((other.status, &other.body["code"]), (422, &json!("key_used_otherwise")), "{}", other.text);
    // Without the key it is another request.
    assert_eq!(ask(&server, "POST", "/api/v1/identities", &[], Some(alice)).status, 409);
    // A token is made once, and its value is not shown again.
    let token = json!({ "name": "mdm", "role": "viewer" });
    let made = ask(&server, "POST", "/api/v1/tokens", &[&key("k2")], Some(token.clone()));
    let again = ask(&server, "POST", "/api/v1/tokens", &[&key("k2")], Some(token));
    assert_eq!((made.status, again.status, &again.body["code"]), (201, 409, &json!("already_asked")), "{}", again.text);
    assert!(!again.text.contains(made.body["token"].as_str().unwrap()));
    assert_eq!(server.get("/api/v1/tokens").as_array().unwrap().len(), 1);
    let server = server.restart("KILL");
    let after =
        ask(&server, "POST", "/api/v1/identities", &[&key("k1")], Some(json!({ "kind": "user", "name": "alice" })));
    assert_eq!((after.status, &after.body), (201, &first.body), "{}", after.text);
}

#[test]
fn what_was_refused_may_be_asked_again_and_a_long_answer_is_given() {
    let server = Server::bare();
    let post = |path: &str, key: &str, body: &Value| {
        // curl asks first whether a long body is welcome, unless it is told not to.
        ask(&server, "POST", path, &[&format!("Idempotency-Key: {key}"), "Expect:"], Some(body.clone()))
    };
    // The same request succeeds once what was in its way is gone.
    let laptop = json!({ "kind": "device", "name": "p256", "owner": "alice", "purpose": "work" });
    assert_eq!(post("/api/v1/identities", "k1", &laptop).status, 422);
    expect(&server, 201, "POST", "/api/v1/identities", json!({ "kind": "user", "name": "alice" }));
    let made = post("/api/v1/identities", "k1", &laptop);
    assert_eq!((made.status, made.headers.get("idempotency-replayed")), (201, None), "{}", made.text);
    // An answer that is too long to be kept is given all the same; its repetition is refused, and does nothing.
    let attributes: std::collections::BTreeMap<String, String> =
        (0..20).map(|number| (format!("key-{number}"), "x".repeat(64))).collect();
    let identity = |number: usize| json!({ "kind": "user", "name": format!("u{number}"), "attributes": attributes });
    let document = json!({ "document": { "identity": (0..1_000).map(identity).collect::<Vec<_>>() } });
    let applied = post("/api/v1/apply", "k2", &document);
    assert_eq!((applied.status, &applied.body["changes_in_all"]), (200, &json!(1_000)));
    assert!(applied.text.len() > 1024 * 1024, "{} octets are kept", applied.text.len());
    let again = post("/api/v1/apply", "k2", &document);
    assert_eq!((again.status, &again.body["code"]), (409, &json!("already_asked")), "{}", again.text);
}

#[test]
fn every_answer_has_an_id_and_the_log_has_no_secrets() {
    let server = Server::bare();
    network(&server);
    let named = ask(&server, "GET", "/api/v1/sites/none", &["X-Request-Id: my-request.7"], None);
    assert_eq!((named.status, named.headers["x-request-id"].as_str()), (404, "my-request.7"));
    let wrong = ask(&server, "GET", "/api/v1/me", &["X-Request-Id: not one; of ours"], None);
    assert_eq!(wrong.headers["x-request-id"].len(), 36, "{:?}", wrong.headers);
    assert_eq!(
        (&wrong.headers["x-content-type-options"], &wrong.headers["cache-control"]),
        (&"nosniff".into(), &"no-cache".into())
    );
    let made = expect(&server, 201, "POST", "/api/v1/tokens", json!({ "name": "mdm", "role": "viewer" }));
    assert_eq!(made.headers["cache-control"], "no-store");
    let id = expect(&server, 201, "PUT", "/api/v1/sites/branch", json!({})).headers["x-request-id"].clone();
    Eapol::new("p256").run(&server).assert_accepted(1);
    let log = server.log();
    assert!(log.contains(&id) && log.contains("/api/v1/sites/{name}"), "{log}");
    for secret in [SECRET, TOKEN, made.body["token"].as_str().unwrap()] {
        assert!(!log.contains(secret), "a secret is in the log:\n{log}");
    }
}
