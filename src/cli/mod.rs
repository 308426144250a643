//! The command line.

mod apply;
mod ask;
mod audit;
mod auth;
mod backup;
mod ca;
mod capture;
mod decode;
mod demo;
mod exchange;
mod host;
mod identity;
mod import;
mod init;
mod load;
mod nas;
mod operator;
mod policy;
mod posture;
mod replay;
mod revision;
mod serve;
mod session;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Network access control: RADIUS and EAP-TLS for devices, machines and AI
/// agents. One policy, every decision explained.
#[derive(Debug, Parser)]
#[command(name = "cordon", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make what a server needs to start: a CA, certificates, a configuration
    Init(init::InitArgs),
    /// Serve RADIUS and the HTTP API
    Serve(serve::ServeArgs),
    /// Put everything that a server is into one encrypted file, while it runs
    Backup(backup::BackupArgs),
    /// Check a backup, or make a server of it
    Restore(backup::RestoreArgs),
    /// Check a configuration and all that it names
    Check(serve::CheckArgs),
    /// Try everything: a CA, certificates, a policy, logins, all made for you
    Demo(demo::DemoArgs),
    /// Make the inventory and the policy what documents say
    Apply(apply::ApplyArgs),
    /// Write the inventory and the policy as documents
    Export(apply::ExportArgs),
    /// See who asks and is unknown, and adopt it
    Nas(nas::NasArgs),
    /// See who is known, who answers for it, and change its status
    Identity(identity::IdentityArgs),
    /// See who administers the server, and let them in
    Operator(operator::OperatorArgs),
    /// See who is on the network, and change that
    Session(session::SessionArgs),
    /// See who changed what, verify it, and prove it
    Audit(audit::AuditArgs),
    /// Check, test, explain, compare, activate and roll back rules
    Policy(policy::PolicyArgs),
    /// See what hosts need that are to report how they are doing
    Posture(posture::PostureArgs),
    Ca(ca::CaArgs),
    Ask(ask::AskArgs),
    /// Take over what FreeRADIUS or a table knows
    Import(import::ImportArgs),
    /// Log in to any RADIUS server, as switch and supplicant in one
    Auth(auth::AuthArgs),
    /// Put load on any RADIUS server and measure it
    Load(load::LoadArgs),
    /// Show what a RADIUS packet says
    Decode(decode::DecodeArgs),
}

/// Runs the command that the arguments name. `console` is the archive of the web console, which the program carries; empty is
/// none.
pub fn main(console: &'static [u8]) -> ExitCode {
    end_with_the_reader();
    let result = match Cli::parse().command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::serve(&args, console),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Check(args) => serve::check(&args),
        Command::Demo(args) => demo::run(&args, console),
        Command::Apply(args) => apply::apply(&args),
        Command::Export(args) => apply::export(&args),
        Command::Nas(args) => nas::run(&args),
        Command::Identity(args) => identity::run(&args),
        Command::Operator(args) => operator::run(&args),
        Command::Session(args) => session::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Posture(args) => posture::run(&args),
        Command::Ca(args) => ca::run(args),
        Command::Ask(args) => ask::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Auth(args) => auth::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Decode(args) => decode::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("cordon: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Printing to a reader that has gone, such as `head`, ends the command, as it
/// does for other programs.
fn end_with_the_reader() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let message = info.payload().downcast_ref::<String>();
        if message.is_some_and(|text| text.starts_with("failed printing to stdout")) {
            std::process::exit(1);
        }
        report(info);
    }));
}
