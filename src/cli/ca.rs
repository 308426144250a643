//! `cordon ca`: a small certificate authority in a directory.
//!
//! `ca.pem`, `ca.key`, `ca.crl` and `ca.revoked` are the root's; the same with
//! `intermediate` are those of the CA below it, if there is one.

use crate::config::files::{Readers, write_whole};
use crate::pki::authority::{Authority, KeyKind, Pair, Request, Revoked, Usage};
use crate::pki::certificate::CertificateFacts;
use crate::pki::pem;
use crate::radius::value::{hex, unhex};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand, ValueEnum};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The names of the two authorities' files.
const ROOT: &str = "ca";
const INTERMEDIATE: &str = "intermediate";

/// A small certificate authority, for a start and for tests
#[derive(Debug, Args)]
pub struct CaArgs {
    #[command(subcommand)]
    command: CaCommand,
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Make a CA in an empty directory
    Init(InitArgs),
    /// Issue a certificate with its key
    Issue(IssueArgs),
    /// Revoke a certificate and sign a new CRL
    Revoke(RevokeArgs),
    /// Sign the CRLs anew, before they go out of date (30 days)
    Crl(CrlArgs),
}

/// Arguments of `cordon ca init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to put it
    #[arg(long)]
    pub dir: PathBuf,
    /// What the CA is called
    #[arg(long, default_value = "Cordon CA")]
    pub name: String,
    /// p256, p384, ed25519, rsa2048, rsa3072 or rsa4096
    #[arg(long, default_value = "p256")]
    pub key: KeyKind,
    /// Make a CA below it as well, that issues in its place
    #[arg(long)]
    pub intermediate: bool,
}

/// Arguments of `cordon ca issue`.
#[derive(Clone, Debug, Args)]
pub struct IssueArgs {
    /// The CA's directory
    #[arg(long)]
    pub dir: PathBuf,
    /// Where to write: NAME becomes NAME.pem and NAME.key
    #[arg(long)]
    pub out: PathBuf,
    /// The common name; without it, the first other name or the file's name
    #[arg(long)]
    pub cn: Option<String>,
    /// A DNS name; may be repeated, as may the other names
    #[arg(long)]
    pub dns: Vec<String>,
    /// An IP address
    #[arg(long)]
    pub ip: Vec<IpAddr>,
    /// An email address
    #[arg(long)]
    pub email: Vec<String>,
    /// A URI, such as a SPIFFE id
    #[arg(long)]
    pub uri: Vec<String>,
    /// A User Principal Name
    #[arg(long)]
    pub upn: Vec<String>,
    /// For this server rather than a client; the same as --eku server
    #[arg(long)]
    pub server: bool,
    /// What it may be used for
    #[arg(long, value_enum, default_value_t = Eku::Client)]
    pub eku: Eku,
    /// p256, p384, ed25519, rsa2048, rsa3072 or rsa4096
    #[arg(long, default_value = "p256")]
    pub key: KeyKind,
    /// How long it is valid
    #[arg(long, default_value_t = 365)]
    pub days: u32,
    /// Valid from this time on (RFC 3339); without it, from now
    #[arg(long, value_parser = time)]
    pub not_before: Option<Timestamp>,
    /// Valid until this time (RFC 3339), in place of --days
    #[arg(long, value_parser = time)]
    pub not_after: Option<Timestamp>,
    /// Issue by the root although there is an intermediate
    #[arg(long)]
    pub from_root: bool,
    /// Overwrite a certificate and key that are there already
    #[arg(long)]
    pub force: bool,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Eku {
    /// To log in
    Client,
    /// For a server
    Server,
    /// Not said
    None,
}

/// Arguments of `cordon ca revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The CA's directory
    #[arg(long)]
    pub dir: PathBuf,
    /// The certificate
    pub certificate: PathBuf,
}

/// Arguments of `cordon ca crl`.
#[derive(Debug, Args)]
pub struct CrlArgs {
    /// The CA's directory
    #[arg(long)]
    pub dir: PathBuf,
}

fn time(text: &str) -> Result<Timestamp, String> {
    serde_json::from_value(text.into()).map_err(|_| "write it as 2027-01-31T00:00:00Z".to_owned())
}

/// Does what the arguments say, and tells what files it wrote.
///
/// # Errors
/// In plain words.
pub fn run(args: CaArgs) -> Result<(), String> {
    let now = Clock::start().now();
    let written = match args.command {
        CaCommand::Init(args) => init(&args, now)?,
        CaCommand::Issue(args) => issue(&args, now)?,
        CaCommand::Revoke(args) => {
            let revocation = revoke(&args.dir, &args.certificate, now)?;
            println!("{revocation}");
            revocation.written
        }
        CaCommand::Crl(args) => crls(&args.dir, now)?,
    };
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}

/// Makes a CA.
///
/// # Errors
/// When there is one, or a file cannot be written.
pub fn init(args: &InitArgs, now: Timestamp) -> Result<Vec<PathBuf>, String> {
    let dir = &args.dir;
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    if file(dir, ROOT, "key").exists() {
        return Err(format!("{} holds a CA already; name another --dir, or delete it first", dir.display()));
    }
    let root = Authority::root(&args.name, args.key, now).map_err(|e| e.to_string())?;
    let mut written = save(&dir.join(ROOT), &root)?;
    if args.intermediate {
        let authority = Authority::load(&root).map_err(|e| e.to_string())?;
        let lower =
            authority.intermediate(&format!("{} Issuing", args.name), args.key, now).map_err(|e| e.to_string())?;
        written.extend(save(&dir.join(INTERMEDIATE), &lower)?);
    }
    written.extend(crls(dir, now)?);
    Ok(written)
}

/// Issues a certificate. The file holds the intermediate after it, if there is
/// one.
///
/// # Errors
/// When there is no CA or it has expired, a name is malformed, or a file cannot
/// be written.
pub fn issue(args: &IssueArgs, now: Timestamp) -> Result<Vec<PathBuf>, String> {
    let key = stemmed(&args.out, "key");
    if key.exists() && !args.force {
        return Err(format!("{} is there already\n  -> name another --out, or overwrite it by --force", key.display()));
    }
    let lower = !args.from_root && file(&args.dir, INTERMEDIATE, "key").exists();
    let issuer = load(&args.dir, if lower { INTERMEDIATE } else { ROOT })?;
    let usage = match args.eku {
        _ if args.server => Usage::Server,
        Eku::Client => Usage::Client,
        Eku::Server => Usage::Server,
        Eku::None => Usage::Unspecified,
    };
    let mut names = [&args.dns, &args.upn, &args.email, &args.uri].into_iter().flatten();
    let stem = args.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let common_name = args.cn.clone().or_else(|| names.next().cloned()).or(stem);
    let authority = Authority::load(&issuer).map_err(|e| e.to_string())?;
    let not_before = args.not_before.unwrap_or(now - Duration::from_secs(60));
    let not_after = end_of_validity(args, not_before.max(now), authority.not_after())?;
    let request = Request {
        common_name: common_name.ok_or("--out names no file")?,
        dns: args.dns.clone(),
        ip: args.ip.clone(),
        email: args.email.clone(),
        uri: args.uri.clone(),
        upn: args.upn.clone(),
        usage,
        key: args.key,
        not_before,
        not_after,
    };
    let mut pair = authority.issue(&request).map_err(|e| e.to_string())?;
    if lower {
        pair.certificate.push_str(&issuer.certificate);
    }
    save(&args.out, &pair)
}

/// Until when a certificate from `start` on is to be valid. Nobody believes it
/// once its CA has ended; what was asked for by name is issued all the same.
fn end_of_validity(args: &IssueArgs, start: Timestamp, ca_end: Timestamp) -> Result<Timestamp, String> {
    if let Some(end) = args.not_after {
        if end > ca_end {
            eprintln!(
                "warning: the CA ends at {ca_end}, before the certificate ({end}): nobody believes it after that"
            );
        }
        return Ok(end);
    }
    if start >= ca_end {
        return Err(format!(
            "the CA in {} ends at {ca_end}: nobody would believe what it issues\n  -> make a new one by `cordon ca init`",
            args.dir.display()
        ));
    }
    let end = start + Duration::from_secs(u64::from(args.days) * 86_400);
    if end > ca_end {
        eprintln!("warning: the certificate ends with its CA, at {ca_end}, and not after {} days", args.days);
    }
    Ok(end.min(ca_end))
}

/// What was revoked.
pub struct Revocation {
    subject: String,
    serial: String,
    issuer: String,
    /// When it had been revoked already, if it had.
    already: Option<Timestamp>,
    /// The lists, signed anew.
    pub written: Vec<PathBuf>,
}

impl std::fmt::Display for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, serial, issuer, already, .. } = self;
        match already {
            None => write!(f, "revoked {subject}, serial {serial} of {issuer}"),
            Some(at) => {
                write!(f, "{subject}, serial {serial} of {issuer}, was revoked already at {at}; lists signed anew")
            }
        }
    }
}

/// Revokes a certificate and signs the CRLs anew.
///
/// # Errors
/// When the certificate is none of this CA's, or a file cannot be written.
pub fn revoke(dir: &Path, certificate: &Path, now: Timestamp) -> Result<Revocation, String> {
    let leaf = facts(certificate)?;
    let issuer = [INTERMEDIATE, ROOT]
        .into_iter()
        .find(|name| facts(&file(dir, name, "pem")).is_ok_and(|authority| authority.subject == leaf.issuer));
    let Some(issuer) = issuer else {
        return Err(format!(
            "{} was issued by {}, which is not the CA in {}\n  -> name the directory of its CA by --dir",
            certificate.display(),
            leaf.issuer,
            dir.display()
        ));
    };
    let list = file(dir, issuer, "revoked");
    let mut all = revoked(&list)?;
    let serial = unhex(&leaf.serial).ok_or("the certificate's serial number cannot be read")?;
    let already = all.iter().find(|r| r.serial == serial).map(|r| r.at);
    if already.is_none() {
        all.push(Revoked { serial, at: now });
        let text: String = all.iter().map(|r| format!("{} {}\n", hex(&r.serial), r.at)).collect();
        write(&list, &text, Readers::All)?;
    }
    let written = crls(dir, now)?;
    Ok(Revocation { subject: leaf.subject, serial: leaf.serial, issuer: leaf.issuer, already, written })
}

fn crls(dir: &Path, now: Timestamp) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    for name in [ROOT, INTERMEDIATE] {
        if name == INTERMEDIATE && !file(dir, name, "key").exists() {
            continue;
        }
        let authority = Authority::load(&load(dir, name)?).map_err(|e| e.to_string())?;
        let crl = authority.crl(&revoked(&file(dir, name, "revoked"))?, now).map_err(|e| e.to_string())?;
        let path = file(dir, name, "crl");
        write(&path, &crl, Readers::All)?;
        written.push(path);
    }
    Ok(written)
}

fn file(dir: &Path, name: &str, kind: &str) -> PathBuf {
    dir.join(format!("{name}.{kind}"))
}

fn load(dir: &Path, name: &str) -> Result<Pair, String> {
    let read = |kind| {
        let path = file(dir, name, kind);
        fs::read_to_string(&path).map_err(|e| {
            format!("{}: {e}\n  -> `cordon ca init --dir {}` makes a CA there", path.display(), dir.display())
        })
    };
    Ok(Pair { certificate: read("pem")?, key: read("key")? })
}

fn facts(path: &Path) -> Result<CertificateFacts, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = fs::read(path).map_err(|e| failed(&e))?;
    let chain = pem::certificates(&text).map_err(|e| failed(&e))?;
    let leaf = chain.first().ok_or_else(|| failed(&"holds no certificate"))?;
    CertificateFacts::from_der(leaf).map_err(|e| failed(&e))
}

fn revoked(list: &Path) -> Result<Vec<Revoked>, String> {
    let text = match fs::read_to_string(list) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(format!("{}: {e}", list.display())),
    };
    text.lines()
        .enumerate()
        .map(|(number, line)| {
            let entry = line.split_once(' ').and_then(|(serial, at)| {
                Some(Revoked {
                    serial: unhex(serial.strip_prefix("0x")?)?,
                    at: serde_json::from_value(at.into()).ok()?,
                })
            });
            entry.ok_or_else(|| format!("{}:{}: not \"SERIAL TIME\"", list.display(), number + 1))
        })
        .collect()
}

/// `stem`.`kind`, whatever dots the stem has.
fn stemmed(stem: &Path, kind: &str) -> PathBuf {
    PathBuf::from(format!("{}.{kind}", stem.display()))
}

/// Writes `stem`.pem and `stem`.key.
fn save(stem: &Path, pair: &Pair) -> Result<Vec<PathBuf>, String> {
    let path = |kind: &str| stemmed(stem, kind);
    write(&path("pem"), &pair.certificate, Readers::All)?;
    write(&path("key"), &pair.key, Readers::Owner)?;
    Ok(vec![path("pem"), path("key")])
}

fn write(path: &Path, text: &str, readers: Readers) -> Result<(), String> {
    write_whole(path, text, readers).map_err(|e| format!("{}: {e}", path.display()))
}
