//! A day of a campus on a fake clock: 50,000 endpoints that come, roam and go, NASes
//! that restart, lose, repeat and delay what they tell. What the database then says
//! is compared with a model in another language, and with what truly was.

mod gear;
mod traffic;

use crate::support::pki::pki;
use crate::support::postgres::postgres;
use cordon::access::{Answer, Arrival, Engine, Service};
use cordon::config::build::build;
use cordon::config::stored::Stored;
use cordon::config::{Config, Source};
use cordon::enforcement::ticket::Tickets;
use cordon::inventory::mac::MacAddress;
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::{Code, HEADER_LEN, Packet};
use cordon::radius::value::digits;
use cordon::secret::Secret;
use cordon::session::Session;
use cordon::store::read::{Held, SessionFilter};
use cordon::store::usage::Resolution;
use cordon::store::writer::{JOURNAL_MAX, Writer};
use cordon::store::{Location, Store};
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use traffic::{Content, DAY, DAY_BEGIN, Day, Message, mac};

const SECRET: &str = "a-secret-of-some-length";
/// Within which everything that was written is read.
const PATIENCE: Duration = Duration::from_secs(60);
/// Records between the server and its database, at most.
const BEHIND: u64 = 20_000;
/// How often silent sessions are looked for, in seconds of the day.
const SWEEP: i64 = 1_800;
/// After how many hours a session that never told of itself has ended.
const SILENCE_HOURS: u64 = 6;
/// Differences that are shown.
const SHOWN: usize = 8;

fn micros(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

/// The server's path of a request, with the campus in its configuration.
fn engine(day: &Day) -> Engine {
    let pki = pki();
    let mut text = format!(
        "[tls]\ncertificate = {:?}\nkey = {:?}\n[[ca]]\nname = \"corp\"\nfile = {:?}\ncrl = [{:?}, {:?}]\n",
        pki.path("server-p256.pem"),
        pki.path("server-p256.key"),
        pki.path("corp/ca.pem"),
        pki.path("corp/ca.crl"),
        pki.path("corp/intermediate.crl"),
    );
    for profile in ["corp", "iot", "printers", "machines", "agents", "quarantine"] {
        writeln!(text, "[[profile]]\nname = {profile:?}").unwrap();
    }
    for nas in &day.nases {
        writeln!(text, "[[nas]]\nname = {:?}\naddress = {:?}\nsecret = {SECRET:?}", nas.name, nas.prefix()).unwrap();
    }
    for endpoint in &day.registered {
        let mac = MacAddress::new(mac(*endpoint));
        let credential = format!("credentials = [{{ mac = \"{mac}\" }}]");
        writeln!(
            text,
            "[[identity]]\nname = \"thing-{endpoint}\"\nkind = \"device\"\ngroups = [\"mab-allowed\"]\n{credential}"
        )
        .unwrap();
    }
    let source = Source { file: "cordon.toml".into(), text };
    let config = Config::parse(&source).unwrap();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let today = Timestamp::from_unix_secs(since.as_secs() as i64);
    let built = build(&config, &source, &Stored::default(), None, today).unwrap_or_else(|e| panic!("{e:?}"));
    Engine::new(
        built.snapshot,
        Arc::new(Metrics::new()),
        Duration::from_secs(60),
        Duration::ZERO,
        Tickets::new(&[7; 32]),
    )
}

/// The server and its database, on the clock of the day.
struct Bed {
    location: Location,
    dir: TempDir,
    engine: Engine,
    store: Store,
    writer: Writer,
    failed: Arc<AtomicU64>,
}

impl Bed {
    async fn open(location: Location, dir: TempDir, day: &Day) -> Bed {
        let store = Store::open_at(&location).await.unwrap();
        let writer = Writer::start(store.clone(), dir.path(), JOURNAL_MAX, Arc::new(Metrics::new())).await.unwrap();
        Bed { location, dir, engine: engine(day), store, writer, failed: Arc::default() }
    }

    /// The server restarts, with records on their way.
    async fn again(self, day: &Day) -> Bed {
        let Bed { location, dir, engine: old, store, writer, failed } = self;
        writer.drain().await;
        drop((store, writer, old));
        // The journal is another process's until its thread has ended.
        for _ in 0..500 {
            let store = Store::open_at(&location).await.unwrap();
            if let Ok(writer) = Writer::start(store.clone(), dir.path(), JOURNAL_MAX, Arc::new(Metrics::new())).await {
                return Bed { location, dir, engine: engine(day), store, writer, failed };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the journal is still in use");
    }

    /// Everything that is durable is in the database.
    async fn settle(&self) {
        self.writer.drain().await;
        self.writer.settle(PATIENCE).await;
        assert!(self.writer.backlog().caught_up, "{:?}", self.writer.backlog());
    }

    async fn sweep(&self, now: i64) {
        self.settle().await;
        self.writer.sweep_sessions(micros(now), Duration::from_secs(SILENCE_HOURS * 3600)).await;
    }
}

/// A message as the NAS puts it on the wire.
fn datagram(message: &Message, classes: &HashMap<usize, Vec<u8>>) -> Vec<u8> {
    let secret = Secret::new(SECRET);
    match &message.content {
        Content::Login { attributes, .. } => {
            let mut random = [message.identifier; 16];
            random[..8].copy_from_slice(&message.at.to_be_bytes());
            let mut request = RequestBuilder::new(Code::AccessRequest, message.identifier, random);
            let name = digits(&mac(message.endpoint));
            request.push_text(attr::USER_NAME, &name).unwrap();
            request.push_user_password(&secret, name.as_bytes()).unwrap();
            request.push_u32(attr::SERVICE_TYPE, 10).unwrap();
            request.push_raw(attributes);
            request.finish(&secret).unwrap()
        }
        Content::Accounting { attributes, class, delay } => {
            let mut request =
                RequestBuilder::without_message_authenticator(Code::AccountingRequest, message.identifier, [0; 16]);
            request.push_raw(attributes);
            if let Some(class) = class.and_then(|login| classes.get(&login)) {
                request.push(attr::CLASS, class).unwrap();
            }
            if *delay > 0 {
                request.push_u32(attr::ACCT_DELAY_TIME, *delay).unwrap();
            }
            request.finish(&secret).unwrap()
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut all, b| {
        write!(all, "{b:02x}").unwrap();
        all
    })
}

/// The other program, which is told the same.
struct Model {
    child: std::process::Child,
    input: Option<std::io::BufWriter<std::process::ChildStdin>>,
}

impl Model {
    fn start() -> Model {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/accounting_model.py");
        let mut command = Command::new("python3");
        let mut child = command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().map(std::io::BufWriter::new);
        Model { child, input }
    }

    fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        input.write_all(b"\n").unwrap();
    }

    fn answer(mut self) -> Vec<Value> {
        drop(self.input.take());
        let output = BufReader::new(self.child.stdout.take().unwrap());
        let lines = output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert!(self.child.wait().unwrap().success(), "the model failed");
        lines
    }
}

/// By what a session is known on both sides: NAS, device, Acct-Session-Id, station, and
/// when it began.
type Label = (String, String, String, String, i64);

/// What is said of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    state: String,
    end: Option<i64>,
    last: i64,
    lasted: u64,
    totals: [u64; 4],
    stay: Label,
}

fn label_of(session: &Session) -> Label {
    let id = &session.key.acct_session_id;
    // Until the NAS names it, it is known by its Class.
    let id = if id.starts_with("cordon:") { "" } else { id };
    let key = &session.key;
    let begin = session.started_at().as_micros();
    (key.nas_name.clone(), key.device.clone(), id.to_owned(), key.station.clone(), begin)
}

fn label_in(value: &Value) -> Label {
    let text = |n: usize| value[n].as_str().unwrap().to_owned();
    (text(0), text(1), text(2), text(3), value[4].as_i64().unwrap())
}

/// What the database holds.
async fn stored(store: &Store) -> (BTreeMap<Label, Told>, usize) {
    let mut sessions = Vec::new();
    let mut after = None;
    loop {
        let page = store.sessions(&SessionFilter::default(), after, 500).await.unwrap();
        sessions.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut stays = HashMap::new();
    for session in &sessions {
        let label = label_of(session);
        let stay: &mut Label = stays.entry(session.stay).or_insert_with(|| label.clone());
        *stay = label.min(stay.clone());
    }
    let count = sessions.len();
    let told = sessions.iter().map(|s| {
        let c = s.counters();
        let told = Told {
            state: s.state().code().to_owned(),
            end: s.stopped_at().map(Timestamp::as_micros),
            last: s.last_at.as_micros(),
            lasted: c.session_time().into(),
            totals: [c.input_octets(), c.output_octets(), c.input_packets(), c.output_packets()],
            stay: stays[&s.stay].clone(),
        };
        (label_of(s), told)
    });
    (told.collect(), count)
}

/// Differences, of which the first are shown.
#[derive(Default)]
struct Differences {
    count: usize,
    text: String,
}

impl Differences {
    fn add(&mut self, what: &str, detail: impl FnOnce() -> String) {
        self.count += 1;
        if self.count <= SHOWN {
            writeln!(self.text, "{what}: {}", detail()).unwrap();
        }
    }

    /// Keeps of a kind the first few only.
    fn of<'a>(all: &'a mut BTreeMap<&'static str, Differences>, kind: &'static str) -> &'a mut Differences {
        all.entry(kind).or_default()
    }
}

/// Runs a day through the server into a database, and through the model.
async fn run(seed: u64, endpoints: u32, location: impl FnOnce(&Path) -> Location) {
    let started = Instant::now();
    let day = traffic::day(seed, endpoints);
    let dir = tempfile::tempdir().unwrap();
    let location = location(dir.path());
    let mut bed = Bed::open(location, dir, &day).await;
    let mut model = Model::start();
    eprintln!(
        "seed {seed}: {endpoints} endpoints, {} sessions, {} messages, {} NASes ({:.1?})\n{:#?}",
        day.sessions.len(),
        day.messages.len(),
        day.nases.len(),
        started.elapsed(),
        day.figures
    );
    let mut classes = HashMap::new();
    let (mut next_sweep, mut repeated) = ((DAY_BEGIN + SWEEP) * 1_000_000, 0_u64);
    for (n, message) in day.messages.iter().enumerate() {
        while message.at >= next_sweep {
            bed.sweep(next_sweep).await;
            model.tell(&json!({ "t": next_sweep, "sweep": SILENCE_HOURS * 3600 }).to_string());
            next_sweep += SWEEP * 1_000_000;
        }
        if n == day.messages.len() / 2 {
            bed = bed.again(&day).await;
        }
        let octets = datagram(message, &classes);
        let (now, source) = (micros(message.at), SocketAddr::from((message.source, 50_000)));
        let service = match message.content {
            Content::Login { .. } => Service::Authentication,
            Content::Accounting { .. } => Service::Accounting,
        };
        let nas = format!("{}-{}", ["sw", "wlc"][usize::from(message.source[1] - 1)], message.source[2]);
        let src = source.ip().to_string();
        let (at, attributes) = (message.at, hex(&octets[HEADER_LEN..]));
        match bed.engine.handle(&octets, Arrival { source, listener: 0, service }, now) {
            Answer::AfterRecord { record, reply, token, .. } => {
                let packet = Packet::parse(&reply).unwrap();
                match message.content {
                    Content::Login { login, .. } => {
                        assert_eq!(packet.code(), Code::AccessAccept, "{message:?}");
                        let class = packet.find(attr::CLASS).unwrap().to_vec();
                        let text = std::str::from_utf8(&class).unwrap();
                        model.tell(&format!(
                            r#"{{"t":{at},"nas":"{nas}","src":"{src}","login":"{attributes}","class":"{text}"}}"#
                        ));
                        classes.insert(login, class);
                    }
                    Content::Accounting { .. } => {
                        assert_eq!(packet.code(), Code::AccountingResponse);
                        model.tell(&format!(r#"{{"t":{at},"nas":"{nas}","src":"{src}","acct":"{attributes}"}}"#));
                    }
                }
                let failed = bed.failed.clone();
                let done = Box::new(move |result: Result<_, _>| {
                    failed.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
                });
                bed.writer.submit(record, done).unwrap();
                bed.engine.answered(&token, &reply, now);
            }
            Answer::Now(_) => {
                repeated += 1;
                model.tell(&format!(r#"{{"t":{at},"nas":"{nas}","src":"{src}","acct":"{attributes}"}}"#));
            }
            Answer::Silent => panic!("not answered: {message:?}"),
        }
        if n % 256 == 0 {
            bed.engine.sweep(now);
            while bed.writer.backlog().behind > BEHIND || bed.writer.depth() > 8_192 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    bed.sweep(next_sweep).await;
    model.tell(&json!({ "t": next_sweep, "sweep": SILENCE_HOURS * 3600 }).to_string());
    let bed = bed.again(&day).await;
    bed.settle().await;
    assert_eq!(bed.failed.load(Ordering::Relaxed), 0, "records that were not stored");
    eprintln!("delivered and stored after {:.1?}; {repeated} answered from memory", started.elapsed());
    for (ip, at) in &day.told {
        let ip = std::net::Ipv4Addr::from(*ip).to_string();
        model.tell(&json!({ "who": ip, "at": at * 1_000_000 }).to_string());
    }
    let answer = model.answer();
    eprintln!("the model answered after {:.1?}", started.elapsed());
    let differences = compare(&bed.store, &day, &answer).await;
    eprintln!("compared after {:.1?}", started.elapsed());
    let text: String = differences.iter().map(|(kind, d)| format!("{kind}: {} differ\n{}", d.count, d.text)).collect();
    assert!(differences.is_empty(), "seed {seed}: the server (left) and the model (right) differ\n{text}");
}

async fn compare(store: &Store, day: &Day, answer: &[Value]) -> BTreeMap<&'static str, Differences> {
    let mut all = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for value in answer.iter().filter(|v| v["session"].is_array()) {
        let totals: Vec<u64> = value["totals"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let told = Told {
            state: value["state"].as_str().unwrap().to_owned(),
            end: value["end"].as_i64(),
            last: value["last"].as_i64().unwrap(),
            lasted: value["lasted"].as_u64().unwrap(),
            totals: totals.try_into().unwrap(),
            stay: label_in(&value["stay"]),
        };
        expected.insert(label_in(&value["session"]), told);
    }
    let (found, count) = stored(store).await;
    let sessions = answer.iter().filter(|v| v["session"].is_array()).count();
    eprintln!("{count} sessions stored, {sessions} by the model");
    if count != sessions {
        Differences::of(&mut all, "sessions").add("how many", || format!("{count} | {sessions}"));
    }
    for (label, right) in &expected {
        let Some(left) = found.get(label) else {
            Differences::of(&mut all, "sessions missing").add("missing", || format!("{label:?} {right:?}"));
            continue;
        };
        if left.totals != right.totals {
            let text = || format!("{label:?} {:?} | {:?}", left.totals, right.totals);
            Differences::of(&mut all, "totals").add("totals", text);
        }
        if (&left.state, left.end, left.last, left.lasted) != (&right.state, right.end, right.last, right.lasted) {
            Differences::of(&mut all, "lives").add("life", || format!("{label:?}\n  {left:?} |\n  {right:?}"));
        }
        if left.stay != right.stay {
            let text = || format!("{label:?} {:?} | {:?}", left.stay, right.stay);
            Differences::of(&mut all, "stays").add("stay", text);
        }
    }
    for label in found.keys().filter(|label| !expected.contains_key(label)) {
        Differences::of(&mut all, "sessions that are none").add("none", || format!("{label:?} {:?}", found[label]));
    }
    usage(store, day, answer, &mut all).await;
    holders(store, answer, &mut all).await;
    truth(day, &found, &mut all);
    all
}

async fn usage(store: &Store, day: &Day, answer: &[Value], all: &mut BTreeMap<&'static str, Differences>) {
    let mut expected: BTreeMap<(String, i64), [u64; 4]> = BTreeMap::new();
    for value in answer.iter().filter(|v| v["hour"].is_i64()) {
        let sums: Vec<u64> = value["sums"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let key = (value["nas"].as_str().unwrap().to_owned(), value["hour"].as_i64().unwrap());
        expected.insert(key, sums.try_into().unwrap());
    }
    let (since, until) = (Timestamp::from_unix_secs(DAY_BEGIN - DAY), Timestamp::from_unix_secs(DAY_BEGIN + 3 * DAY));
    let mut found = BTreeMap::new();
    for nas in &day.nases {
        for row in store.usage(Resolution::Hour, Some(&nas.name), since, until, 1_000).await.unwrap() {
            let s = row.sum;
            let sums = [s.input_octets, s.output_octets, s.records, s.sessions];
            found.insert((nas.name.clone(), row.begin.as_micros()), sums);
        }
    }
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    for key in keys.into_iter().filter(|key| expected.get(key) != found.get(key)) {
        let text = || format!("{key:?} {:?} | {:?}", found.get(key), expected.get(key));
        Differences::of(all, "usage").add("hour", text);
    }
}

async fn holders(store: &Store, answer: &[Value], all: &mut BTreeMap<&'static str, Differences>) {
    let mut asked = 0;
    for value in answer.iter().filter(|v| v["holders"].is_array()) {
        let (ip, at) = (value["who"].as_str().unwrap(), value["at"].as_i64().unwrap());
        let right: Vec<Label> = value["holders"].as_array().unwrap().iter().map(label_in).collect();
        let held = store.holders(&Held::Ip(ip.into()), micros(at)).await.unwrap();
        let mut left: Vec<Label> = held.iter().map(label_of).collect();
        left.sort();
        asked += 1;
        if left != right {
            Differences::of(all, "holders").add("who", || format!("{ip} at {at}: {left:?} | {right:?}"));
        }
    }
    eprintln!("asked {asked} times who had an address");
    assert!(asked > 100);
}

/// Sessions of the same names, each with when it began.
type Stays<'a> = Vec<(i64, &'a Told)>;

/// What no model is needed for.
fn truth(day: &Day, found: &BTreeMap<Label, Told>, all: &mut BTreeMap<&'static str, Differences>) {
    // Sessions by their names; those that had the same, by when they began.
    let mut by_names: HashMap<(&str, &str, &str), Stays<'_>> = HashMap::new();
    for (label, told) in found {
        by_names.entry((&label.0, &label.2, &label.3)).or_default().push((label.4, told));
    }
    let (mut exact, mut sum) = (0, 0_u64);
    for session in day.sessions.iter().filter(|s| !s.session_id.is_empty()) {
        let station = MacAddress::new(mac(session.endpoint)).to_string();
        let names = (day.nases[session.nas].name.as_str(), session.session_id.as_str(), station.as_str());
        let near = |begin: &i64| (begin / 1_000_000 - session.begin).abs() <= 5;
        let mine = by_names.get(&names).and_then(|all| all.iter().find(|(begin, _)| near(begin)));
        let Some((_, told)) = mine else {
            Differences::of(all, "lost").add("lost", || format!("{session:?}"));
            continue;
        };
        let most = session.total();
        sum += most[0];
        if told.totals.iter().zip(most).any(|(counted, most)| *counted > most) {
            let text = || format!("{session:?}\n  {:?} | {most:?}", told.totals);
            Differences::of(all, "counted what was never sent").add("too much", text);
        }
        if session.complete {
            exact += 1;
            if told.totals != most {
                let text = || format!("{session:?}\n  {:?} | {most:?}", told.totals);
                Differences::of(all, "totals that are not true").add("untrue", text);
            }
        }
    }
    let share = exact * 100 / day.sessions.len();
    eprintln!("{exact} sessions came to their end, {share} % of all; {sum} octets in");
    assert!(share > 50, "too few sessions are looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_a_campus_adds_up_as_an_independent_model_says() {
    run(20_260_308, 50_000, |dir| Location::File(dir.join("db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenth_of_a_day_of_a_campus_adds_up_on_postgresql() {
    let url = tokio::task::spawn_blocking(|| postgres().database()).await.unwrap();
    run(4_711, 5_000, |_: &Path| Location::Url(url)).await;
}
