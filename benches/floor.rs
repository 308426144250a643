//! What the work costs with everything around it taken away: the TLS handshake
//! in memory, which is the floor for a login, and one request through the
//! engine with few and many rules and identities. `make bench` runs it.

// A benchmark reads the clock, and may fail by panicking.
#![allow(clippy::disallowed_methods, clippy::panic, clippy::unwrap_used, missing_docs)]

use cordon::access::{Answer, Arrival, Engine, Service};
use cordon::client::Port;
use cordon::config::build::build;
use cordon::config::stored::Stored;
use cordon::config::{Config, Source};
use cordon::enforcement::ticket::Tickets;
use cordon::ids::IdentityId;
use cordon::inventory::credential::Credential;
use cordon::inventory::identity::{Identity, IdentityKind, Interner};
use cordon::inventory::mac::MacAddress;
use cordon::pki::authority::{Authority, KeyKind, Pair, Request, Usage};
use cordon::pki::pem;
use cordon::secret::Secret;
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Handshakes that are measured; as many before them warm up.
const HANDSHAKES: u32 = 2_000;
/// Requests through the engine, likewise.
const REQUESTS: u32 = 20_000;
const SECRET: &str = "a-secret-of-some-length";

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_secs(since.as_secs() as i64)
}

struct Pki {
    root: Pair,
    server: Pair,
    client: Pair,
}

fn pki() -> Pki {
    let root = Authority::root("Bench CA", KeyKind::P256, now()).unwrap();
    let authority = Authority::load(&root).unwrap();
    let issue = |name: &str, usage| {
        let request = Request {
            common_name: name.into(),
            dns: vec![name.into()],
            ip: Vec::new(),
            email: vec![],
            uri: vec![],
            upn: vec![],
            usage,
            key: KeyKind::P256,
            not_before: now() - Duration::from_secs(60),
            not_after: now() + Duration::from_secs(86_400),
        };
        authority.issue(&request).unwrap()
    };
    Pki {
        server: issue("radius.corp.example", Usage::Server),
        client: issue("laptop.corp.example", Usage::Client),
        root,
    }
}

/// One handshake; the time that the server's side took.
fn handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Duration {
    let name = ServerName::try_from("radius.corp.example").unwrap();
    let mut client = ClientConnection::new(client.clone(), name).unwrap();
    let mut spent = Duration::ZERO;
    let started = Instant::now();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    spent += started.elapsed();
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let started = Instant::now();
        let mut arrived = &wire[..];
        while !arrived.is_empty() {
            server.read_tls(&mut arrived).unwrap();
        }
        server.process_new_packets().unwrap();
        let mut back = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        spent += started.elapsed();
        let mut arrived = &back[..];
        while !arrived.is_empty() {
            client.read_tls(&mut arrived).unwrap();
        }
        client.process_new_packets().unwrap();
    }
    spent
}

fn tls_floor(pki: &Pki, version: &'static SupportedProtocolVersion) -> f64 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = {
        let mut roots = RootCertStore::empty();
        roots.add(pem::certificates(pki.root.certificate.as_bytes()).unwrap().remove(0)).unwrap();
        Arc::new(roots)
    };
    let chain = |pair: &Pair| pem::certificates(pair.certificate.as_bytes()).unwrap();
    let key = |pair: &Pair| pem::private_key(pair.key.as_bytes()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build().unwrap();
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(&pki.server), key(&pki.server))
        .unwrap();
    server.send_tls13_tickets = 0;
    // What supplicants of today offer: no post-quantum key exchange.
    let mut classic = rustls::crypto::aws_lc_rs::default_provider();
    classic.kx_groups =
        vec![rustls::crypto::aws_lc_rs::kx_group::X25519, rustls::crypto::aws_lc_rs::kx_group::SECP256R1];
    let mut client = ClientConfig::builder_with_provider(Arc::new(classic))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain(&pki.client), key(&pki.client))
        .unwrap();
    client.resumption = rustls::client::Resumption::disabled();
    let (server, client) = (Arc::new(server), Arc::new(client));
    for _ in 0..HANDSHAKES {
        handshake(&server, &client);
    }
    let spent: Duration = (0..HANDSHAKES).map(|_| handshake(&server, &client)).sum();
    spent.as_secs_f64() * 1e6 / f64::from(HANDSHAKES)
}

fn engine(dir: &std::path::Path, rules: usize, identities: usize) -> Engine {
    let mut policy = String::new();
    for rule in 0..rules.saturating_sub(1) {
        writeln!(
            policy,
            "@id(\"r{rule}\") @order(\"{}\") @profile(\"p\")\npermit (principal in Group::\"g{rule}\", \
             action == Network::Action::\"connect\", resource) when {{ context.method == \"eap-tls\" }};",
            rule + 10
        )
        .unwrap();
    }
    policy.push_str(
        "@id(\"mab\") @order(\"9000\") @profile(\"p\")\n\
         permit (principal in Group::\"mab\", action == Network::Action::\"connect\", resource);",
    );
    std::fs::write(dir.join("policy.cedar"), policy).unwrap();
    let text = format!(
        "[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n[[ca]]\nname = \"c\"\nfile = \"ca.pem\"\n\
         [policy]\nfile = \"policy.cedar\"\n[[profile]]\nname = \"p\"\nvlan = 20\n\
         [[nas]]\nname = \"n\"\naddress = \"127.0.0.1\"\nsecret = \"{SECRET}\"\n"
    );
    let mut interner = Interner::default();
    let known = |number: usize| {
        let [_, a, b, c] = (number as u32).to_be_bytes();
        Arc::new(Identity {
            groups: interner.list(["mab"]),
            owner: Some(interner.word("alice")),
            credentials: [Credential::Mac(MacAddress::new([2, 0, 0, a, b, c]))].into(),
            ..Identity::new(IdentityId::new(now()), IdentityKind::Device, &format!("i{number}"))
        })
    };
    let stored = Stored { identities: (0..identities).map(known).collect(), ..Stored::default() };
    let source = Source { file: dir.join("cordon.toml"), text };
    let config = Config::parse(&source).unwrap();
    let built = build(&config, &source, &stored, None, now()).unwrap_or_else(|e| panic!("{e:?}"));
    Engine::new(
        built.snapshot,
        Arc::new(Metrics::new()),
        Duration::from_secs(60),
        Duration::ZERO,
        Tickets::new(&[7; 32]),
    )
}

/// Microseconds of one MAB request through the engine, its reply included.
fn mab(engine: &Engine, identities: usize) -> f64 {
    let requests: Vec<Vec<u8>> = (0..1_000_u32)
        .map(|n| {
            let [_, a, b, c] = (n * 7_919 % identities as u32).to_be_bytes();
            let mac = MacAddress::new([2, 0, 0, a, b, c]);
            let port = Port { secret: Secret::new(SECRET), mac, port_id: "1".into(), extra: Vec::new() };
            port.mab(n as u8).unwrap()
        })
        .collect();
    let mut at = now();
    let mut run = |count: u32| {
        let started = Instant::now();
        for n in 0..count {
            let source = std::net::SocketAddr::from(([127, 0, 0, 1], 1024 + (n % 60_000) as u16));
            let arrival = Arrival { source, listener: 0, service: Service::Authentication };
            let answer = engine.handle(&requests[n as usize % requests.len()], arrival, at);
            assert!(matches!(answer, Answer::AfterRecord { .. }), "{answer:?}");
        }
        let spent = started.elapsed();
        // The duplicates' memory is emptied between two runs.
        at = at + Duration::from_secs(60);
        engine.sweep(at);
        spent.as_secs_f64() * 1e6 / f64::from(count)
    };
    run(REQUESTS);
    run(REQUESTS)
}

/// Resident memory of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn main() {
    let pki = pki();
    println!("in memory, one thread, the server's side:");
    println!("  TLS 1.2, P-256, full handshake   {:8.1} us", tls_floor(&pki, &rustls::version::TLS12));
    println!("  TLS 1.3, P-256, full handshake   {:8.1} us", tls_floor(&pki, &rustls::version::TLS13));
    let dir = std::env::temp_dir().join(format!("cordon-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("server.pem"), &pki.server.certificate).unwrap();
    std::fs::write(dir.join("server.key"), &pki.server.key).unwrap();
    std::fs::write(dir.join("ca.pem"), &pki.root.certificate).unwrap();
    println!("MAB through the engine, without network and disk:");
    for (rules, identities) in [(10, 1_000), (1_000, 1_000), (10, 1_000_000)] {
        let before = resident();
        let started = Instant::now();
        let engine = engine(&dir, rules, identities);
        let read = started.elapsed().as_secs_f64();
        let memory = resident().saturating_sub(before);
        let cost = mab(&engine, identities);
        println!(
            "  {rules:>5} rules, {identities:>9} identities  {cost:8.1} us   read in {read:4.1} s   {memory:>5} MiB"
        );
    }
    let _ = std::fs::remove_dir_all(dir);
}
