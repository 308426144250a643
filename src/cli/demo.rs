//! `cordon demo`: everything at once, made for you. A CA, certificates for each
//! kind of client, a configuration with its policy, a login as each of them,
//! and a server that stays up.

use super::auth::{ClientArgs, Tls};
use super::ca::{Eku, InitArgs, IssueArgs, init, issue, revoke};
use super::serve::{log, stopped};
use crate::access::Service;
use crate::api::console::Console;
use crate::audit::decision::Decision;
use crate::client::Login;
use crate::config::files::{Readers, secret_file, write_whole};
use crate::pki::authority::KeyKind;
use crate::policy::engine::DEFAULT_POLICY;
use crate::radius::packet::Code;
use crate::server::{self, Running};
use crate::store::read::DecisionFilter;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use clap::Args;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The endpoint that has nothing but a MAC address, and one that nobody knows.
const CAMERA_MAC: &str = "02-00-5E-00-00-10";
const STRANGER_MAC: &str = "02-00-5E-00-00-99";
/// Between two looks whether the CRL is in force.
const A_WHILE: Duration = Duration::from_millis(100);

/// Arguments of `cordon demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to put everything; made if it is not there, and used again if it is
    #[arg(long, default_value = "demo-data")]
    pub data: PathBuf,
    /// The UDP port for authentication, on loopback; 0 takes any that is free
    #[arg(long, default_value_t = 1812)]
    pub auth_port: u16,
    /// The UDP port for accounting
    #[arg(long, default_value_t = 1813)]
    pub acct_port: u16,
    /// The TCP port of the HTTP API
    #[arg(long, default_value_t = 8080)]
    pub http_port: u16,
}

/// One of those who log in.
struct Actor {
    /// The name of its files, and in `demo.env`.
    name: &'static str,
    what: &'static str,
    login: By,
}

enum By {
    Certificate,
    Mac(&'static str),
}

const ACTORS: [Actor; 8] = [
    Actor { name: "laptop", what: "a laptop of Anna's", login: By::Certificate },
    Actor { name: "printer", what: "a printer with a certificate", login: By::Certificate },
    Actor { name: "machine", what: "a build server (SPIFFE id)", login: By::Certificate },
    Actor { name: "agent", what: "an AI agent that Ben answers for", login: By::Certificate },
    Actor { name: "expired", what: "a laptop whose certificate is over", login: By::Certificate },
    Actor { name: "revoked", what: "a laptop that was lost", login: By::Certificate },
    Actor { name: "camera", what: "a camera without a certificate", login: By::Mac(CAMERA_MAC) },
    Actor { name: "stranger", what: "a MAC address nobody knows", login: By::Mac(STRANGER_MAC) },
];

/// The configuration to begin with.
const CONFIGURATION: &str = include_str!("demo.toml");

/// Where things are in the demo's directory.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Runs the demo until it is told to stop.
///
/// # Errors
/// When a file cannot be written or a port is taken.
pub fn run(args: &DemoArgs, console: &'static [u8]) -> Result<(), String> {
    log(false);
    let console = Console::read(console)?;
    fs::create_dir_all(&args.data).map_err(|e| format!("{}: {e}", args.data.display()))?;
    let dir = args.data.canonicalize().map_err(|e| format!("{}: {e}", args.data.display()))?;
    let place = Place { dir };
    // What an earlier run left would tell that this one is ready.
    let _ = fs::remove_file(place.at("ready"));
    let now = Clock::start().now();
    certificates(&place, now)?;
    configuration(&place, args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let running = server::start(&place.at("cordon.toml"), console).await.map_err(|e| e.to_string())?;
        let env = environment(&place, &running)?;
        write_whole(&place.at("demo.env"), &env, Readers::Owner).map_err(|e| e.to_string())?;
        let rows = log_all_in(&place, &running).await?;
        println!("{}", table(&rows));
        println!("{}", next_steps(&place, &running));
        write_whole(&place.at("ready"), &running.ready_text(), Readers::All).map_err(|e| e.to_string())?;
        stopped().await;
        let _ = fs::remove_file(place.at("ready"));
        running.stop().await;
        Ok(())
    })
}

/// A CA with an intermediate, and a certificate for each actor.
fn certificates(place: &Place, now: Timestamp) -> Result<(), String> {
    let dir = place.at("ca");
    let done = place.at("ca/complete");
    if done.exists() {
        return Ok(());
    }
    // Whatever is there was not finished.
    let _ = fs::remove_dir_all(&dir);
    init(&InitArgs { dir: dir.clone(), name: "Cordon demo".into(), key: KeyKind::P256, intermediate: true }, now)?;
    let plain = |name: &str| IssueArgs {
        dir: dir.clone(),
        out: place.at(name),
        cn: None,
        dns: Vec::new(),
        ip: Vec::new(),
        email: Vec::new(),
        uri: Vec::new(),
        upn: Vec::new(),
        server: false,
        eku: Eku::Client,
        key: KeyKind::P256,
        days: 90,
        not_before: None,
        not_after: None,
        from_root: false,
        // Whatever is there was not finished.
        force: true,
    };
    let dns = |name: &str, host: &str| IssueArgs { dns: vec![format!("{host}.corp.example")], ..plain(name) };
    let uri = |name: &str, path: &str| IssueArgs {
        cn: Some(path.rsplit('/').next().unwrap_or(path).to_owned()),
        uri: vec![format!("spiffe://corp.example/{path}")],
        ..plain(name)
    };
    let day = Duration::from_secs(86_400);
    issue(&IssueArgs { server: true, days: 365, ..dns("server", "radius") }, now)?;
    issue(&dns("laptop", "anna-laptop"), now)?;
    issue(&dns("printer", "printer-2nd-floor"), now)?;
    issue(&uri("machine", "build-server"), now)?;
    issue(&uri("agent", "agent/ticket-summariser"), now)?;
    let expired = dns("expired", "old-laptop");
    issue(&IssueArgs { not_before: Some(now - day * 30), not_after: Some(now - day), ..expired }, now)?;
    issue(&dns("revoked", "lost-laptop"), now)?;
    revoke(&dir, &place.at("revoked.pem"), now)?;
    fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))
}

fn configuration(place: &Place, args: &DemoArgs) -> Result<(), String> {
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    let secret = place.at("nas-secret");
    secret_file::<16>(&secret).map_err(|e| failed(&secret, e))?;
    let policy = place.at("policy.cedar");
    if !policy.exists() {
        write_whole(&policy, DEFAULT_POLICY, Readers::All).map_err(|e| failed(&policy, e))?;
    }
    // What is there is the user's by now; only the ports follow the arguments.
    let file = place.at("cordon.toml");
    let before =
        if file.exists() { fs::read_to_string(&file).map_err(|e| failed(&file, e))? } else { CONFIGURATION.to_owned() };
    write_whole(&file, &with_ports(&before, args), Readers::All).map_err(|e| failed(&file, e))
}

/// The configuration with other ports; all else stays as it is.
fn with_ports(configuration: &str, args: &DemoArgs) -> String {
    let both = |key: &str, port: u16| format!("{key} = [\"127.0.0.1:{port}\", \"[::1]:{port}\"]");
    let line = |line: &str| match line.split_once(" = ").map(|(key, _)| key) {
        Some("auth") => both("auth", args.auth_port),
        Some("acct") => both("acct", args.acct_port),
        Some("listen") => format!("listen = \"127.0.0.1:{}\"", args.http_port),
        _ => line.to_owned(),
    };
    configuration.lines().map(|l| line(l) + "\n").collect()
}

/// What a shell needs to talk to the demo.
fn environment(place: &Place, running: &Running) -> Result<String, String> {
    let read = |name: &str| {
        let path = place.at(name);
        fs::read_to_string(&path).map(|text| text.trim().to_owned()).map_err(|e| format!("{}: {e}", path.display()))
    };
    let first = |addresses: &[std::net::SocketAddr]| addresses.first().map(ToString::to_string).unwrap_or_default();
    let mut out = String::new();
    let mut set = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name}='{}'", value.replace('\'', r"'\''"));
    };
    set("CORDON_AUTH", &first(&running.auth));
    set("CORDON_ACCT", &first(&running.acct));
    set("CORDON_API", &format!("http://{}", running.http));
    set("CORDON_CONFIG", &place.at("cordon.toml").display().to_string());
    set("CORDON_API_TOKEN", &read("api-token")?);
    set("CORDON_SECRET", &read("nas-secret")?);
    set("CORDON_CA", &place.at("ca/ca.pem").display().to_string());
    for actor in ACTORS.iter().filter(|a| matches!(a.login, By::Certificate)) {
        let name = actor.name.to_uppercase();
        set(&format!("CORDON_{name}_CERT"), &place.at(&format!("{}.pem", actor.name)).display().to_string());
        set(&format!("CORDON_{name}_KEY"), &place.at(&format!("{}.key", actor.name)).display().to_string());
    }
    Ok(out)
}

/// Logs in once as each, and gives each with the decision that was recorded.
async fn log_all_in(place: &Place, running: &Running) -> Result<Vec<(&'static Actor, Decision)>, String> {
    let mut rows = Vec::new();
    for actor in &ACTORS {
        let client = client(place, running, actor)?;
        let done = tokio::task::spawn_blocking(move || log_in(&client, actor)).await.map_err(|e| e.to_string())?;
        done.map_err(|e| format!("{}: {e}", actor.name))?;
        // The reply is sent when the record is durable: it is there.
        running.store.caught_up(Duration::from_secs(5)).await;
        let page = running.store.decisions(&DecisionFilter::default(), None, 1).await.map_err(|e| e.to_string())?;
        let decision = page.items.into_iter().next().ok_or("the decision was not recorded")?;
        rows.push((actor, decision));
        tokio::time::sleep(A_WHILE).await;
    }
    Ok(rows)
}

fn client(place: &Place, running: &Running, actor: &Actor) -> Result<ClientArgs, String> {
    let secret = secret_file::<16>(&place.at("nas-secret")).map_err(|e| e.to_string())?;
    let (cert, key, mac) = match actor.login {
        By::Certificate => {
            let file = |kind| Some(place.at(&format!("{}.{kind}", actor.name)));
            (file("pem"), file("key"), "02-00-5E-00-00-01")
        }
        By::Mac(mac) => (None, None, mac),
    };
    Ok(ClientArgs {
        server: Some(running.auth.first().ok_or("nothing listens")?.to_string()),
        secret,
        cert,
        key,
        ca: Some(place.at("ca/ca.pem")),
        identity: "anonymous@corp.example".into(),
        mac: mac.into(),
        tls: Tls::Any,
        classic: false,
        max_eap_len: 1300,
        attributes: Vec::new(),
        dictionaries: None,
        timeout: 3000,
        tries: 3,
    })
}

fn log_in(client: &ClientArgs, actor: &Actor) -> Result<(), String> {
    let port = client.port()?;
    let mut exchange = client.exchange(Service::Authentication)?;
    match actor.login {
        By::Certificate => {
            let mut login = Login::new(port, &client.identity, client.client_tls(false)?, client.max_eap_len);
            let ending = exchange.login(&mut login, |_| {}).map_err(|e| e.to_string())?;
            match ending.code {
                Code::AccessAccept if !ending.keys_match => Err("the server's keys are not the client's".into()),
                _ => Ok(()),
            }
        }
        By::Mac(_) => {
            let request = port.mab(exchange.next_identifier()).map_err(|e| e.to_string())?;
            exchange.answer(&request, &port.secret).map(|_| ()).map_err(|e| e.to_string())
        }
    }
}

fn table(rows: &[(&Actor, Decision)]) -> String {
    let vlan = |d: &Decision| {
        let found = d.reply.iter().find(|(name, _)| name == "Tunnel-Private-Group-Id");
        found.map_or("-".to_owned(), |(_, value)| value.trim_matches('"').to_owned())
    };
    let mut out =
        format!("\n{:<44} {:<8} {:<8} {:<10} {:<18} {}\n", "who", "how", "outcome", "VLAN", "identity", "why");
    for (actor, d) in rows {
        let rules = if d.policies.is_empty() { String::new() } else { format!(" (rule {})", d.policies.join(", ")) };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<44} {:<8} {:<8} {:<10} {:<18} {}{}",
            format!("{}: {}", actor.name, actor.what),
            d.method,
            d.outcome.code(),
            vlan(d),
            d.identity.as_ref().map_or("-", |i| i.name.as_str()),
            d.reason.code(),
            rules,
        );
        if !d.detail.is_empty() {
            let _ = writeln!(out, "    {}", d.detail);
        }
    }
    out
}

fn next_steps(place: &Place, running: &Running) -> String {
    let dir = place.dir.display();
    // As it was called: it may not be where the shell looks.
    let cordon = std::env::current_exe().map_or("cordon".into(), |path| path.display().to_string());
    let api = format!("http://{}/api/v1", running.http);
    format!(
        "The server stays up (Ctrl-C ends it). In another shell:\n\
         \n  set -a; . {dir}/demo.env; set +a\n\
         \n  {cordon} auth --cert $CORDON_LAPTOP_CERT --key $CORDON_LAPTOP_KEY   # log in, step by step\
         \n  curl -s -H \"Authorization: Bearer $CORDON_API_TOKEN\" \"{api}/decisions?limit=1\"   # read why\
         \n\
         \nChange {dir}/policy.cedar or cordon.toml and log in again: no restart is needed."
    )
}
