//! `cordon backup` and `cordon restore`: everything that a server is, in one encrypted file.
//!
//! The file is an age file (age-encryption.org/v1) of a tar archive: `age -d` and `tar` open it as well. Its last entry is
//! the manifest, with the SHA-256 of every other.

use super::audit;
use super::host::{Host, runtime};
use crate::config::Config;
use crate::store::{Location, Store};
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use age::secrecy::SecretString;
use aws_lc_rs::digest::{Context, SHA256};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use tempfile::TempDir;

/// The form of the archive.
const FORM: u32 = 1;
const MANIFEST: &str = "manifest.json";
/// The database: a file of SQLite, or a dump of PostgreSQL in its custom form.
const SQLITE: &str = "database/cordon.db";
const DUMP: &str = "database/cordon.dump";
/// Where files lie in the archive: those of the configuration, those of the data directory, and the journal.
const CONFIGURATION: &str = "configuration";
const DATA: &str = "data";
const JOURNAL: &str = "data/journal";
/// The longest file of the data directory, in octets, that is taken for one of ours: keys, tokens, a checkpoint.
const MAX_KEPT: u64 = 1024 * 1024;
/// What a CA's directory holds beside what the configuration names.
const OF_A_CA: [&str; 4] = ["pem", "key", "crl", "revoked"];
/// The environment variable with the passphrase.
const PASSPHRASE: &str = "CORDON_BACKUP_PASSPHRASE";

/// Arguments of `cordon backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The configuration file of the server
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
    /// The file to write; it must not be there
    file: PathBuf,
    /// Encrypt it to this age recipient (age1...); may be repeated
    #[arg(long = "recipient")]
    recipients: Vec<String>,
    /// Encrypt it by the passphrase in this file; else in CORDON_BACKUP_PASSPHRASE
    #[arg(long, conflicts_with = "recipients")]
    passphrase_file: Option<PathBuf>,
}

/// Arguments of `cordon restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// Where to put everything: a directory that is empty or not there; without it, the backup is only verified
    #[arg(required_unless_present = "verify")]
    dir: Option<PathBuf>,
    /// Check all of it, and write nothing
    #[arg(long, conflicts_with = "dir")]
    verify: bool,
    /// Decrypt it by the age identity in this file
    #[arg(long)]
    identity: Option<PathBuf>,
    /// Decrypt it by the passphrase in this file; else in CORDON_BACKUP_PASSPHRASE
    #[arg(long, conflicts_with = "identity")]
    passphrase_file: Option<PathBuf>,
}

/// What an archive holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    form: u32,
    version: String,
    made_at: Timestamp,
    /// The data directory, as the configuration names it.
    data_dir: PathBuf,
    /// SHA-256 of each entry, in hexadecimal.
    entries: BTreeMap<String, String>,
    /// Where files lay that are not below the directory of the configuration.
    outside: BTreeMap<String, PathBuf>,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> String {
    move |e| format!("{}: {e}", path.display())
}

/// The passphrase, which is never on the command line.
fn passphrase(file: Option<&Path>) -> Result<Option<SecretString>, String> {
    let text = match file {
        Some(file) => fs::read_to_string(file).map_err(failed(file))?,
        None => std::env::var(PASSPHRASE).unwrap_or_default(),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| SecretString::from(text.to_owned())))
}

fn encryptor(args: &BackupArgs) -> Result<age::Encryptor, String> {
    if args.recipients.is_empty() {
        let text = passphrase(args.passphrase_file.as_deref())?;
        let none = format!("say how to encrypt it: --recipient age1..., --passphrase-file FILE, or {PASSPHRASE}");
        return Ok(age::Encryptor::with_user_passphrase(text.ok_or(none)?));
    }
    let read = |text: &String| age::x25519::Recipient::from_str(text).map_err(|e| format!("{text}: {e}"));
    let all = args.recipients.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    age::Encryptor::with_recipients(all.iter().map(|one| one as &dyn age::Recipient)).map_err(|e| e.to_string())
}

/// Writes entries, and remembers their digests.
struct Archive<W: Write> {
    tar: tar::Builder<W>,
    entries: BTreeMap<String, String>,
}

impl<W: Write> Archive<W> {
    fn file(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let failed = failed(path);
        let mut file = File::open(path).map_err(&failed)?;
        // What grows while it is read is taken as far as it was: the journal is read again from its last whole frame.
        let length = file.metadata().map_err(&failed)?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        let mut hashed = Hashed { inner: (&mut file).take(length), context: Context::new(&SHA256) };
        self.tar.append_data(&mut header, name, &mut hashed).map_err(&failed)?;
        self.entries.insert(name.to_owned(), hex(hashed.context));
        Ok(())
    }
}

/// A reader that hashes what it reads.
struct Hashed<R> {
    inner: R,
    context: Context,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.context.update(&buffer[..count]);
        Ok(count)
    }
}

fn hex(context: Context) -> String {
    context.finish().as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Backs a server up; it may run meanwhile.
///
/// # Errors
/// In words; then there is no file.
pub fn backup(args: &BackupArgs) -> Result<(), String> {
    let encryptor = encryptor(args)?;
    let host = runtime()?.block_on(Host::read(&args.config))?;
    let part = PathBuf::from(format!("{}.part", args.file.display()));
    if args.file.exists() {
        return Err(format!("{} is there already\n  -> name another file", args.file.display()));
    }
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&part).map_err(failed(&part))?;
    let done = written(&host, encryptor, file);
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    let entries = done?;
    fs::rename(&part, &args.file).map_err(failed(&args.file))?;
    println!("{} entries in {}", entries, args.file.display());
    println!("`cordon restore --verify {}` checks it", args.file.display());
    Ok(())
}

fn written(host: &Host, encryptor: age::Encryptor, file: File) -> Result<usize, String> {
    let output = encryptor.wrap_output(BufWriter::new(&file)).map_err(|e| e.to_string())?;
    let mut archive = Archive { tar: tar::Builder::new(output), entries: BTreeMap::new() };
    // Linked, so that what is deleted meanwhile is there still; and once more after the database was copied, so that all
    // that the copy does not have is in the journal.
    let staging =
        tempfile::Builder::new().prefix(".backup-").tempdir_in(&host.data_dir).map_err(failed(&host.data_dir))?;
    link_journal(host, &staging)?;
    let database = copy_database(host, &staging)?;
    link_journal(host, &staging)?;
    archive.file(if database.ends_with("cordon.db") { SQLITE } else { DUMP }, &database)?;
    for name in sorted(&staging.path().join("journal"))? {
        archive.file(&format!("{JOURNAL}/{name}"), &staging.path().join("journal").join(&name))?;
    }
    let mut outside = BTreeMap::new();
    for path in files(host)? {
        let name = match below(host, &path) {
            Some(name) => format!("{CONFIGURATION}/{name}"),
            None => {
                let name = format!("outside/{}", outside.len());
                outside.insert(name.clone(), path.clone());
                name
            }
        };
        archive.file(&name, &path)?;
    }
    let configured: BTreeSet<PathBuf> = files(host)?.into_iter().collect();
    for name in sorted(&host.data_dir)? {
        let path = host.data_dir.join(&name);
        let kept = path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_KEPT);
        if kept && !name.starts_with("cordon.db") && !configured.contains(&path) {
            archive.file(&format!("{DATA}/{name}"), &path)?;
        }
    }
    let manifest = Manifest {
        form: FORM,
        version: env!("CARGO_PKG_VERSION").into(),
        made_at: Clock::start().now(),
        data_dir: host.config.server.data_dir.clone(),
        entries: archive.entries.clone(),
        outside,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|e| e.to_string())?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    let whole = |e: io::Error| format!("the backup cannot be written: {e}");
    archive.tar.append_data(&mut header, MANIFEST, text.as_slice()).map_err(whole)?;
    let output = archive.tar.into_inner().map_err(whole)?;
    output.finish().map_err(whole)?.into_inner().map_err(|e| whole(e.into_error()))?;
    file.sync_all().map_err(whole)?;
    Ok(manifest.entries.len())
}

/// The names in a directory, in their order; none if it is not there.
fn sorted(dir: &Path) -> Result<Vec<String>, String> {
    let list = match fs::read_dir(dir) {
        Ok(list) => list,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(dir)(e)),
    };
    let mut names: Vec<String> = list.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn link_journal(host: &Host, staging: &TempDir) -> Result<(), String> {
    let (from, to) = (host.data_dir.join("journal"), staging.path().join("journal"));
    fs::create_dir_all(&to).map_err(failed(&to))?;
    for name in sorted(&from)?.iter().filter(|name| name.ends_with(".journal")) {
        match fs::hard_link(from.join(name), to.join(name)) {
            Ok(()) => {}
            // Linked before, or stored and deleted meanwhile.
            Err(e) if matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {}
            Err(e) => return Err(failed(&from)(e)),
        }
    }
    Ok(())
}

fn copy_database(host: &Host, staging: &TempDir) -> Result<PathBuf, String> {
    match &host.location {
        Location::File(_) => {
            let copy = staging.path().join("cordon.db");
            let copied =
                runtime()?.block_on(async { host.open().await?.copy_to(&copy).await.map_err(|e| e.to_string()) });
            copied.map(|()| copy)
        }
        Location::Url(url) => {
            let dump = staging.path().join("cordon.dump");
            let mut command = Command::new("pg_dump");
            // Other users see command lines, and not environments.
            let (url, password) = without_password(url);
            command.args(["--format=custom", "--dbname", &url, "--file"]).arg(&dump);
            command.envs(password.map(|password| ("PGPASSWORD", password)));
            let output = command.output().map_err(|e| format!("pg_dump: {e}\n  -> install PostgreSQL's client"))?;
            if !output.status.success() {
                return Err(format!("pg_dump: {}", String::from_utf8_lossy(&output.stderr).trim()));
            }
            Ok(dump)
        }
    }
}

/// A URL of a database, and the password that it held.
fn without_password(url: &str) -> (String, Option<String>) {
    let split = || {
        let (scheme, rest) = url.split_once("://")?;
        let (user, rest) = rest.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        Some((format!("{scheme}://{name}@{rest}"), percent_decoded(password)))
    };
    split().map_or_else(|| (url.to_owned(), None), |(url, password)| (url, Some(password)))
}

fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = more
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, hex) {
            (b'%', Some(octet)) => {
                octets.push(octet);
                rest = &more[2..];
            }
            _ => {
                octets.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The configuration file, all that it names, and what lies beside a CA's certificate.
fn files(host: &Host) -> Result<Vec<PathBuf>, String> {
    let mut all: BTreeSet<PathBuf> = host.build()?.files.into_iter().filter(|path| path.is_file()).collect();
    let named = |path: &Path| host.source.resolve(path);
    all.extend(Some(named(&host.config.http.token_file)).filter(|path| path.is_file()));
    let mut cas = Vec::new();
    for ca in host.config.ca.iter().chain(&host.config.radsec.ca) {
        cas.extend(named(ca.file.get_ref()).parent().map(Path::to_owned));
    }
    for dir in cas.iter().filter(|dir| dir.join("ca.key").is_file()) {
        for name in sorted(dir)? {
            let ours =
                OF_A_CA.iter().any(|kind| name == format!("ca.{kind}") || name == format!("intermediate.{kind}"));
            all.extend(Some(dir.join(&name)).filter(|_| ours));
        }
    }
    Ok(all.into_iter().collect())
}

/// The name of a file below the directory of the configuration.
fn below(host: &Host, path: &Path) -> Option<String> {
    let base = host.file.parent().unwrap_or(Path::new(""));
    let rest = path.strip_prefix(base).ok()?;
    let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    rest.to_str().filter(|_| plain && !rest.is_absolute()).map(str::to_owned)
}

/// Restores a backup, or only checks it.
///
/// # Errors
/// All that is wrong with it.
pub fn restore(args: &RestoreArgs) -> Result<(), String> {
    let (home, target) = match &args.dir {
        Some(dir) => {
            if !sorted(dir)?.is_empty() {
                return Err(format!(
                    "{} is not empty\n  -> name a directory that is empty or not there",
                    dir.display()
                ));
            }
            fs::create_dir_all(dir).map_err(failed(dir))?;
            (dir.clone(), dir.clone())
        }
        None => (std::env::temp_dir(), std::env::temp_dir()),
    };
    // Everything is checked beside where it goes, and is put there as a whole.
    let staging = tempfile::Builder::new().prefix(".restore-").tempdir_in(&home).map_err(failed(&home))?;
    let manifest = unpack(args, staging.path())?;
    println!(
        "made by version {} at {}: {} entries, all as they were",
        manifest.version,
        manifest.made_at,
        manifest.entries.len()
    );
    let laid_out = staging.path().join("server");
    lay_out(staging.path(), &laid_out, &manifest)?;
    check(&laid_out, &manifest)?;
    if args.dir.is_none() {
        println!("the backup is whole");
        return Ok(());
    }
    for name in sorted(&laid_out)? {
        fs::rename(laid_out.join(&name), target.join(&name)).map_err(failed(&target))?;
    }
    for (name, path) in &manifest.outside {
        println!("{} belongs to {}", target.join(name).display(), path.display());
    }
    if manifest.entries.contains_key(DUMP) {
        println!(
            "the database is a dump: `pg_restore --no-owner --dbname URL {}` brings it into an empty one",
            target.join("cordon.dump").display()
        );
    }
    println!("restored: `cordon serve --config {}` starts it", target.join("cordon.toml").display());
    Ok(())
}

/// Decrypts the archive into `staging`, and compares every entry with the manifest.
fn unpack(args: &RestoreArgs, staging: &Path) -> Result<Manifest, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", args.file.display());
    let file = BufReader::new(File::open(&args.file).map_err(failed(&args.file))?);
    let decryptor = age::Decryptor::new(file).map_err(|e| wrong(&e))?;
    let identities: Vec<Box<dyn age::Identity>> = match &args.identity {
        Some(file) => {
            let read = age::IdentityFile::from_file(file.display().to_string()).map_err(failed(file))?;
            read.into_identities()
                .map_err(|e| wrong(&e))?
                .into_iter()
                .map(|one| one as Box<dyn age::Identity>)
                .collect()
        }
        None => {
            let none = format!("say how to decrypt it: --identity FILE, --passphrase-file FILE, or {PASSPHRASE}");
            let text = passphrase(args.passphrase_file.as_deref())?.ok_or(none)?;
            vec![Box::new(age::scrypt::Identity::new(text))]
        }
    };
    let reader = decryptor.decrypt(identities.iter().map(|one| &**one)).map_err(|e| wrong(&e))?;
    let mut archive = tar::Archive::new(reader);
    let (mut found, mut manifest) = (BTreeMap::new(), None);
    for entry in archive.entries().map_err(|e| wrong(&e))? {
        let mut entry = entry.map_err(|e| wrong(&e))?;
        let path = entry.path().map_err(|e| wrong(&e))?.into_owned();
        // An archive of somebody else's is not to write elsewhere.
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let name = path.to_str().filter(|_| plain).ok_or_else(|| wrong(&"it holds a name that leads elsewhere"))?;
        if name == MANIFEST {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(|e| wrong(&e))?;
            manifest = Some(serde_json::from_str::<Manifest>(&text).map_err(|e| wrong(&e))?);
            continue;
        }
        let target = staging.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let mut hashed = Hashed { inner: &mut entry, context: Context::new(&SHA256) };
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create_new(true).mode(0o600).open(&target).map_err(failed(&target))?;
        io::copy(&mut hashed, &mut out).map_err(|e| wrong(&e))?;
        out.sync_all().map_err(failed(&target))?;
        found.insert(name.to_owned(), hex(hashed.context));
    }
    let manifest = manifest.ok_or_else(|| wrong(&"it has no manifest: it was cut off"))?;
    if manifest.form != FORM {
        return Err(wrong(&format!("version {} made it, in a form that this version does not know", manifest.version)));
    }
    for (name, digest) in &manifest.entries {
        match found.get(name) {
            Some(is) if is == digest => {}
            Some(_) => return Err(wrong(&format!("{name} is not as it was"))),
            None => return Err(wrong(&format!("{name} is missing"))),
        }
    }
    match found.keys().find(|name| !manifest.entries.contains_key(*name)) {
        Some(more) => Err(wrong(&format!("{more} is not in the manifest"))),
        None => Ok(manifest),
    }
}

/// Puts the entries where a server looks for them, below `target`.
fn lay_out(staging: &Path, target: &Path, manifest: &Manifest) -> Result<(), String> {
    // A data directory that was elsewhere is one below the configuration now.
    let relative = manifest.data_dir.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let data = if relative { target.join(&manifest.data_dir) } else { target.join("data") };
    for name in manifest.entries.keys() {
        let (first, rest) = name.split_once('/').unwrap_or(("", name));
        let to = match (first, name.as_str()) {
            (_, SQLITE) => data.join("cordon.db"),
            (_, DUMP) => target.join("cordon.dump"),
            (CONFIGURATION, _) => target.join(rest),
            (DATA, _) => data.join(rest),
            _ => target.join(name),
        };
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        fs::rename(staging.join(name), &to).map_err(failed(&to))?;
    }
    let file = target.join("cordon.toml");
    if !relative && let Ok(text) = fs::read_to_string(&file) {
        let was = format!("data_dir = {:?}", manifest.data_dir);
        fs::write(&file, text.replace(&was, "data_dir = \"data\"")).map_err(failed(&file))?;
    }
    Ok(())
}

/// Whether what is laid out is a server: its configuration, its database, its audit log.
fn check(server: &Path, manifest: &Manifest) -> Result<(), String> {
    let file = server.join("cordon.toml");
    if !file.is_file() {
        return Err("the configuration file is not called cordon.toml: it is there, and is not checked".into());
    }
    let (config, source) = Config::load(&file).map_err(|e| e.to_string())?;
    if manifest.entries.contains_key(SQLITE) {
        let database = source.resolve(&config.server.data_dir).join("cordon.db");
        let damage = runtime()?.block_on(async {
            let store = Store::open_to_read(&Location::File(database)).await.map_err(|e| e.to_string())?;
            store.damage().await.map_err(|e| e.to_string())
        })?;
        if !damage.is_empty() {
            return Err(format!("the database is damaged: {}", damage.join("; ")));
        }
        println!("the database is sound");
        audit::verify_at(&file)?;
    }
    if manifest.outside.is_empty() {
        let host = runtime()?.block_on(Host::read(&file))?;
        host.build()?;
        println!("the configuration and all that it names are sound");
    }
    Ok(())
}
