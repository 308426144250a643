//! `cordon ca`: a small certificate authority in a directory.

use crate::config::authority::{AuthorityDir, Revocation, facts, save, stemmed};
use crate::pki::authority::{KeyKind, Request, Usage};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use clap::{Args, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
            revocation.of.written
        }
        CaCommand::Crl(args) => AuthorityDir::at(&args.dir).crls(now)?,
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
    AuthorityDir::at(&args.dir).init(&args.name, args.key, args.intermediate, now)
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
    let dir = AuthorityDir::at(&args.dir);
    let (authority, _) = dir.issuer(args.from_root)?;
    let usage = match args.eku {
        _ if args.server => Usage::Server,
        Eku::Client => Usage::Client,
        Eku::Server => Usage::Server,
        Eku::None => Usage::Unspecified,
    };
    let mut names = [&args.dns, &args.upn, &args.email, &args.uri].into_iter().flatten();
    let stem = args.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let common_name = args.cn.clone().or_else(|| names.next().cloned()).or(stem);
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
    save(&args.out, &dir.issue(args.from_root, &request)?)
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

/// What was revoked, in words.
pub struct Revoked {
    subject: String,
    serial: String,
    of: Revocation,
}

impl std::fmt::Display for Revoked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, serial, of: Revocation { issuer, already, .. } } = self;
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
pub fn revoke(dir: &Path, certificate: &Path, now: Timestamp) -> Result<Revoked, String> {
    let leaf = facts(certificate)?;
    let of = AuthorityDir::at(dir).revoke(&leaf.issuer, &leaf.serial, now);
    let of = of.map_err(|e| format!("{}: {e}", certificate.display()))?;
    Ok(Revoked { subject: leaf.subject, serial: leaf.serial, of })
}
