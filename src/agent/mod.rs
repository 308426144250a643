//! `cordon-agent`: looks how its host is doing, and tells the server by the host's certificate, which it renews.
//!
//! It knows nothing of policies: what is asked for, and what fails, the server says. What cannot be told of a host is
//! not reported, and is unknown there.

mod client;
pub mod collect;
mod config;
mod renewal;
mod service;
mod spool;
mod status;

use crate::transport::clock::Clock;
use clap::{Args, Parser, Subcommand};
use config::Settings;
use std::path::PathBuf;
use std::process::ExitCode;

/// Reports how this host is doing to a Cordon server
#[derive(Debug, Parser)]
#[command(name = "cordon-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Report on every change and at intervals, until it is stopped
    Run(ConfigArgs),
    /// Show what fails and how to mend it; ends with 1 if something does
    Status(ConfigArgs),
    /// Show what is found of this host, without telling anybody
    Look(ConfigArgs),
    /// Renew the certificate now
    Renew(ConfigArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_AGENT_CONFIG", default_value = "/etc/cordon-agent.toml")]
    config: PathBuf,
}

/// The program.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, String> {
    let (Command::Run(args) | Command::Status(args) | Command::Look(args) | Command::Renew(args)) = &command;
    let settings = Settings::load(&args.config)?;
    let clock = Clock::start();
    // One thread: it asks one thing at a time, and mostly sleeps.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    match command {
        Command::Run(_) => {
            let filter = tracing_subscriber::EnvFilter::try_from_default_env();
            let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
            runtime.block_on(service::run(&settings, &clock))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Status(_) => runtime.block_on(status::status(&settings, &clock)),
        Command::Look(_) => {
            let watched = spool::standing(&settings).map(|standing| standing.watched).unwrap_or_default();
            let found = collect::collect(&settings.host(), &watched, clock.now());
            println!("{}", serde_json::to_string_pretty(&found).map_err(|e| e.to_string())?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Renew(_) => {
            renewal::finish(&settings)?;
            let until = runtime.block_on(renewal::renew(&settings))?;
            println!("the new certificate is good until {until}");
            Ok(ExitCode::SUCCESS)
        }
    }
}
