//! `cordon serve` and `cordon check`.

use super::host::{Host, runtime};
use crate::api::console::Console;
use crate::config::files::{Readers, write_whole};
use crate::server;
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Arguments of `cordon serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    pub config: PathBuf,
    /// Write the addresses to this file once requests are served
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// Log as JSON
    #[arg(long)]
    pub log_json: bool,
}

/// Arguments of `cordon check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    pub config: PathBuf,
}

/// Logs to standard error; RUST_LOG sets what (default `info`).
pub fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    // Another logger is there already: then it is as good.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}

/// Serves until told to stop, with the web console of that archive.
///
/// # Errors
/// Why it does not start.
pub fn serve(args: &ServeArgs, console: &'static [u8]) -> Result<(), String> {
    log(args.log_json);
    let console = Console::read(console)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let running = server::start(&args.config, console).await.map_err(|e| e.to_string())?;
        let text = running.ready_text();
        tracing::info!(auth = ?running.auth, acct = ?running.acct, radsec = ?running.radsec, posture = ?running.posture, http = %running.http, "ready");
        if let Some(file) = &args.ready_file {
            write_whole(file, &text, Readers::All).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        stopped().await;
        tracing::info!("stopping");
        running.stop().await;
        Ok(())
    })
}

/// Waits for SIGTERM or SIGINT.
pub async fn stopped() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Checks a configuration.
///
/// # Errors
/// All that is wrong with it.
pub fn check(args: &CheckArgs) -> Result<(), String> {
    let host = runtime()?.block_on(Host::read(&args.config))?;
    let built = host.build()?;
    for warning in &built.warnings {
        println!("warning: {warning}");
    }
    let snapshot = &built.snapshot;
    println!(
        "{}: good. {} NAS, {} identities, {} kinds of gear, {} rules (policy {})",
        args.config.display(),
        snapshot.nas.all().len(),
        snapshot.identities.all().len(),
        snapshot.spelled.len(),
        snapshot.policy.len(),
        snapshot.policy.revision(),
    );
    Ok(())
}
