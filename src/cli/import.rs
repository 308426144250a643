//! `cordon import`: what other servers and tables know, as a document.

use crate::config::Source;
use crate::config::files::{Readers, write_whole};
use crate::config::import::steward::Steward;
use crate::config::import::{csv, freeradius};
use clap::{Args, Subcommand};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Arguments of `cordon import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// FreeRADIUS 3: clients and users become a document and a policy
    Freeradius(FreeradiusArgs),
    /// Tables of identities and of NASes become a document
    Csv(CsvArgs),
}

/// Who answers for identities that have nobody: `cordon apply` demands both.
#[derive(Debug, Args)]
struct StewardArgs {
    /// The name of the user who answers for identities without an owner; a user of that name is written too
    #[arg(long)]
    owner: Option<String>,
    /// What identities without a purpose are for
    #[arg(long)]
    purpose: Option<String>,
}

impl StewardArgs {
    fn steward(&self) -> Result<Steward, String> {
        let given = |option: &str, text: &Option<String>| match text.as_deref().map(str::trim) {
            Some("") => Err(format!("{option} is empty\n  -> give a text, or leave it out")),
            text => Ok(text.map(str::to_owned)),
        };
        Ok(Steward { owner: given("--owner", &self.owner)?, purpose: given("--purpose", &self.purpose)? })
    }
}

/// What to do about identities that `cordon apply` would refuse.
fn advise(unowned: usize) {
    if unowned > 0 {
        println!(
            "{unowned} identities lack an owner or a purpose, and `cordon apply` demands both\n  -> --owner NAME and \
             --purpose TEXT give them to all that have none"
        );
    }
}

#[derive(Debug, Args)]
struct FreeradiusArgs {
    /// clients.conf
    #[arg(long, required_unless_present = "users")]
    clients: Option<PathBuf>,
    /// The users file, mods-config/files/authorize
    #[arg(long)]
    users: Option<PathBuf>,
    /// Let in MAC addresses with neither a password nor an Auth-Type, as a list of authorized ones means it
    #[arg(long)]
    authorized_macs: bool,
    /// Where imported.toml and imported.cedar go
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    steward: StewardArgs,
    /// Overwrite them
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct CsvArgs {
    /// Identities
    #[arg(long, required_unless_present = "nas")]
    identities: Option<PathBuf>,
    /// Switches, controllers and VPN gateways
    #[arg(long)]
    nas: Option<PathBuf>,
    /// Where the document goes
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    steward: StewardArgs,
    /// Overwrite it
    #[arg(long)]
    force: bool,
}

/// Does what the arguments say.
///
/// # Errors
/// In plain words; then nothing is written.
pub fn run(args: &ImportArgs) -> Result<(), String> {
    match &args.command {
        ImportCommand::Freeradius(args) => from_freeradius(args),
        ImportCommand::Csv(args) => from_csv(args),
    }
}

fn from_freeradius(args: &FreeradiusArgs) -> Result<(), String> {
    let (toml, cedar) = (args.out.join("imported.toml"), args.out.join(freeradius::POLICY_FILE));
    absent(&[&toml, &cedar], args.force)?;
    let clients = args.clients.as_deref().map(source).transpose()?;
    let users = args.users.as_deref().map(source).transpose()?;
    let steward = args.steward.steward()?;
    let imported = freeradius::import(clients.as_ref(), users.as_ref(), args.authorized_macs, &include, &steward)
        .map_err(|e| format!("{e}; this is a bug"))?;
    fs::create_dir_all(&args.out).map_err(|e| format!("{}: {e}", args.out.display()))?;
    write(&toml, &imported.document, Readers::Owner)?;
    write(&cedar, &imported.policy, Readers::All)?;
    print!("{}", imported.report);
    println!(
        "{}: {} NAS, {} profiles, {} identities\n{}: {} of the rules are comments, for you to look at\n\
         {} findings above",
        toml.display(),
        imported.nas,
        imported.profiles,
        imported.identities,
        cedar.display(),
        imported.held,
        imported.report.findings().len(),
    );
    advise(if steward.owner.is_some() && steward.purpose.is_some() { 0 } else { imported.identities });
    Ok(())
}

fn from_csv(args: &CsvArgs) -> Result<(), String> {
    absent(&[&args.out], args.force)?;
    let steward = args.steward.steward()?;
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(|e| format!("{}: {e}", path.display()));
    let mut results = Vec::new();
    if let Some(path) = &args.nas {
        results.push(("NAS", csv::nas(path, open(path)?)));
    }
    if let Some(path) = &args.identities {
        results.push(("identities", csv::identities(path, open(path)?, &steward)));
    }
    let faults: Vec<String> = results.iter().filter_map(|(_, r)| r.as_ref().err()).map(ToString::to_string).collect();
    if !faults.is_empty() {
        return Err(format!("nothing was written\n{}", faults.join("\n")));
    }
    let (mut document, mut counts, mut unowned) = (String::new(), Vec::new(), 0);
    for (what, result) in results {
        let Ok(imported) = result else { continue };
        document.push_str(&imported.document);
        counts.push(format!("{} {what}", imported.rows));
        unowned += imported.unowned;
        if !imported.attributes.is_empty() {
            println!("columns that became attributes: {}", imported.attributes.join(", "));
        }
    }
    write(&args.out, &document, Readers::Owner)?;
    println!("{}: {}", args.out.display(), counts.join(", "));
    advise(unowned);
    Ok(())
}

fn absent(paths: &[&Path], force: bool) -> Result<(), String> {
    match paths.iter().find(|path| !force && path.exists()) {
        Some(path) => Err(format!("{} is there already; --force overwrites it", path.display())),
        None => Ok(()),
    }
}

fn write(path: &Path, text: &str, readers: Readers) -> Result<(), String> {
    write_whole(path, text, readers).map_err(|e| format!("{}: {e}", path.display()))
}

fn source(path: &Path) -> Result<Source, String> {
    let octets = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let text = String::from_utf8(octets).map_err(|_| format!("{} is not UTF-8; save it as UTF-8", path.display()))?;
    Ok(Source { file: path.to_owned(), text })
}

/// A file, or all files of a directory as FreeRADIUS takes them: by name, and
/// only names of letters, digits, dots and underscores.
fn include(path: &Path) -> Result<Vec<Source>, String> {
    if !path.is_dir() {
        return Ok(vec![source(path)?]);
    }
    let plain =
        |name: &str| !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
    let entries = fs::read_dir(path).map_err(|e| e.to_string())?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|p| p.is_file() && p.file_name().and_then(|n| n.to_str()).is_some_and(plain));
    paths.sort();
    paths.iter().map(|path| source(path)).collect()
}
