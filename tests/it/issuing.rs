//! Certificates by the API: issued to identities, and taken back.

use crate::support::eapol::Eapol;
use crate::support::server::Server;
use crate::support::{cordon, succeed, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// A server with a CA of its own, in which p256 may log in; the identity's id.
fn server() -> (Server, String) {
    let ca = tempfile::tempdir().unwrap().keep();
    succeed(cordon().args(["ca", "init", "--intermediate", "--dir"]).arg(&ca));
    let file = |name: &str| ca.join(name);
    let server = Server::bare_with(&format!(
        "[pki]\ndir = {ca:?}\n[[ca]]\nname = \"own\"\nfile = {:?}\ncrl = [{:?}, {:?}]\n",
        file("ca.pem"),
        file("ca.crl"),
        file("intermediate.crl"),
    ));
    let id = crate::resources::network(&server);
    (server, id)
}

#[track_caller]
fn send(server: &Server, status: u16, path: &str, body: &Value) -> Value {
    let (got, answer) = server.send("POST", path, body);
    assert_eq!(got, status, "{path}: {answer:#}");
    answer
}

/// Writes what was issued where a supplicant finds it.
fn kept(server: &Server, made: &Value, name: &str) -> PathBuf {
    let stem = server.path(name);
    for (kind, field) in [("pem", "certificate"), ("key", "private_key")] {
        std::fs::write(stem.with_extension(kind), made[field].as_str().unwrap()).unwrap();
    }
    stem
}

#[test]
fn a_certificate_is_issued_lets_in_and_is_taken_back() {
    let (server, id) = server();
    let made = send(&server, 201, "/api/v1/ca/certificates", &json!({ "identity": id, "days": 30 }));
    let serial = made["serial"].as_str().unwrap().to_owned();
    let laptop = Eapol::new(kept(&server, &made, "one").to_str().unwrap());
    laptop.run(&server).assert_accepted(1);
    let decision = server.decision(&laptop.mac);
    assert_eq!((&decision["identity"]["id"], &decision["outcome"]), (&json!(id), &json!("accept")), "{decision:#}");
    let listed = server.get(&format!("/api/v1/ca/certificates?identity={id}"));
    assert_eq!(
        (&listed["items"][0]["serial"], listed["items"][0].get("private_key")),
        (&json!(serial), None),
        "{listed:#}"
    );

    // As people copy it out of other programs.
    let spelled: Vec<String> =
        serial.to_uppercase().as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).into()).collect();
    for query in [format!("serial={}", spelled[..6].join(":")), "q=P256".to_owned(), format!("q=256&serial={serial}")] {
        let found = server.get(&format!("/api/v1/ca/certificates?{query}"));
        assert_eq!(found["items"][0]["serial"], json!(serial), "{query}: {found:#}");
    }
    for query in ["serial=00", "q=p2_6", "q=p257"] {
        let found = server.get(&format!("/api/v1/ca/certificates?{query}"));
        assert_eq!((&found["items"], &found["next"]), (&json!([]), &json!(null)), "{query}");
    }
    for query in [spelled[..6].join(":"), serial[..16].to_owned(), "p25".to_owned()] {
        let found = server.get(&format!("/api/v1/search?q={query}"));
        let hits = found["hits"].as_array().unwrap();
        assert!(
            hits.iter().any(|hit| hit["kind"] == "certificate" && hit["id"] == json!(serial)),
            "{query}: {found:#}"
        );
    }

    let revoked = send(&server, 200, &format!("/api/v1/ca/certificates/{serial}/revoke?reason=stolen"), &json!({}));
    assert!(!revoked["revoked_at"].is_null(), "{revoked:#}");
    wait_for("the revocation", Duration::from_secs(5), || {
        laptop.run(&server);
        (server.decision(&laptop.mac)["reason"] == "certificate_revoked").then_some(())
    });
    let events = server.get("/api/v1/audit?kind=certificate");
    let told: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["object"]["name"])).collect();
    assert_eq!(told, [(&json!("certificate.revoke"), &json!(serial)), (&json!("certificate.issue"), &json!(serial))]);
    assert!(!events.to_string().contains("PRIVATE KEY"));

    // One call takes the rest.
    for name in ["two", "three"] {
        let made = send(&server, 201, "/api/v1/ca/certificates", &json!({ "identity": id }));
        Eapol::new(kept(&server, &made, name).to_str().unwrap()).run(&server).assert_accepted(1);
    }
    let lost = send(&server, 200, &format!("/api/v1/identities/{id}/revoke"), &json!({ "reason": "lost" }));
    assert_eq!((&lost["status"], &lost["certificates"]), (&json!("suspended"), &json!(2)), "{lost:#}");
    assert_eq!(server.get(&format!("/api/v1/ca/certificates?identity={id}&revoked=false"))["items"], json!([]));
    Eapol::new(server.path("two").to_str().unwrap()).run(&server).assert_refused();
    let none = send(&server, 422, "/api/v1/ca/certificates", &json!({ "identity": id }));
    assert_eq!(none["code"], "not_live", "{none:#}");
}

#[test]
fn who_is_retired_loses_certificates_too() {
    let (server, id) = server();
    send(&server, 201, "/api/v1/ca/certificates", &json!({ "identity": id }));
    send(&server, 200, &format!("/api/v1/identities/{id}/status"), &json!({ "status": "retired" }));
    let lost = send(&server, 200, &format!("/api/v1/identities/{id}/revoke"), &json!({ "reason": "sold" }));
    assert_eq!((&lost["status"], &lost["certificates"]), (&json!("retired"), &json!(1)), "{lost:#}");
    assert_eq!(server.get(&format!("/api/v1/ca/certificates?identity={id}&revoked=false"))["items"], json!([]));
    let back = send(&server, 422, &format!("/api/v1/identities/{id}/status"), &json!({ "status": "suspended" }));
    assert!(back["detail"].as_str().unwrap().contains("retired"), "{back:#}");
}

#[test]
fn lay_4_a_certificate_lives_no_longer_than_its_kind_may_nor_than_its_identity() {
    let (server, _) = server();
    for (kind, most) in [("device", 397), ("machine", 90), ("service", 90), ("agent", 7), ("model", 7)] {
        let body = json!({
            "kind": kind, "name": format!("a-{kind}"), "owner": "alice", "purpose": "a test",
            "credentials": [{ "san_uri": format!("spiffe://corp.example/{kind}") }],
        });
        let id = send(&server, 201, "/api/v1/identities", &body)["item"]["id"].clone();
        let above = send(&server, 422, "/api/v1/ca/certificates", &json!({ "identity": id, "days": most + 1 }));
        assert_eq!(above["code"], "too_long", "{kind}: {above:#}");
        let made = send(&server, 201, "/api/v1/ca/certificates", &json!({ "identity": id }));
        // By another reader than ours.
        let stem = kept(&server, &made, kind).with_extension("pem");
        let check = |days: u64| {
            let mut command = std::process::Command::new("openssl");
            let seconds = (days * 86_400).to_string();
            command.args(["x509", "-noout", "-checkend", &seconds, "-in"]).arg(&stem).output().unwrap().status.success()
        };
        assert!(check(most - 1) && !check(most), "{kind} lives {most} days");
    }
    // An identity that ends first ends its certificates.
    let soon = json!({
        "kind": "agent", "name": "short", "owner": "alice", "purpose": "an hour's work", "expires": "2099-01-01T00:00:00Z",
        "credentials": [{ "san_uri": "spiffe://corp.example/short" }],
    });
    let id = send(&server, 201, "/api/v1/identities", &soon)["item"]["id"].as_str().unwrap().to_owned();
    let hour = succeed(std::process::Command::new("date").args(["-u", "-d", "+1 hour", "+%Y-%m-%dT%H:%M:%SZ"]));
    let (status, patched) =
        server.send("PATCH", &format!("/api/v1/identities/{id}"), &json!({ "expires": hour.trim() }));
    assert_eq!(status, 200, "{patched:#}");
    let made = send(&server, 201, "/api/v1/ca/certificates", &json!({ "identity": id }));
    assert!(
        made["not_after"].as_str().unwrap() <= format!("{}.000001", hour.trim().trim_end_matches('Z')).as_str(),
        "{made:#}"
    );
    // Nothing that a certificate could hold.
    let bare = json!({ "kind": "device", "name": "cam", "owner": "alice", "purpose": "sees", "credentials": [{ "mac": "02-00-5E-00-00-77" }] });
    let id = send(&server, 201, "/api/v1/identities", &bare)["item"]["id"].clone();
    assert_eq!(send(&server, 422, "/api/v1/ca/certificates", &json!({ "identity": id }))["code"], "no_name");
}
