//! What the tests stand on: a server, certificates, and real peers.

pub mod coa_nas;
pub mod eapol;
pub mod pki;
pub mod postgres;
pub mod radclient;
pub mod radsec;
pub mod receiver;
pub mod server;

use cordon::client::Port;
use cordon::inventory::mac::MacAddress;
use cordon::secret::Secret;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
pub fn cordon() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cordon"))
}

/// A program of the system, which may run this long.
pub fn system(program: &str, deadline: Duration) -> Command {
    let mut command = Command::new("timeout");
    command.arg(deadline.as_secs().max(1).to_string()).arg(program);
    command
}

/// Everything that the program printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that must succeed, and gives what it printed.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `make deps` installs what is missing"));
    let text = text(&output);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

/// A program of the Python environment that `scripts/install-deps.sh test` makes.
pub fn venv(program: &str) -> std::path::PathBuf {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/venv/bin").join(program);
    assert!(path.exists(), "{} is missing; `make deps` installs it", path.display());
    path
}

/// Feeds `input` to a command and gives what it printed, however it ended.
#[track_caller]
pub fn feed(command: &mut Command, input: &str) -> String {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}; `make deps` installs what is missing"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    text(&child.wait_with_output().unwrap())
}

/// Waits until `ready` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + deadline;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not happen within {deadline:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The port of the camera that the common configuration lets in by its MAC
/// address.
pub fn camera() -> Port {
    let mac = MacAddress::new([0x02, 0x00, 0x5e, 0x00, 0x00, 0x10]);
    Port { secret: Secret::new(server::SECRET), mac, port_id: "1".into(), extra: Vec::new() }
}

/// A program in the background; it ends with the test, and all that it started.
#[derive(Debug)]
pub struct Background(pub Child);

impl Background {
    /// Starts it.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let child = command.process_group(0).spawn();
        Self(child.unwrap_or_else(|e| panic!("{command:?}: {e}; `make deps` installs what is missing")))
    }

    /// Sends a signal to it and to all that it started.
    pub fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.0.wait();
    }
}

/// A file's text, or nothing.
pub fn read(path: &std::path::Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let _ = file.read_to_string(&mut text);
    }
    text
}

/// The VLANs in a log of hostapd's or of its test tool: the values of
/// Tunnel-Private-Group-Id, in hexadecimal after a tag of 0.
pub fn vlans(log: &str) -> Vec<String> {
    let mut lines = log.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if !line.contains("Attribute 81 (") {
            continue;
        }
        let value = lines.next().and_then(|line| line.split_once("Value: 00")).map_or("", |(_, digits)| digits.trim());
        let octets = cordon::radius::value::unhex(value).unwrap();
        found.push(String::from_utf8(octets).unwrap());
    }
    found
}

/// How long a scenario in a browser may take, which shares its processors with other tests.
const SCENARIO: Duration = Duration::from_secs(300);

/// A program of `tests/peers/node`, whose libraries `scripts/install-deps.sh test` installs.
pub fn node(script: &str) -> Command {
    let mut command = system("node", SCENARIO);
    command.arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/node").join(script));
    command
}
