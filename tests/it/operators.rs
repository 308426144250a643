//! Operators: who they are, how they sign in, and where their rights end.

use crate::support::radclient::radclient;
use crate::support::server::{Answer, SECRET, Server};
use crate::support::{Background, feed, node, succeed};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PASSWORD: &str = "correct horse battery staple";

/// The link that the log of a first start shows.
#[track_caller]
fn first_link(server: &Server) -> String {
    let log = server.log();
    let link = log.split_whitespace().rev().find(|word| word.contains("/sign-in#"));
    link.unwrap_or_else(|| panic!("no link in the log:\n{log}")).to_owned()
}

/// Where the screenshots are kept.
fn shots() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// curl as a browser: with a jar of cookies, from an address of loopback.
struct Browser<'a> {
    server: &'a Server,
    jar: tempfile::NamedTempFile,
    from: String,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server, from: &str) -> Browser<'a> {
        Browser { server, jar: tempfile::NamedTempFile::new().unwrap(), from: from.into() }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, body, &["X-Cordon-CSRF: 1"])
    }

    fn ask_with(&self, method: &str, path: &str, body: &Value, headers: &[&str]) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--request", method, "--interface", &self.from]);
        curl.arg("--cookie").arg(self.jar.path()).arg("--cookie-jar").arg(self.jar.path());
        for header in headers {
            curl.args(["--header", header]);
        }
        if !body.is_null() {
            curl.args(["--header", "Content-Type: application/json", "--data-binary", "@-"]);
        }
        curl.args(["--write-out", "\n%{http_code}"])
            .arg(format!("http://127.0.0.1:{}/api/v1/{path}", self.server.http.port()));
        let out = feed(&mut curl, &if body.is_null() { String::new() } else { body.to_string() });
        let (text, status) = out.rsplit_once('\n').unwrap();
        let body = serde_json::from_str(text).unwrap_or(Value::Null);
        Answer { status: status.parse().unwrap(), headers: Default::default(), body, text: text.to_owned() }
    }

    /// Signs in by a link, and gets a password, which is enough on such a server.
    #[track_caller]
    fn begin(&self, link: &str, name: Option<&str>) {
        let secret = link.split_once('#').unwrap().1;
        let mut body = json!({ "link": secret });
        if let Some(name) = name {
            body["name"] = name.into();
        }
        let answer = self.ask("POST", "sign-in/link", &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer = self.ask("PUT", "me/password", &json!({ "password": PASSWORD }));
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.ask("POST", "sign-in/password", &json!({ "name": name, "password": password }))
    }
}

/// A server that is content with a password, and its first operator, anna.
fn with_anna() -> (Server, tempfile::NamedTempFile) {
    let server = Server::bare_with("[operators]\nsecond_factor = false\n");
    let anna = Browser::new(&server, "127.0.0.1");
    anna.begin(&first_link(&server), Some("anna"));
    assert_eq!(anna.sign_in("anna", PASSWORD).status, 200);
    let jar = anna.jar;
    (server, jar)
}

/// Another operator, who is signed in.
#[track_caller]
fn operator<'a>(server: &'a Server, anna: &Browser<'_>, body: &Value) -> (Browser<'a>, String) {
    let made = anna.ask("POST", "operators", body);
    assert_eq!(made.status, 201, "{}", made.text);
    let them = Browser::new(server, "127.0.0.1");
    them.begin(made.body["link"].as_str().unwrap(), None);
    assert_eq!(them.sign_in(body["name"].as_str().unwrap(), PASSWORD).status, 200);
    (them, made.body["id"].as_str().unwrap().to_owned())
}

#[test]
fn the_first_operator_comes_by_the_link_and_signs_in_by_passkey_in_a_browser() {
    let server = Server::bare();
    let link = first_link(&server);
    let told = succeed(node("sign_in.mjs").arg(&link).arg(shots()));
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    // What the page of another origin had the browser ask came to nothing.
    assert_eq!(told["hostile"]["told"][2], "failed", "{told:#}");
    assert!(told["hostile"]["form"].as_str().unwrap().contains("another site"), "{told:#}");
    let names: Vec<Value> =
        server.get("/api/v1/operators").as_array().unwrap().iter().map(|o| o["name"].clone()).collect();
    assert_eq!(names, ["anna"]);
    for cookie in told["cookies"].as_array().unwrap() {
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")), "{cookie}");
    }
    // The link was good once; no other start makes a first operator.
    let stranger = Browser::new(&server, "127.0.0.1");
    let again = json!({ "link": link.split_once('#').unwrap().1, "name": "mallory" });
    assert_eq!(stranger.ask("POST", "sign-in/link", &again).status, 401);
    let audit = server.get("/api/v1/audit?limit=200");
    let done = |action: &str, outcome: &str| {
        let items = audit["items"].as_array().unwrap().iter();
        items.filter(|e| e["action"] == action && e["outcome"] == outcome).count()
    };
    assert_eq!((done("operator.invite", "success"), done("operator.create", "success")), (1, 1), "{audit:#}");
    assert_eq!((done("sign_in", "success"), done("sign_in", "failure")), (6, 4), "{audit:#}");
    let log = server.log();
    assert!(!log.contains(PASSWORD), "a password is in the log");
}

#[test]
fn a_certified_provider_vouches_for_operators_and_its_groups_are_their_roles() {
    let mut provider = node("provider.mjs");
    let mut provider = Background::start(provider.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut lines = BufReader::new(provider.0.stdout.take().unwrap()).lines();
    let issuer = lines.next().unwrap().unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a secret: with + and %\n").unwrap();
    let server = Server::bare_with(&format!(
        "[oidc]\nname = \"the company\"\nissuer = {issuer:?}\nclient_id = \"cordon\"\nclient_secret_file = {:?}\n\
         [[oidc.grant]]\nvalue = \"nac-admins\"\nroles = [\"administrator\"]\n\
         [[oidc.grant]]\nvalue = \"nac-lab\"\nroles = [\"operator\"]\nsites = [\"lab\"]\n",
        secret.path()
    ));
    let origin = format!("http://localhost:{}", server.http.port());
    let mut stdin = provider.0.stdin.take().unwrap();
    writeln!(stdin, "{origin}/api/v1/sign-in/provider/back").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let told = succeed(node("sign_in_by_provider.mjs").args([&origin, &issuer]).arg(shots()));
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(told["admin"]["roles"], json!(["administrator"]), "{told:#}");
    assert_eq!(told["admin"]["means"], "provider");
    assert_eq!((&told["lab"]["roles"], &told["lab"]["sites"]), (&json!(["operator"]), &json!(["lab"])));
    assert_eq!((&told["raised"]["roles"], &told["raised"]["sites"]), (&json!(["administrator"]), &Value::Null));
    let refused = server.get("/api/v1/audit?limit=200");
    let refused = refused["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["action"] == "sign_in" && e["outcome"] == "failure")
        .count();
    assert_eq!(refused, 2, "who was not let in is in the audit log");
}

#[test]
fn who_guesses_a_password_keeps_nobody_out() {
    let (server, jar) = with_anna();
    let anna = Browser { server: &server, jar, from: "127.0.0.1".into() };
    assert_eq!(anna.ask("POST", "sign-out", &Value::Null).status, 204);
    // From one address, the wait begins after a few.
    let guesser = Browser::new(&server, "127.0.0.2");
    let mut statuses = Vec::new();
    for n in 0..8 {
        statuses.push(guesser.sign_in("anna", &format!("guess {n} of many")).status);
    }
    assert_eq!(statuses[0], 401, "{statuses:?}");
    assert_eq!(*statuses.last().unwrap(), 429, "{statuses:?}");
    // The right one is not found out meanwhile.
    assert_eq!(guesser.sign_in("anna", PASSWORD).status, 429);
    // From many, an account becomes slow for strangers, and stays open to its own browser.
    for n in 10..40 {
        let guesser = Browser::new(&server, &format!("127.0.1.{n}"));
        for k in 0..2 {
            guesser.sign_in("anna", &format!("guess {n} {k}"));
        }
    }
    let stranger = Browser::new(&server, "127.0.0.3");
    assert_eq!(stranger.sign_in("anna", PASSWORD).status, 429);
    let in_again = anna.sign_in("anna", PASSWORD);
    assert_eq!(in_again.status, 200, "{}", in_again.text);
    // The audit log does not tell whether there is such a name, and neither does the answer.
    let nobody = Browser::new(&server, "127.0.0.4").sign_in("nobody", "guess of a password");
    let somebody = Browser::new(&server, "127.0.0.5").sign_in("ben", "guess of a password");
    assert_eq!(nobody.body["detail"], somebody.body["detail"]);
}

#[test]
fn a_cookie_alone_changes_nothing() {
    let (server, jar) = with_anna();
    let anna = Browser { server: &server, jar, from: "127.0.0.1".into() };
    let body = json!({ "name": "ben", "roles": ["viewer"] });
    for headers in [
        &[][..],
        &["X-Cordon-CSRF: 1", "Origin: https://evil.example"],
        &["X-Cordon-CSRF: 1", "Origin: null"],
        &["X-Cordon-CSRF: 1", "Sec-Fetch-Site: cross-site"],
        &["X-Cordon-CSRF: 1", "Sec-Fetch-Site: same-site"],
    ] {
        let answer = anna.ask_with("POST", "operators", &body, headers);
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("cross_site")), "{headers:?}: {}", answer.text);
    }
    let own = format!("Origin: http://127.0.0.1:{}", server.http.port());
    assert_eq!(anna.ask_with("POST", "operators", &body, &["X-Cordon-CSRF: 1", &own]).status, 201);
}

#[test]
fn nobody_gives_more_than_they_have_and_an_administrator_remains() {
    let (server, jar) = with_anna();
    let anna = Browser { server: &server, jar, from: "127.0.0.1".into() };
    let me = anna.ask("GET", "operators", &Value::Null).body[0]["id"].as_str().unwrap().to_owned();
    let last = anna.ask("PATCH", &format!("operators/{me}"), &json!({ "roles": ["viewer"] }));
    assert_eq!((last.status, &last.body["code"]), (409, &json!("last_administrator")), "{}", last.text);
    assert_eq!(anna.ask("DELETE", &format!("operators/{me}"), &Value::Null).status, 409);
    let twice = anna.ask("POST", "operators", &json!({ "name": "ANNA", "roles": ["viewer"] }));
    assert_eq!((twice.status, &twice.body["code"]), (409, &json!("name_taken")));

    let (ben, id) = operator(&server, &anna, &json!({ "name": "ben", "roles": ["operator", "auditor"] }));
    assert_eq!(ben.ask("GET", "audit?limit=1", &Value::Null).status, 200);
    for (method, path, body) in [
        ("POST", "operators".to_owned(), json!({ "name": "eve", "roles": ["administrator"] })),
        ("PATCH", format!("operators/{id}"), json!({ "roles": ["administrator"] })),
        ("POST", "tokens".to_owned(), json!({ "name": "t", "role": "administrator" })),
    ] {
        assert_eq!(ben.ask(method, &path, &body).status, 403, "{method} {path}");
    }
    // Who is shut out is out at once, and so are their tokens.
    let (carl, carl_id) = operator(&server, &anna, &json!({ "name": "carl", "roles": ["administrator"] }));
    let made = carl.ask("POST", "tokens", &json!({ "name": "script", "role": "operator" }));
    let bearer = format!("Authorization: Bearer {}", made.body["token"].as_str().unwrap());
    assert_eq!(server.exchange("GET", "/api/v1/nas", &[&bearer], None).status, 200);
    let lowered = anna.ask("PATCH", &format!("operators/{carl_id}"), &json!({ "roles": ["help_desk"] }));
    assert_eq!(lowered.status, 200, "{}", lowered.text);
    let site = json!({ "title": "x" });
    assert_eq!(
        server.exchange("PUT", "/api/v1/sites/x", &[&bearer], Some(&site)).status,
        403,
        "the token has less too"
    );
    assert_eq!(server.exchange("GET", "/api/v1/nas", &[&bearer], None).status, 200);
    assert_eq!(anna.ask("PATCH", &format!("operators/{carl_id}"), &json!({ "disabled": true })).status, 200);
    assert_eq!(carl.ask("GET", "me", &Value::Null).status, 401);
    assert_eq!(server.exchange("GET", "/api/v1/nas", &[&bearer], None).status, 401);
    assert_eq!(carl.sign_in("carl", PASSWORD).status, 401);
    // From the host: a link for who lost their keys.
    let (ok, out) = server.command(&["operator", "link", "ben"]);
    assert!(ok && out.contains("/sign-in#"), "{out}");
    let (_, list) = server.command(&["operator", "list"]);
    assert!(list.contains("carl  help_desk (disabled)"), "{list}");
    // A link is for what they are when it is made.
    let secret_of = |link: &Value| link.as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let before = anna.ask("POST", &format!("operators/{id}/link"), &Value::Null);
    let lifted = anna.ask("PATCH", &format!("operators/{id}"), &json!({ "roles": ["operator", "viewer"] }));
    assert_eq!(lifted.status, 200, "{}", lifted.text);
    let stale = Browser::new(&server, "127.0.0.1");
    assert_eq!(stale.ask("POST", "sign-in/link", &json!({ "link": secret_of(&before.body["link"]) })).status, 401);
    let (ok, out) = server.command(&["operator", "link", "ben"]);
    assert!(ok && out.contains("/sign-in#"), "{out}");
    let lost = Browser::new(&server, "127.0.0.1");
    let link = out.split_whitespace().find(|word| word.contains("/sign-in#")).unwrap().to_owned();
    let answer = lost.ask("POST", "sign-in/link", &json!({ "link": link.split_once('#').unwrap().1 }));
    assert_eq!((answer.status, &answer.body["name"]), (200, &json!("ben")));
    // Signing out elsewhere.
    assert_eq!(anna.ask("POST", &format!("operators/{id}/sign-out"), &Value::Null).body["ended"], 3);
    assert_eq!(ben.ask("GET", "me", &Value::Null).status, 401);
}

#[test]
fn a_password_without_an_app_opens_what_gets_one_alone() {
    let server = Server::bare();
    let anna = Browser::new(&server, "127.0.0.1");
    anna.begin(&first_link(&server), Some("anna"));
    for weak in ["short", "anna", "aaaaaaaaaaaaaaaa"] {
        let answer = anna.ask("PUT", "me/password", &json!({ "password": weak, "present": PASSWORD }));
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!("password")), "{weak}: {}", answer.text);
    }
    let half = anna.sign_in("anna", PASSWORD);
    assert_eq!((half.status, &half.body["whole"]), (200, &json!(false)), "{}", half.text);
    assert_eq!(anna.ask("GET", "operators", &Value::Null).status, 403);
    let app = anna.ask("POST", "me/second-factor", &Value::Null);
    let secret = app.body["secret"].as_str().unwrap();
    let code = succeed(Command::new("oathtool").args(["--totp", "-b", secret]));
    let done = anna.ask("POST", "me/second-factor/confirm", &json!({ "code": code.trim() }));
    assert_eq!(done.body["recovery_codes"].as_array().map(Vec::len), Some(8), "{}", done.text);
    let other = Browser::new(&server, "127.0.0.1");
    let recovery = &done.body["recovery_codes"][3];
    let whole =
        other.ask("POST", "sign-in/password", &json!({ "name": "anna", "password": PASSWORD, "code": recovery }));
    assert_eq!((whole.status, &whole.body["whole"]), (200, &json!(true)), "{}", whole.text);
    assert_eq!(other.ask("GET", "operators", &Value::Null).status, 200);
    let list = other.ask("GET", "me/sign-ins", &Value::Null);
    assert!(list.body.as_array().unwrap().len() >= 2, "{}", list.text);
}

#[test]
fn with_four_eyes_nobody_puts_a_policy_in_force_alone() {
    let server = Server::bare_with("[operators]\nsecond_factor = false\n[policy]\nfour_eyes = true\n");
    let anna = Browser::new(&server, "127.0.0.1");
    anna.begin(&first_link(&server), Some("anna"));
    assert_eq!(anna.sign_in("anna", PASSWORD).status, 200);
    let (ben, _) = operator(&server, &anna, &json!({ "name": "ben", "roles": ["policy_author"] }));
    let in_force = || server.get("/api/v1/policy")["home"].clone();
    let profile = json!({ "vlan": 20 });
    assert_eq!(ben.ask("PUT", "profiles/corp", &profile).status, 201);
    let rule = |id: &str| {
        format!(
            "@id(\"{id}\")\n@order(\"10\")\n@profile(\"corp\")\n\
             permit (principal is Device, action == Network::Action::\"connect\", resource);\n"
        )
    };
    let text = rule("laptops");
    let wrong = ben.ask("POST", "policy/activate", &json!({ "text": "permit(" }));
    assert_eq!(wrong.status, 422, "what cannot come into force does not wait: {}", wrong.text);
    let asked = ben.ask("POST", "policy/activate", &json!({ "text": text, "comment": "laptops" }));
    assert_eq!((asked.status, &asked.body["status"]), (202, &json!("open")), "{}", asked.text);
    assert_eq!(in_force(), "built_in");
    let path = format!("policy/proposals/{}", asked.body["id"].as_str().unwrap());
    let approve = format!("{path}/approve");
    let own = ben.ask("POST", &approve, &Value::Null);
    assert_eq!((own.status, &own.body["code"]), (409, &json!("own_proposal")));
    // Neither by a token of his own, nor by any: a token has no eyes.
    let made = ben.ask("POST", "tokens", &json!({ "name": "t", "permissions": ["policy:activate"] }));
    assert_eq!(made.status, 403, "a policy author makes no tokens");
    let by_token = server.send("POST", &format!("/api/v1/{approve}"), &Value::Null);
    assert_eq!((by_token.0, &by_token.1["code"]), (409, &json!("no_operator")));
    assert_eq!(anna.ask("GET", &path, &Value::Null).body["text"], text);
    let done = anna.ask("POST", &format!("{approve}?reason=looked+at"), &Value::Null);
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(in_force(), "database");
    assert_eq!(anna.ask("POST", &approve, &Value::Null).body["code"], "decided");
    // The server's own token waits as well, and what is rejected does not come into force.
    let (status, again) = server.send("POST", "/api/v1/policy/activate", &json!({ "text": rule("others") }));
    assert_eq!(status, 202, "{again:#}");
    let reject = format!("policy/proposals/{}/reject?reason=no+need", again["id"].as_str().unwrap());
    assert_eq!(anna.ask("POST", &reject, &Value::Null).body["status"], "rejected");
    assert_eq!(server.get("/api/v1/policy")["text"], text);
    let audit = server.get("/api/v1/audit?limit=200");
    let of = |action: &str| audit["items"].as_array().unwrap().iter().find(|e| e["action"] == action).cloned().unwrap();
    assert_eq!(of("policy.propose")["actor"], "api");
    assert_eq!(
        (&of("policy.approve")["actor"], &of("policy.approve")["reason"]),
        (&json!("anna"), &json!("looked at"))
    );
    assert_eq!(of("policy.activate")["reason"], "laptops (proposed by ben)");
}

#[test]
fn rights_at_a_site_end_there() {
    let (server, jar) = with_anna();
    let anna = Browser { server: &server, jar, from: "127.0.0.1".into() };
    server.apply(&format!(
        "[[site]]\nname = \"lab\"\n[[site]]\nname = \"office\"\n\
         [[nas]]\nname = \"sw-lab\"\naddress = \"127.0.0.1\"\nsecret = \"{SECRET}\"\nsite = \"lab\"\n\
         [[nas]]\nname = \"sw-office\"\naddress = \"127.0.0.2\"\nsecret = \"{SECRET}\"\nsite = \"office\"\n"
    ));
    for (from, mac) in [("127.0.0.1", "02-00-5E-00-00-01"), ("127.0.0.2", "02-00-5E-00-00-02")] {
        let attributes = format!(
            "Packet-Src-IP-Address={from}, User-Name={mac:?}, User-Password={mac:?}, Calling-Station-Id={mac:?}, \
             Service-Type=Call-Check, Message-Authenticator=0x00"
        );
        assert!(radclient(server.auth, "auth", &attributes).contains("Access-Reject"));
        let record = format!(
            "Packet-Src-IP-Address={from}, Acct-Status-Type=Start, Acct-Session-Id={from:?}, User-Name={mac:?}, \
             Calling-Station-Id={mac:?}, NAS-IP-Address={from}, NAS-Port=1"
        );
        assert!(radclient(server.acct, "acct", &record).contains("Accounting-Response"));
    }
    let all = |browser: &Browser<'_>, path: &str| browser.ask("GET", path, &Value::Null).body["items"].clone();
    let of_nas = |items: &Value| -> Vec<String> {
        items.as_array().unwrap().iter().map(|item| item["nas"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of_nas(&all(&anna, "decisions")).len(), 2);
    let (ben, _) = operator(&server, &anna, &json!({ "name": "ben", "roles": ["operator"], "sites": ["lab"] }));
    for list in ["decisions", "sessions"] {
        assert_eq!(of_nas(&all(&ben, list)), ["sw-lab"], "{list}");
        assert_eq!(of_nas(&all(&ben, &format!("{list}?site=office"))), Vec::<String>::new(), "{list}");
        assert_eq!(of_nas(&all(&ben, &format!("{list}?nas=sw-office"))), Vec::<String>::new(), "{list}");
        for item in all(&anna, list).as_array().unwrap() {
            let own = item["nas"]["name"] == "sw-lab";
            let path = format!("{list}/{}", item["id"].as_str().unwrap());
            assert_eq!(ben.ask("GET", &path, &Value::Null).status, if own { 200 } else { 404 }, "{path}");
            if list == "sessions" {
                let change = ben.ask("POST", &format!("{path}/changes"), &json!({ "change": "reauthenticate" }));
                assert_eq!(change.status, if own { 202 } else { 404 }, "{}", change.text);
            }
        }
    }
    let named = |path: &str, field: &str| -> Vec<String> {
        let items = all(&ben, path);
        items.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named("nas", "name"), ["sw-lab"]);
    assert_eq!(named("accounting", "nas"), ["sw-lab"]);
    let endpoints = all(&anna, "endpoints");
    assert_eq!(named("endpoints", "mac"), ["02-00-5E-00-00-01"]);
    for endpoint in endpoints.as_array().unwrap() {
        let own = endpoint["mac"] == "02-00-5E-00-00-01";
        let path = format!("endpoints/{}", endpoint["id"].as_str().unwrap());
        assert_eq!(ben.ask("GET", &path, &Value::Null).status, if own { 200 } else { 404 }, "{path}");
    }
    let found = |browser: &Browser<'_>, q: &str| -> Vec<(String, String)> {
        let hits = browser.ask("GET", &format!("search?q={q}"), &Value::Null).body["hits"].clone();
        let text = |hit: &Value, field: &str| hit[field].as_str().unwrap().to_owned();
        hits.as_array().unwrap().iter().map(|hit| (text(hit, "kind"), text(hit, "title"))).collect()
    };
    assert_eq!(found(&anna, "sw-").len(), 2);
    assert_eq!(found(&ben, "sw-"), [("nas".to_owned(), "sw-lab".to_owned())]);
    assert_eq!((found(&anna, "02005e000002").len(), found(&ben, "02005e000002").len()), (2, 0));
    assert_eq!(found(&ben, "02005e000001").len(), 2);
    for (mac, count) in [("02005e000001", 1), ("02005e000002", 0)] {
        assert_eq!(all(&ben, &format!("who?mac={mac}")).as_array().unwrap().len(), count, "{mac}");
    }
    for (list, of) in
        [("decisions", "sw-lab"), ("sessions", "sw-lab"), ("accounting", "sw-lab"), ("endpoints", "sw-lab")]
    {
        let text = ben.ask("GET", &format!("{list}.csv"), &Value::Null).text;
        assert!(text.contains(of) && !text.contains("sw-office"), "{list}: {text}");
    }
    for (method, path, body) in [
        ("GET", "identities.csv", Value::Null),
        ("GET", "signals", Value::Null),
        ("POST", "changes", json!({ "change": "reauthenticate", "filter": { "all": true } })),
        ("PUT", "sites/other", json!({})),
    ] {
        let answer = ben.ask(method, path, &body);
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("beyond_sites")), "{method} {path}");
    }
    // Nor by a token, nor by one that is to have more.
    let more = json!({ "name": "t", "permissions": ["network:read"], "sites": ["lab"] });
    let made = anna.ask("POST", "tokens", &more);
    let bearer = format!("Authorization: Bearer {}", made.body["token"].as_str().unwrap());
    let seen = server.exchange("GET", "/api/v1/decisions", &[&bearer], None).body;
    assert_eq!(of_nas(&seen["items"]), ["sw-lab"]);
    assert_eq!(server.exchange("GET", "/api/v1/signals", &[&bearer], None).status, 403);
}
