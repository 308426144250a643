//! `cordon init`: from an empty directory to a server that can be started.

use super::ca::{self, Eku, IssueArgs};
use crate::config::files::{Readers, secret_file, write_whole};
use crate::pki::authority::KeyKind;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use clap::Args;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The configuration that is written; `NAME` is what the server is called.
const CONFIGURATION: &str = include_str!("init.toml");
/// Days for which the server's own certificates are valid.
const DAYS: u32 = 397;

/// Arguments of `cordon init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to put everything: an empty directory, or one that is not there yet
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The name by which devices know the server: the DNS name in its certificate
    #[arg(long, default_value = "radius.example")]
    name: String,
    /// A further DNS name or IP address of the API; may be repeated
    #[arg(long = "api-name")]
    api_names: Vec<String>,
}

/// Makes everything.
///
/// # Errors
/// When there is something already, or a file cannot be written.
pub fn run(args: &InitArgs) -> Result<(), String> {
    let (dir, now) = (&args.dir, Clock::start().now());
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
    let taken = ["cordon.toml", "ca", "server.key", "api.key"].map(|name| dir.join(name));
    if let Some(there) = taken.iter().find(|path| path.exists()) {
        return Err(format!("{} is there already\n  -> name an empty directory: `cordon init DIR`", there.display()));
    }
    let authority = dir.join("ca");
    let name = format!("Cordon CA of {}", args.name);
    ca::init(&ca::InitArgs { dir: authority.clone(), name, key: KeyKind::P256, intermediate: false }, now)?;
    issue(&authority, &dir.join("server"), vec![args.name.clone()], Vec::new(), now)?;
    let (dns, ip) = api_names(args);
    issue(&authority, &dir.join("api"), dns, ip, now)?;
    let token = dir.join("api-token");
    secret_file::<32>(&token).map_err(|e| failed(&token, e))?;
    let file = dir.join("cordon.toml");
    write_whole(&file, CONFIGURATION, Readers::All).map_err(|e| failed(&file, e))?;
    print!("{}", told(dir, &args.name));
    Ok(())
}

fn issue(ca: &Path, out: &Path, dns: Vec<String>, ip: Vec<IpAddr>, now: Timestamp) -> Result<(), String> {
    let args = IssueArgs {
        dir: ca.to_owned(),
        out: out.to_owned(),
        cn: None,
        dns,
        ip,
        email: Vec::new(),
        uri: Vec::new(),
        upn: Vec::new(),
        server: true,
        eku: Eku::Server,
        key: KeyKind::P256,
        days: DAYS,
        not_before: None,
        not_after: None,
        from_root: false,
        force: false,
    };
    ca::issue(&args, now).map(drop)
}

/// The names that the API is called by: this host's, and those that were given.
fn api_names(args: &InitArgs) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns = vec!["localhost".to_owned()];
    let mut ip = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_ascii_lowercase();
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    dns.extend(Some(host).filter(|host| !host.is_empty() && host != "localhost" && plain(host)));
    for name in &args.api_names {
        match name.parse() {
            Ok(address) => ip.push(address),
            Err(_) => dns.push(name.clone()),
        }
    }
    (dns, ip)
}

fn told(dir: &Path, name: &str) -> String {
    let at = |name: &str| dir.join(name).display().to_string();
    format!(
        "made in {}:\n  cordon.toml   the configuration\n  ca/           a CA of your own; ca/ca.pem is what devices trust\n  \
         server.*      its certificate for {name}, which devices see when they log in\n  api.*         its certificate for the API\n  \
         api-token     the token of the API's first administrator: keep it\n\nstart the server:\n  cordon serve --config {}\n\
         then, in another shell:\n  curl --cacert {} -H \"Authorization: Bearer $(cat {})\" https://localhost:8443/api/v1/me\n\n\
         docs/getting-started.md goes on from here.\n",
        dir.display(),
        at("cordon.toml"),
        at("ca/ca.pem"),
        at("api-token"),
    )
}
