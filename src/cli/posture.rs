//! `cordon posture`: what hosts need that are to report.

use crate::config::Config;
use crate::config::files::secret_file;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Random octets of an enroll secret.
const SECRET_LEN: usize = 32;

/// What hosts need that are to report
#[derive(Debug, Args)]
pub struct PostureArgs {
    #[command(subcommand)]
    command: PostureCommand,
}

#[derive(Debug, Subcommand)]
enum PostureCommand {
    /// Show the secret by which osquery enrolls without a certificate; it is made when there is none
    Secret(SecretArgs),
}

/// Arguments of `cordon posture secret`.
#[derive(Debug, Args)]
struct SecretArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
}

/// Runs a command of `cordon posture`.
///
/// # Errors
/// In words.
pub fn run(args: &PostureArgs) -> Result<(), String> {
    let PostureCommand::Secret(args) = &args.command;
    let (config, source) = Config::load(&args.config).map_err(|e| e.to_string())?;
    let Some(file) = &config.posture.enroll_secret_file else {
        return Err(format!(
            "{}: [posture] does not say in which file the secret is\n  -> add enroll_secret_file = \
             \"osquery-secret\" to [posture], and ask again",
            args.config.display()
        ));
    };
    let file = source.resolve(file.get_ref());
    let secret = secret_file::<SECRET_LEN>(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("{secret}");
    Ok(())
}
