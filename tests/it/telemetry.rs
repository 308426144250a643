//! What the server tells of its own work: settings, metrics, and traces, which a collector takes that reads them by
//! OpenTelemetry's definitions.

use crate::support::eapol::Eapol;
use crate::support::radclient::radclient;
use crate::support::receiver::Receiver;
use crate::support::server::{Config, Server, TOKEN};
use crate::support::wait_for;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

fn server(otlp: &str) -> Server {
    let mut config = Config::default();
    config.more.push_str(&format!("[telemetry]\n{otlp}\n"));
    Server::start(&config)
}

fn metric(server: &Server, line: &str) -> Option<f64> {
    let text = server.get_raw("/metrics", Some(TOKEN)).1;
    let value = text.lines().find_map(|of| of.strip_prefix(line)?.strip_prefix(' '))?;
    value.parse().ok()
}

#[test]
fn a_login_is_one_trace_and_so_is_a_request_of_the_api() {
    let collector = Receiver::start("otlp_receiver.py", "200");
    let server = server(&format!("otlp = \"http://127.0.0.1:{}\"", collector.port()));
    let laptop = Eapol::new("p256");
    laptop.run(&server).assert_accepted(1);
    let decision = server.decision(&laptop.mac);
    let find = |wanted: &dyn Fn(&Value) -> bool| collector.lines().into_iter().filter(wanted).collect::<Vec<_>>();
    let whole = wait_for("the login", SOON, || find(&|span| span["name"] == "login eap-tls").pop());
    let said = &whole["attributes"];
    assert_eq!(
        (&said["cordon.decision.id"], &said["cordon.outcome"], &said["cordon.nas"], &said["cordon.rounds"]),
        (&decision["id"], &json!("accept"), &json!("test"), &decision["rounds"]),
        "{whole:#}"
    );
    assert_eq!(
        (&whole["parent"], &whole["kind"], &whole["failed"]),
        (&json!(""), &json!("SPAN_KIND_SERVER"), &json!(false))
    );
    assert_eq!((&whole["service"]["service.name"], &whole["scope"][0]), (&json!("cordon"), &json!("cordon")));
    let rounds = usize::try_from(decision["rounds"].as_u64().unwrap()).unwrap();
    let parts = find(&|span| span["trace"] == whole["trace"] && span["name"] == "Access-Request");
    assert_eq!(parts.len(), rounds, "{parts:#?}");
    let replies: Vec<&str> = parts.iter().map(|part| part["attributes"]["radius.reply"].as_str().unwrap()).collect();
    assert_eq!(replies.iter().filter(|reply| **reply == "Access-Challenge").count(), rounds - 1);
    let last = parts.iter().find(|part| part["attributes"]["radius.reply"] == "Access-Accept").unwrap();
    let journal = find(&|span| span["name"] == "journal" && span["parent"] == last["id"]);
    assert_eq!((journal.len(), &journal[0]["kind"]), (1, &json!("SPAN_KIND_INTERNAL")), "{journal:#?}");
    let within = |inner: &Value, outer: &Value| {
        let at = |span: &Value, key: &str| span[key].as_u64().unwrap();
        at(inner, "start") <= at(inner, "end")
            && at(inner, "start") >= at(outer, "start")
            && at(inner, "end") <= at(outer, "end")
    };
    for part in &parts {
        assert_eq!(part["parent"], whole["id"]);
        assert!(within(part, &whole), "{part:#} {whole:#}");
    }
    assert!(within(&journal[0], last));

    // The API: within the trace of who asks, and by the id that the log has.
    let headers = [
        &format!("Authorization: Bearer {TOKEN}"),
        "X-Request-Id: the-id-of-a-test",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ];
    let asked = server.exchange("GET", "/api/v1/decisions/none", &headers.map(|header| header as &str), None);
    assert_eq!(asked.status, 404);
    let span = wait_for("the request", SOON, || {
        find(&|span| span["attributes"]["cordon.request.id"] == "the-id-of-a-test").pop()
    });
    assert_eq!(
        (&span["trace"], &span["parent"], &span["name"]),
        (&json!("0af7651916cd43dd8448eb211c80319c"), &json!("b7ad6b7169203331"), &json!("GET /api/v1/decisions/{id}")),
        "{span:#}"
    );
    assert_eq!((&span["attributes"]["http.response.status_code"], &span["failed"]), (&json!(404), &json!(false)));
    let all = collector.lines();
    let names: std::collections::HashSet<&str> = all.iter().map(|span| span["id"].as_str().unwrap()).collect();
    assert_eq!(names.len(), all.len(), "no span came twice");
    // Nothing of who logs in, nor what would let anybody go on with a login.
    let text = Value::from(all).to_string();
    assert!(!text.contains("p256") && !text.contains(&laptop.mac), "{text}");
    // What waits when the server stops is sent before.
    Eapol::new("p384").run(&server).assert_accepted(1);
    let before = find(&|span| span["name"] == "login eap-tls").len();
    let _again = server.restart("TERM");
    assert!(find(&|span| span["name"] == "login eap-tls").len() >= before.max(2));
}

#[test]
fn a_collector_that_is_away_costs_no_login_anything() {
    let mut collector = Receiver::start("otlp_receiver.py", "503");
    let server = server(&format!("otlp = \"http://127.0.0.1:{}/\"", collector.port()));
    let login = || {
        let began = Instant::now();
        Eapol::new("p256").run(&server).assert_accepted(1);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    };
    login();
    // After its last attempt.
    wait_for("what is lost", Duration::from_secs(30), || metric(&server, "cordon_trace_spans_total{result=\"lost\"}"));
    collector.stop();
    login();
    wait_for("the warning", SOON, || server.log().contains("the collector takes no traces").then_some(()));
    collector.mode("200");
    collector.run();
    wait_for("traces", Duration::from_secs(40), || {
        login();
        (metric(&server, "cordon_trace_spans_total{result=\"sent\"}")? > 0.0).then_some(())
    });
    assert!(server.log().contains("the collector takes traces again"));
}

#[test]
fn no_trace_is_made_unless_somebody_wants_it() {
    let collector = Receiver::start("otlp_receiver.py", "200");
    let server = server(&format!("otlp = \"http://127.0.0.1:{}\"\nratio = 0.0", collector.port()));
    Eapol::new("p256").run(&server).assert_accepted(1);
    server.get("/api/v1/decisions");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(collector.lines(), Vec::<Value>::new());
}

#[test]
fn requests_and_replies_are_counted_and_timed() {
    let server = Server::start(&Config::default());
    Eapol::new("p256").run(&server).assert_accepted(1);
    let said = radclient(server.acct, "acct", "Acct-Status-Type = Start, Acct-Session-Id = 1, User-Name = x");
    assert!(said.contains("Received Accounting-Response"), "{said}");
    assert_eq!(server.get_raw("/api/v1/decisions/none", Some(TOKEN)).0, 404);
    assert_eq!(server.get_raw("/nothing", Some(TOKEN)).0, 404);
    let rounds = server.get("/api/v1/decisions")["items"][0]["rounds"].as_f64().unwrap();
    for (line, count) in [
        ("cordon_radius_handle_seconds_count{kind=\"eap\"}", rounds),
        ("cordon_radius_replies_total{code=\"Access-Challenge\"}", rounds - 1.0),
        ("cordon_radius_replies_total{code=\"Access-Accept\"}", 1.0),
        ("cordon_radius_reply_seconds_count{code=\"Access-Accept\"}", 1.0),
        ("cordon_radius_replies_total{code=\"Accounting-Response\"}", 1.0),
        ("cordon_api_requests_total{method=\"GET\",path=\"/api/v1/decisions/{id}\",status=\"404\"}", 1.0),
        ("cordon_api_requests_total{method=\"GET\",path=\"(none)\",status=\"404\"}", 1.0),
        ("cordon_api_request_seconds_count{method=\"GET\",path=\"/api/v1/decisions/{id}\"}", 1.0),
    ] {
        assert_eq!(metric(&server, line), Some(count), "{line}");
    }
}

#[test]
fn settings_say_where_they_are_from_and_what_waits() {
    let server = Server::start(&Config::default());
    let one = |section: &str, key: &str| {
        let all = server.get("/api/v1/settings");
        let all = all["settings"].as_array().unwrap().clone();
        all.into_iter().find(|of| of["section"] == section && of["key"] == key).unwrap()
    };
    let workers = one("server", "workers");
    assert_eq!(
        (&workers["value"], &workers["source"], &workers["takes_effect"], &workers["waits_for_restart"]),
        (&json!(2), &json!("file"), &json!("restart"), &json!(false)),
        "{workers:#}"
    );
    let text = std::fs::read_to_string(server.path("cordon.toml")).unwrap();
    let line = usize::try_from(workers["line"].as_u64().unwrap()).unwrap();
    assert_eq!(text.lines().nth(line - 1), Some("workers = 2"));
    let kept = one("retention", "decisions_days");
    assert_eq!((&kept["value"], &kept["source"], &kept["line"]), (&json!(400), &json!("default"), &Value::Null));
    assert_eq!(one("http", "token")["value"], "(secret)");
    assert!(!server.get("/api/v1/settings").to_string().contains(TOKEN));
    assert!(server.get("/api/v1/settings")["file"].as_str().unwrap().ends_with("cordon.toml"));

    let more = text.replace("workers = 2\n", "workers = 3\n") + "[changes]\nper_second = 7\n";
    std::fs::write(server.path("cordon.toml"), more).unwrap();
    wait_for("the change", SOON, || (one("changes", "per_second")["value"] == 7).then_some(()));
    let workers = one("server", "workers");
    assert_eq!(
        (&workers["value"], &workers["in_file"], &workers["waits_for_restart"]),
        (&json!(2), &json!(3), &json!(true)),
        "{workers:#}"
    );
    let server = server.restart("TERM");
    let all = server.get("/api/v1/settings")["settings"].as_array().unwrap().clone();
    assert!(all.iter().all(|of| of["waits_for_restart"] == false));
}
