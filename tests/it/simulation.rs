//! Supplicants, a NAS and the server in one process, on a fake clock, over a
//! network that loses, delays, reorders and repeats: by a seed, so that what
//! fails can be seen again.

use crate::support::pki::pki;
use cordon::access::{Answer, Arrival, Engine, RequestToken, Service, Snapshot};
use cordon::client::{Ending, Login, LoginStep, Port};
use cordon::config::build::{build, certified_key};
use cordon::config::stored::Stored;
use cordon::config::{Config, Source};
use cordon::eap::packet::{EapCode, EapType, typed};
use cordon::eap::tls::adapter::{ClientTlsConfig, KeyExchange, TlsVersion};
use cordon::enforcement::ticket::Tickets;
use cordon::inventory::mac::MacAddress;
use cordon::pki::pem;
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::Code;
use cordon::secret::Secret;
use cordon::store::writer::Record;
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const SECRET: &str = "a-secret-of-some-length";
/// How long the NAS waits before it sends again, and how often it does.
const RETRANSMIT: Duration = Duration::from_secs(3);
const TRIES: u32 = 8;
/// After which silence the server ends a conversation.
const TIMEOUT: Duration = Duration::from_secs(60);

/// SplitMix64: enough chance for a simulation, the same for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a configuration amounts to, on the shared certificates.
fn snapshot(more: &str) -> Snapshot {
    let pki = pki();
    let text = format!(
        r#"
[tls]
certificate = {:?}
key = {:?}
[[ca]]
name = "corp"
file = {:?}
crl = [{:?}, {:?}]
[[profile]]
name = "corp"
vlan = 20
[[profile]]
name = "printers"
[[profile]]
name = "machines"
[[profile]]
name = "agents"
[[profile]]
name = "iot"
[[profile]]
name = "quarantine"
[[identity]]
name = "laptop"
kind = "device"
groups = ["laptops"]
credentials = [{{ san_dns = "p256.corp.example" }}]
{more}
"#,
        pki.path("server-p256.pem"),
        pki.path("server-p256.key"),
        pki.path("corp/ca.pem"),
        pki.path("corp/ca.crl"),
        pki.path("corp/intermediate.crl"),
    );
    let source = Source { file: "cordon.toml".into(), text };
    let config = Config::parse(&source).unwrap();
    build(&config, &source, &Stored::default(), None, now()).unwrap_or_else(|e| panic!("{e:?}")).snapshot
}

fn engine(more: &str) -> Arc<Engine> {
    Arc::new(Engine::new(snapshot(more), Arc::new(Metrics::new()), TIMEOUT, Duration::ZERO, Tickets::new(&[7; 32])))
}

fn now() -> Timestamp {
    // The certificates are of today, and so the simulation begins today.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_secs(since.as_secs() as i64 + 120)
}

fn client_tls(resumption: bool) -> ClientTlsConfig {
    let read = |name: &str| std::fs::read(pki().path(name)).unwrap();
    let roots = pem::certificates(&read("corp/ca.pem")).unwrap();
    let key = certified_key(&read("p256.pem"), &read("p256.key")).unwrap();
    ClientTlsConfig::new(&roots, Some(key), TlsVersion::V12, TlsVersion::V13, resumption, KeyExchange::Hybrid).unwrap()
}

fn port(number: u32) -> Port {
    let [_, a, b, c] = number.to_be_bytes();
    let mac = MacAddress::new([0x02, 0x00, 0x5e, a, b, c]);
    Port { secret: Secret::new(SECRET), mac, port_id: number.to_string(), extra: Vec::new() }
}

/// Something that happens at a time; the number keeps equal times in order.
type Due = Reverse<(Timestamp, u64)>;

enum Event {
    /// A login begins.
    Begin(usize),
    /// A datagram reaches the server.
    ToServer(usize, Vec<u8>),
    /// A datagram reaches the NAS.
    ToNas(usize, Arc<[u8]>),
    /// A record has become durable.
    Stored(usize, RequestToken, Arc<[u8]>),
    /// The NAS has waited long enough for the reply to this round.
    Patience(usize, u32, u32),
    /// A second has passed.
    Sweep,
}

struct World {
    random: Random,
    engine: Arc<Engine>,
    now: Timestamp,
    queue: BinaryHeap<Due>,
    events: HashMap<u64, Event>,
    number: u64,
    logins: Vec<Login>,
    identifiers: Vec<u8>,
    endings: Vec<Option<Box<Ending>>>,
    given_up: usize,
    records: HashMap<String, u32>,
    loss: u64,
}

impl World {
    fn new(seed: u64, count: usize, loss: u64) -> World {
        let nas = format!("[[nas]]\nname = \"nas\"\naddress = \"192.0.2.0/24\"\nsecret = \"{SECRET}\"\n");
        // A config each for some, so that they resume; most log in anew.
        let tls = client_tls(true);
        let logins = (0..count).map(|n| Login::new(port(n as u32), "anonymous", tls.clone(), 600)).collect();
        let mut world = World {
            random: Random(seed),
            engine: engine(&nas),
            now: now(),
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            number: 0,
            logins,
            identifiers: vec![0; count],
            endings: (0..count).map(|_| None).collect(),
            given_up: 0,
            records: HashMap::new(),
            loss,
        };
        for login in 0..count {
            let at = world.random.below(20_000);
            world.at(Duration::from_millis(at), Event::Begin(login));
        }
        world.at(Duration::from_secs(1), Event::Sweep);
        world
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.number += 1;
        self.queue.push(Reverse((self.now + after, self.number)));
        self.events.insert(self.number, event);
    }

    /// Loses, repeats or delays; packets overtake one another.
    fn carry(&mut self, event: impl Fn() -> Event) {
        let copies = if self.random.percent(self.loss) { 0 } else { 1 + u64::from(self.random.percent(10)) };
        for _ in 0..copies {
            let delay = 1 + self.random.below(400);
            self.at(Duration::from_millis(delay), event());
        }
    }

    /// Each login has an address of its own, as if each port were a NAS.
    fn source(login: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, (login % 250) as u8], 1024 + (login / 250) as u16))
    }

    fn run(&mut self) {
        while let Some(Reverse((at, number))) = self.queue.pop() {
            self.now = at;
            let event = self.events.remove(&number).unwrap();
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin(login) => {
                let identifier = self.identifier(login);
                let request = self.logins[login].start(identifier, self.now).unwrap();
                self.send(login, &request);
            }
            Event::ToServer(login, datagram) => {
                let arrival = Arrival { source: Self::source(login), listener: 0, service: Service::Authentication };
                match self.engine.handle(&datagram, arrival, self.now) {
                    Answer::Silent => {}
                    Answer::Now(reply) => self.carry(|| Event::ToNas(login, reply.clone())),
                    Answer::AfterRecord { record, reply, token, .. } => {
                        if let Record::Decision(decision) = record {
                            *self.records.entry(decision.outcome.code().to_owned()).or_default() += 1;
                        }
                        let delay = 1 + self.random.below(50);
                        self.at(Duration::from_millis(delay), Event::Stored(login, token, reply));
                    }
                }
            }
            Event::Stored(login, token, reply) => {
                self.engine.answered(&token, &reply, self.now);
                self.carry(|| Event::ToNas(login, reply.clone()));
            }
            Event::ToNas(login, reply) => {
                if self.endings[login].is_some() {
                    return;
                }
                let next = self.identifiers[login].wrapping_add(1);
                match self.logins[login].receive(&reply, next, self.now) {
                    Ok(LoginStep::Send(request, _)) => {
                        self.identifiers[login] = next;
                        self.send(login, &request);
                    }
                    Ok(LoginStep::Done(ending)) => self.endings[login] = Some(ending),
                    // A late copy of an earlier reply.
                    Err(_) => {}
                }
            }
            Event::Patience(login, round, tries) => {
                if self.endings[login].is_some() || self.logins[login].rounds != round {
                    return;
                }
                if tries >= TRIES {
                    self.given_up += 1;
                    return;
                }
                let request = self.logins[login].pending().to_vec();
                self.carry(|| Event::ToServer(login, request.clone()));
                self.at(RETRANSMIT, Event::Patience(login, round, tries + 1));
            }
            Event::Sweep => {
                self.engine.sweep(self.now);
                // Until everything else has happened, and silence has been long
                // enough for whatever is left.
                if !self.queue.is_empty() || self.engine.conversations() > 0 {
                    self.at(Duration::from_secs(1), Event::Sweep);
                }
            }
        }
    }

    fn identifier(&mut self, login: usize) -> u8 {
        self.identifiers[login] = self.identifiers[login].wrapping_add(1);
        self.identifiers[login]
    }

    fn send(&mut self, login: usize, request: &[u8]) {
        let round = self.logins[login].rounds;
        self.carry(|| Event::ToServer(login, request.to_vec()));
        self.at(RETRANSMIT, Event::Patience(login, round, 1));
    }
}

#[test]
fn thousands_of_logins_over_a_bad_network_all_end() {
    let count = 2_000;
    let mut world = World::new(20_261_124, count, 10);
    world.run();
    let accepted = world.endings.iter().flatten().filter(|e| e.code == Code::AccessAccept).count();
    assert!(world.endings.iter().flatten().all(|e| e.code == Code::AccessAccept && e.keys_match));
    assert_eq!(accepted + world.given_up, count, "each was accepted, or the NAS gave up");
    assert!(world.given_up < count / 100, "{} of {count} were given up", world.given_up);
    let recorded = world.records["accept"] as usize;
    // An Accept whose every copy was lost is recorded and not heard of.
    assert!((accepted..=count).contains(&recorded), "{recorded} recorded, {accepted} accepted");
    assert_eq!(world.records.len(), 1, "{:?}", world.records);
    assert_eq!(world.engine.conversations(), 0, "no conversation is left");
    assert_eq!(world.engine.remembered_replies(), 0, "no reply is left");
}

#[test]
fn a_network_that_loses_half_leaves_nothing_behind() {
    let count = 300;
    let mut world = World::new(7, count, 50);
    world.run();
    let ended = world.endings.iter().flatten().count();
    assert_eq!(ended + world.given_up, count);
    assert!(ended > 0 && world.given_up > 0, "{ended} ended, {} given up", world.given_up);
    assert_eq!(world.engine.conversations(), 0);
    assert_eq!(world.engine.remembered_replies(), 0);
}

/// The first request of a login that never goes on.
fn half_open(identifier: u8) -> Vec<u8> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let mut request = RequestBuilder::new(Code::AccessRequest, identifier, random);
    request.push_text(attr::USER_NAME, "x").unwrap();
    request.push_eap(&typed(EapCode::Response, 0, EapType::IDENTITY, b"x")).unwrap();
    request.finish(&Secret::new(SECRET)).unwrap()
}

#[test]
fn a_flood_of_half_open_logins_locks_nobody_out() {
    let nas = |name: &str, address: &str, more: &str| {
        format!("[[nas]]\nname = \"{name}\"\naddress = \"{address}\"\nsecret = \"{SECRET}\"\n{more}\n")
    };
    let engine =
        engine(&format!("{}{}", nas("flooded", "192.0.2.1", "max_conversations = 100"), nas("calm", "192.0.2.2", "")));
    let mut now = now();
    let arrival = |host: u8, port: u16| Arrival {
        source: SocketAddr::from(([192, 0, 2, host], port)),
        listener: 0,
        service: Service::Authentication,
    };
    let tls = client_tls(false);
    // A login that is under way when the flood begins, one on the other NAS,
    // and one that begins behind the flooded NAS in the middle of it.
    let mut logins = [
        (1_u8, Login::new(port(1), "a", tls.clone(), 1300)),
        (2, Login::new(port(2), "b", tls.clone(), 1300)),
        (1, Login::new(port(3), "c", tls, 1300)),
    ];
    let mut pending: Vec<Option<Vec<u8>>> = vec![None; 3];
    let mut done = [false; 3];
    for step in 0..20_u16 {
        for flood in 0..500_u16 {
            engine.handle(&half_open(flood as u8), arrival(1, 2000 + flood), now);
            now = now + Duration::from_micros(100);
        }
        assert!(engine.conversations() <= 102, "{}", engine.conversations());
        for (number, (host, login)) in logins.iter_mut().enumerate() {
            // A login that goes on answers within the flood's next wave.
            for _ in 0..12 {
                if done[number] {
                    break;
                }
                let request = match pending[number].take() {
                    Some(request) => request,
                    None => login.start(step as u8, now).unwrap(),
                };
                let reply = match engine.handle(&request, arrival(*host, 1000 + number as u16), now) {
                    Answer::Now(reply) => reply,
                    Answer::AfterRecord { reply, .. } => reply,
                    Answer::Silent => panic!("login {number} was dropped in step {step}"),
                };
                match login.receive(&reply, login.rounds as u8, now).unwrap() {
                    LoginStep::Send(request, _) => pending[number] = Some(request),
                    LoginStep::Done(ending) => {
                        assert_eq!(ending.code, Code::AccessAccept);
                        assert!(ending.keys_match);
                        done[number] = true;
                    }
                }
            }
        }
    }
    assert!(done.iter().all(|d| *d), "{done:?}");
    engine.sweep(now + TIMEOUT);
    assert_eq!(engine.conversations(), 0);
}

#[test]
fn a_resumed_session_is_judged_anew() {
    let nas = format!("[[nas]]\nname = \"nas\"\naddress = \"192.0.2.1\"\nsecret = \"{SECRET}\"\n");
    let now = now();
    for (version, name) in [(TlsVersion::V12, "1.2"), (TlsVersion::V13, "1.3")] {
        let read = |name: &str| std::fs::read(pki().path(name)).unwrap();
        let roots = pem::certificates(&read("corp/ca.pem")).unwrap();
        let key = certified_key(&read("p256.pem"), &read("p256.key")).unwrap();
        let tls = ClientTlsConfig::new(&roots, Some(key), version, version, true, KeyExchange::Hybrid).unwrap();
        let good = snapshot(&nas);
        let engine =
            Engine::new(good.clone(), Arc::new(Metrics::new()), TIMEOUT, Duration::ZERO, Tickets::new(&[7; 32]));
        let log_in = || {
            let mut login = Login::new(port(1), "a", tls.clone(), 1300);
            let mut request = login.start(1, now).unwrap();
            for identifier in 2.. {
                let arrival = Arrival {
                    source: "192.0.2.1:1000".parse().unwrap(),
                    listener: 0,
                    service: Service::Authentication,
                };
                let (reply, record) = match engine.handle(&request, arrival, now) {
                    Answer::Now(reply) => (reply, None),
                    Answer::AfterRecord { reply, record: Record::Decision(d), .. } => (reply, Some(d)),
                    other => panic!("{other:?}"),
                };
                match login.receive(&reply, identifier, now).unwrap() {
                    LoginStep::Send(next, _) => request = next,
                    LoginStep::Done(ending) => return (ending, record.unwrap()),
                }
            }
            unreachable!("a login ends")
        };
        let resumed = |d: &cordon::audit::decision::Decision| {
            d.facts.iter().any(|f| f.name == "tls.resumed" && f.value == serde_json::json!(true))
        };
        let (first, decision) = log_in();
        assert!(first.code == Code::AccessAccept && !resumed(&decision), "TLS {name}");
        let (second, decision) = log_in();
        assert!(second.code == Code::AccessAccept && resumed(&decision), "TLS {name}: {decision:?}");

        // Nobody is bound to the certificate any more.
        engine.replace(Snapshot { identities: Default::default(), ..good.clone() });
        let (third, decision) = log_in();
        assert_eq!(third.code, Code::AccessReject, "TLS {name}");
        assert!(resumed(&decision), "TLS {name}: it is the resumed session that is refused: {decision:?}");
        assert_eq!(decision.reason.code(), "identity_unknown");

        // The rules have changed.
        let none = cordon::policy::engine::Policy::compile("", &[]).unwrap();
        engine.replace(Snapshot { policy: Arc::new(none), ..good.clone() });
        let (fourth, decision) = log_in();
        assert_eq!((fourth.code, decision.reason.code()), (Code::AccessReject, "no_matching_rule"), "TLS {name}");

        engine.replace(good);
        assert_eq!(log_in().0.code, Code::AccessAccept, "TLS {name}");
    }
}

/// Serves a login to its end; `between` is called with each request before it
/// is served, and its number.
fn serve(engine: &Engine, login: &mut Login, now: Timestamp, mut between: impl FnMut(u32)) -> (Box<Ending>, String) {
    let arrival = Arrival { source: "192.0.2.1:1000".parse().unwrap(), listener: 0, service: Service::Authentication };
    let mut request = login.start(1, now).unwrap();
    for identifier in 2.. {
        between(login.rounds);
        let (reply, reason) = match engine.handle(&request, arrival, now) {
            Answer::Now(reply) => (reply, String::new()),
            Answer::AfterRecord { reply, record: Record::Decision(d), .. } => (reply, d.reason.code().to_owned()),
            other => panic!("{other:?}"),
        };
        match login.receive(&reply, identifier, now).unwrap() {
            LoginStep::Send(next, _) => request = next,
            LoginStep::Done(ending) => return (ending, reason),
        }
    }
    unreachable!("a login ends")
}

#[test]
fn a_decision_is_taken_again_when_the_rules_change_before_the_last_packet() {
    let nas = format!("[[nas]]\nname = \"nas\"\naddress = \"192.0.2.1\"\nsecret = \"{SECRET}\"\n");
    let (good, now) = (snapshot(&nas), now());
    let engine = Engine::new(good.clone(), Arc::new(Metrics::new()), TIMEOUT, Duration::ZERO, Tickets::new(&[7; 32]));
    let mut login = Login::new(port(1), "a", client_tls(false), 1300);
    let (ending, _) = serve(&engine, &mut login, now, |_| {});
    assert_eq!(ending.code, Code::AccessAccept);
    let last = login.rounds;

    let none = Arc::new(cordon::policy::engine::Policy::compile("", &[]).unwrap());
    let mut login = Login::new(port(1), "a", client_tls(false), 1300);
    let (ending, reason) = serve(&engine, &mut login, now, |round| {
        if round == last {
            engine.replace(Snapshot { policy: none.clone(), ..good.clone() });
        }
    });
    assert_eq!((ending.code, reason.as_str()), (Code::AccessReject, "no_matching_rule"));
    assert_eq!(engine.conversations(), 0);
}

#[test]
fn a_flood_of_handshakes_that_stop_locks_nobody_out() {
    let nas =
        format!("[[nas]]\nname = \"nas\"\naddress = \"192.0.2.1\"\nsecret = \"{SECRET}\"\nmax_conversations = 50\n");
    let engine = engine(&nas);
    let now = now();
    let arrival = |port| Arrival {
        source: SocketAddr::from(([192, 0, 2, 1], port)),
        listener: 0,
        service: Service::Authentication,
    };
    let tls = client_tls(false);
    for number in 0..200_u16 {
        let mut login = Login::new(port(number.into()), "x", tls.clone(), 1300);
        let mut request = login.start(1, now).unwrap();
        // Identity, then the ClientHello, and silence.
        for identifier in 2..4 {
            let Answer::Now(reply) = engine.handle(&request, arrival(2000 + number), now) else { panic!("{number}") };
            match login.receive(&reply, identifier, now).unwrap() {
                LoginStep::Send(next, _) => request = next,
                LoginStep::Done(_) => panic!("{number}"),
            }
        }
        engine.handle(&request, arrival(2000 + number), now);
        assert!(engine.conversations() <= 50);
    }
    let mut login = Login::new(port(1), "a", tls, 1300);
    assert_eq!(serve(&engine, &mut login, now, |_| {}).0.code, Code::AccessAccept);
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let nas = format!("[[nas]]\nname = \"nas\"\naddress = \"192.0.2.1\"\nsecret = \"{SECRET}\"\n");
    let engine = engine(&nas);
    let late = now();
    let arrival = |port| Arrival {
        source: SocketAddr::from(([192, 0, 2, 1], port)),
        listener: 0,
        service: Service::Authentication,
    };
    for port in 0..500 {
        engine.handle(&half_open(1), arrival(2000 + port), late);
    }
    assert_eq!(engine.conversations(), 500);
    engine.sweep(late - Duration::from_secs(7200));
    assert_eq!((engine.conversations(), engine.remembered_replies()), (0, 0));
}
