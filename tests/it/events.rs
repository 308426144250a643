//! The live feed: what happened is told once, in its order, and goes on where it was cut off.

use crate::support::eapol::Eapol;
use crate::support::server::{Server, TOKEN};
use crate::support::{Background, read, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// curl that watches, and what it was told.
struct Watch {
    _curl: Background,
    file: PathBuf,
}

/// An event as it was sent.
#[derive(Clone, PartialEq, Debug)]
struct Told {
    id: String,
    kind: String,
    data: Value,
}

impl Watch {
    fn start(server: &Server, name: &str, query: &str, last: Option<&str>) -> Watch {
        let file = server.path(name);
        let out = std::fs::File::create(&file).unwrap();
        let mut command = Command::new("curl");
        command.args(["--silent", "--no-buffer", "--header", &format!("Authorization: Bearer {TOKEN}")]);
        if let Some(last) = last {
            command.args(["--header", &format!("Last-Event-ID: {last}")]);
        }
        command.arg("--include").arg(format!("http://{}/api/v1/events{query}", server.http)).stdout(out);
        let watch = Watch { _curl: Background::start(&mut command), file };
        wait_for("the stream", Duration::from_secs(10), || {
            read(&watch.file).contains("text/event-stream").then_some(())
        });
        watch
    }

    fn told(&self) -> Vec<Told> {
        let text = read(&self.file);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let field = |event: &str, name: &str| {
            let mut lines = event.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let whole = |event: &str| {
            let data = serde_json::from_str(&field(event, "data")?).ok()?;
            Some(Told { id: field(event, "id")?, kind: field(event, "event")?, data })
        };
        body.split("\n\n").filter_map(whole).collect()
    }

    /// What it was told, once that are `count` events.
    #[track_caller]
    fn wait(&self, count: usize) -> Vec<Told> {
        wait_for(&format!("{count} events"), Duration::from_secs(15), || {
            let told = self.told();
            (told.len() >= count).then_some(told)
        })
    }
}

#[test]
fn what_happens_is_told_at_once_and_goes_on_where_it_was_cut_off() {
    let server = Server::bare();
    crate::resources::network(&server);
    let laptop = Eapol::new("p256");
    let all = Watch::start(&server, "all", "", None);
    let refused = Watch::start(&server, "refused", "?kind=decision&outcome=reject", None);
    laptop.run(&server).assert_accepted(1);
    let told = all.wait(2);
    let decision = told.iter().find(|event| event.kind == "decision").unwrap();
    let session = told.iter().find(|event| event.kind == "session").unwrap();
    let recorded = server.decision(&laptop.mac);
    assert_eq!((&decision.data["id"], &decision.data["profile"]), (&recorded["id"], &json!("corp")), "{told:?}");
    assert_eq!((&session.data["state"], &session.data["identity"]), (&json!("authenticated"), &json!("p256")));

    // Cut off; meanwhile more happens; it goes on, and nothing is told twice.
    let last = told.last().unwrap().id.clone();
    drop(all);
    let stranger = Eapol::new("p384");
    stranger.run(&server).assert_refused();
    let again = Watch::start(&server, "again", "", Some(&last));
    laptop.run(&server).assert_accepted(1);
    let more = again.wait(2);
    assert_eq!((&more[0].data["outcome"], more[0].kind.as_str()), (&json!("reject"), "decision"), "{more:?}");
    let mut ids: Vec<&String> = told.iter().chain(&more).map(|event| &event.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "each once");
    let only = refused.wait(1);
    assert!(only.iter().all(|event| event.data["outcome"] == "reject"), "{only:?}");

    // Another run of the server has other numbers: who asks for the old is told to read the lists again.
    let last = more.last().unwrap().id.clone();
    let server = server.restart("KILL");
    let reset = Watch::start(&server, "reset", "", Some(&last));
    assert_eq!(reset.wait(1)[0].kind, "reset");
    laptop.run(&server).assert_accepted(1);
    assert_eq!(reset.wait(2)[1].kind, "decision");
    let wrong = server.get_raw("/api/v1/events?after=yesterday", Some(TOKEN));
    assert!(wrong.0 == 400 && wrong.1.contains("the id of an event"), "{wrong:?}");
}

#[test]
fn no_more_watch_than_there_are_seats() {
    let server = Server::bare();
    let watchers: Vec<Watch> = (0..64).map(|n| Watch::start(&server, &format!("w{n}"), "", None)).collect();
    let full = server.exchange("GET", "/api/v1/events", &[&format!("Authorization: Bearer {TOKEN}")], None);
    assert_eq!((full.status, &full.body["code"]), (429, &json!("too_many_requests")), "{}", full.text);
    assert!(full.headers.contains_key("retry-after"));
    drop(watchers);
    wait_for("a seat", Duration::from_secs(10), || {
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "1", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        command.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
        let said = command.arg(format!("http://{}/api/v1/events", server.http)).output().unwrap();
        (String::from_utf8_lossy(&said.stdout) == "200").then_some(())
    });
}
