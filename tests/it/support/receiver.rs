//! A server in Python that takes what is sent to it, and is told by files what to answer.

use super::{Background, read, venv, wait_for};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A receiver. It goes on with its port and what it took when it is started again.
#[derive(Debug)]
pub struct Receiver {
    /// Where its files are.
    pub dir: TempDir,
    script: &'static str,
    /// What comes before the directory on its command line.
    args: &'static [&'static str],
    process: Option<Background>,
}

impl Receiver {
    /// Starts `script` of `tests/peers`.
    pub fn start(script: &'static str, mode: &str) -> Receiver {
        Receiver::start_with(script, &[], mode)
    }

    /// The same with what comes before the directory on its command line.
    pub fn start_with(script: &'static str, args: &'static [&'static str], mode: &str) -> Receiver {
        Receiver::prepared(script, args, mode, |_| {})
    }

    /// The same, when `prepare` has put what it reads in its directory.
    pub fn prepared(
        script: &'static str,
        args: &'static [&'static str],
        mode: &str,
        prepare: impl FnOnce(&Path),
    ) -> Receiver {
        let mut receiver = Receiver { dir: tempfile::tempdir().unwrap(), script, args, process: None };
        prepare(receiver.dir.path());
        receiver.mode(mode);
        receiver.run();
        receiver
    }

    /// On the port that it had, if it had one.
    pub fn run(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(self.script);
        let mut command = Command::new(venv("python"));
        self.process = Some(Background::start(command.arg(script).args(self.args).arg(self.dir.path())));
        wait_for("the receiver", Duration::from_secs(20), || {
            let port: u16 = read(&self.dir.path().join("port")).parse().ok()?;
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }

    /// Kills it.
    pub fn stop(&mut self) {
        drop(self.process.take());
    }

    /// Where it is.
    pub fn port(&self) -> u16 {
        read(&self.dir.path().join("port")).parse().unwrap()
    }

    /// What it answers from now on: a status, or `hang`.
    pub fn mode(&self, mode: &str) {
        let file = self.dir.path().join("mode");
        std::fs::write(file.with_extension("new"), mode).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
    }

    /// What it took so far, a line of JSON each.
    pub fn lines(&self) -> Vec<Value> {
        let lines = read(&self.dir.path().join("taken"));
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
