//! `cordon serve` as its own process, on free ports.

use super::pki::{KEYS, pki};
use super::{cordon, read, succeed, text, wait_for};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// What the test NAS shares with the server.
pub const SECRET: &str = "a-secret-of-some-length";
/// The API's token.
pub const TOKEN: &str = "a-token-for-the-tests";

/// A configuration in pieces that a test can replace.
#[derive(Clone, Debug)]
pub struct Config {
    /// Lines of `[server]`, besides the addresses.
    pub server: String,
    /// The address that listeners bind.
    pub listen: &'static str,
    /// The kind of the server's key.
    pub server_key: &'static str,
    /// Lines of `[tls]`.
    pub tls: String,
    /// Lines of the `[[ca]]`, besides its file.
    pub ca: String,
    /// Lines of the `[[nas]]`, besides name, address and secret.
    pub nas: String,
    /// Further sections.
    pub more: String,
    /// The Cedar text.
    pub policy: String,
}

impl Default for Config {
    fn default() -> Self {
        let mut more = String::new();
        let kinds = KEYS.iter().chain(&["direct"]);
        for name in kinds {
            writeln!(
                more,
                "[[identity]]\nname = \"{name}\"\nkind = \"device\"\ngroups = [\"laptops\"]\n\
                 credentials = [{{ san_dns = \"{name}.corp.example\" }}]"
            )
            .unwrap();
        }
        more.push_str(
            "[[identity]]\nname = \"camera\"\nkind = \"device\"\ngroups = [\"mab-allowed\"]\n\
             credentials = [{ mac = \"02-00-5E-00-00-10\" }]\n",
        );
        Self {
            server: "reject_delay_ms = 0".into(),
            listen: "127.0.0.1",
            server_key: "p256",
            tls: String::new(),
            ca: format!("crl = [{:?}, {:?}]", pki().path("corp/ca.crl"), pki().path("corp/intermediate.crl")),
            nas: String::new(),
            more,
            policy: cordon::policy::engine::DEFAULT_POLICY.into(),
        }
    }
}

impl Config {
    /// The configuration file.
    pub fn text(&self) -> String {
        let Self { server, listen, server_key, tls, ca, nas, more, .. } = self;
        let pki = pki();
        let (certificate, key) =
            (pki.path(&format!("server-{server_key}.pem")), pki.path(&format!("server-{server_key}.key")));
        let ca_file = pki.path("corp/ca.pem");
        let addresses = if listen.contains(':') { format!("[{listen}]:0") } else { format!("{listen}:0") };
        format!(
            r#"
[server]
data_dir = "."
auth = ["{addresses}"]
acct = ["{addresses}"]
workers = 2
{server}
[http]
listen = "127.0.0.1:0"
token = "{TOKEN}"
[tls]
certificate = {certificate:?}
key = {key:?}
{tls}
[[ca]]
name = "corp"
file = {ca_file:?}
{ca}
[policy]
file = "policy.cedar"
[[profile]]
name = "corp"
vlan = 20
session_timeout_secs = 28800
termination_action = "reauthenticate"
[[profile]]
name = "iot"
vlan = "cameras"
filter_id = "cameras-only"
[[profile]]
name = "printers"
vlan = 30
[[profile]]
name = "machines"
vlan = 40
[[profile]]
name = "agents"
vlan = 50
[[profile]]
name = "quarantine"
vlan = 666
[[nas]]
name = "test"
address = ["127.0.0.0/8", "::1", "10.77.0.0/16"]
secret = "{SECRET}"
{nas}
{more}
"#
        )
    }
}

/// The configuration of a server that knows no more than a certificate and a CA.
pub fn bare(address: &str) -> String {
    let pki = pki();
    format!(
        "[server]\ndata_dir = \"data\"\nauth = [{address:?}]\nacct = [{address:?}]\nworkers = 2\nreject_delay_ms = 0\n\
         [http]\nlisten = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n\
         [[ca]]\nname = \"corp\"\nfile = {:?}\ncrl = [{:?}, {:?}]\n",
        pki.path("server-p256.pem"),
        pki.path("server-p256.key"),
        pki.path("corp/ca.pem"),
        pki.path("corp/ca.crl"),
        pki.path("corp/intermediate.crl"),
    )
}

/// What the API answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers by their names in lower case.
    pub headers: std::collections::HashMap<String, String>,
    /// The body, if it is JSON.
    pub body: Value,
    /// The body as it is.
    pub text: String,
}

/// A server that runs until the test ends.
pub struct Server {
    child: Child,
    dir: TempDir,
    netns: Option<String>,
    /// Where it takes authentication.
    pub auth: SocketAddr,
    /// Where it takes accounting.
    pub acct: SocketAddr,
    /// Where it takes RADIUS over TLS, if it does.
    radsec: Option<SocketAddr>,
    /// Where endpoints report for themselves, if they can.
    posture: Option<SocketAddr>,
    /// Where the page for endpoints is, if there is one.
    recheck: Option<SocketAddr>,
    /// Where the API is.
    pub http: SocketAddr,
}

impl Server {
    /// Starts a server with this configuration.
    #[track_caller]
    pub fn start(config: &Config) -> Server {
        let dir = tempfile::tempdir().unwrap();
        Self::write(&dir, config);
        Self::run(dir, cordon(), None)
    }

    /// Starts a server with this text for its configuration file.
    #[track_caller]
    pub fn start_with(config: &Config, text: &str) -> Server {
        let dir = tempfile::tempdir().unwrap();
        Self::write(&dir, config);
        std::fs::write(dir.path().join("cordon.toml"), text).unwrap();
        Self::run(dir, cordon(), None)
    }

    /// Starts a server that knows no more than a certificate and a CA; the rest
    /// is applied.
    #[track_caller]
    pub fn bare() -> Server {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cordon.toml"), bare("127.0.0.1:0")).unwrap();
        Self::run(dir, cordon(), None)
    }

    /// Starts a server on what lies in this directory.
    #[track_caller]
    pub fn resumed(on: &std::path::Path) -> Server {
        let dir = tempfile::tempdir().unwrap();
        succeed(Command::new("cp").arg("-a").arg(on.join(".")).arg(dir.path()));
        Self::run(dir, cordon(), None)
    }

    /// The same within a network namespace.
    #[track_caller]
    pub fn resumed_in(netns: &str, on: &std::path::Path) -> Server {
        let dir = tempfile::tempdir().unwrap();
        succeed(Command::new("cp").arg("-a").arg(on.join(".")).arg(dir.path()));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns, env!("CARGO_BIN_EXE_cordon")]);
        Self::run(dir, command, Some(netns.to_owned()))
    }

    /// The same with further lines of `[http]`.
    #[track_caller]
    pub fn bare_over(http: &str) -> Server {
        Self::bare_over_with(http, "")
    }

    /// The same with further sections.
    #[track_caller]
    pub fn bare_over_with(http: &str, more: &str) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let text = bare("127.0.0.1:0").replacen("[http]\n", &format!("[http]\n{http}"), 1);
        std::fs::write(dir.path().join("cordon.toml"), text + more).unwrap();
        Self::run(dir, cordon(), None)
    }

    /// The same with further sections.
    #[track_caller]
    pub fn bare_with(more: &str) -> Server {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cordon.toml"), format!("{}{more}", bare("127.0.0.1:0"))).unwrap();
        Self::run(dir, cordon(), None)
    }

    /// The same within a network namespace, at this address.
    #[track_caller]
    pub fn bare_in(netns: &str, address: &str) -> Server {
        Self::bare_in_with(netns, address, "")
    }

    /// The same with further sections.
    #[track_caller]
    pub fn bare_in_with(netns: &str, address: &str, more: &str) -> Server {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cordon.toml"), format!("{}{more}", bare(address))).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns, env!("CARGO_BIN_EXE_cordon")]);
        Self::run(dir, command, Some(netns.to_owned()))
    }

    /// Waits until what was answered is in the database, where commands read it: the
    /// API answers no earlier.
    fn settle(&self) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "5", "--output", "/dev/null", "--header"]);
        curl.arg(format!("Authorization: Bearer {TOKEN}")).arg(format!("http://{}/api/v1/discards", self.http));
        // A server that has ended writes nothing any more.
        let _ = curl.status();
    }

    /// Runs a command of `cordon` on this server's configuration: whether it
    /// succeeded, and what it printed.
    pub fn command(&self, args: &[&str]) -> (bool, String) {
        self.settle();
        let output = cordon().args(args).arg("--config").arg(self.path("cordon.toml")).output().unwrap();
        (output.status.success(), text(&output))
    }

    /// The same, which must succeed.
    #[track_caller]
    pub fn succeed(&self, args: &[&str]) -> String {
        let (ok, out) = self.command(args);
        assert!(ok, "{args:?}: {out}");
        out
    }

    /// Applies a document, and waits until it is in force.
    #[track_caller]
    pub fn apply(&self, document: &str) -> String {
        let file = self.path("applied.toml");
        std::fs::write(&file, document).unwrap();
        self.in_force(|| self.succeed(&["apply", "-f", file.to_str().unwrap()]))
    }

    /// Makes a change, and waits until the server has taken it up.
    #[track_caller]
    pub fn in_force(&self, change: impl FnOnce() -> String) -> String {
        self.in_force_of(|| (true, change())).1
    }

    /// The same with a command that may fail, which then changes nothing.
    #[track_caller]
    pub fn in_force_of(&self, change: impl FnOnce() -> (bool, String)) -> (bool, String) {
        let count = || self.log().matches("is in force").count();
        let before = count();
        let out = change();
        if out.0 {
            wait_for("the change to be in force", Duration::from_secs(10), || (count() > before).then_some(()));
        }
        out
    }

    /// Starts a server within a network namespace.
    #[track_caller]
    pub fn start_in(netns: &str, config: &Config) -> Server {
        let dir = tempfile::tempdir().unwrap();
        Self::write(&dir, config);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns, env!("CARGO_BIN_EXE_cordon")]);
        Self::run(dir, command, Some(netns.to_owned()))
    }

    fn write(dir: &TempDir, config: &Config) {
        std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
        std::fs::write(dir.path().join("cordon.toml"), config.text()).unwrap();
    }

    #[track_caller]
    fn run(dir: TempDir, mut command: Command, netns: Option<String>) -> Server {
        let ready = dir.path().join("ready");
        let _ = std::fs::remove_file(&ready);
        let log = std::fs::File::options().create(true).append(true).open(dir.path().join("log")).unwrap();
        let mut child = command
            .args(["serve", "--config"])
            .arg(dir.path().join("cordon.toml"))
            .arg("--ready-file")
            .arg(&ready)
            .env("RUST_LOG", "cordon=debug")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let addresses = wait_for("the server's start", Duration::from_secs(20), || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", read(&dir.path().join("log")));
            }
            std::fs::read_to_string(&ready).ok()
        });
        let address = |name: &str| {
            let line = addresses.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
            line.map(|address| address.parse().unwrap())
        };
        let known = |name: &str| address(name).unwrap();
        let (auth, acct, http) = (known("auth"), known("acct"), known("http"));
        let [radsec, posture, recheck] = ["radsec", "posture", "recheck"].map(address);
        Server { auth, acct, radsec, posture, recheck, http, child, dir, netns }
    }

    /// Where it takes RADIUS over TLS.
    #[track_caller]
    pub fn radsec(&self) -> SocketAddr {
        self.radsec.expect("the configuration has no [radsec] that listens")
    }

    /// Where endpoints report for themselves.
    #[track_caller]
    pub fn posture(&self) -> SocketAddr {
        self.posture.expect("the configuration has no [posture] that listens")
    }

    /// Where the page for endpoints is.
    #[track_caller]
    pub fn recheck(&self) -> SocketAddr {
        self.recheck.expect("the configuration has no [recheck] that listens")
    }

    /// The TLS connections of a NAS, as the API shows them.
    #[track_caller]
    pub fn connections(&self, nas: &str) -> Vec<Value> {
        let page = self.get("/api/v1/nas");
        let nas = page["items"].as_array().unwrap().iter().find(|item| item["name"] == nas).cloned();
        nas.map_or_else(Vec::new, |nas| nas["radsec"]["connections"].as_array().cloned().unwrap_or_default())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        read(&self.path("log"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        succeed(Command::new("kill").args([format!("-{signal}"), self.pid().to_string()]));
    }

    /// Waits for its end, and tells how it ended.
    #[track_caller]
    pub fn end(&mut self, deadline: Duration) -> std::process::ExitStatus {
        wait_for("the server's end", deadline, || self.child.try_wait().unwrap())
    }

    /// Kills it without warning, and starts it again on the same data.
    #[track_caller]
    pub fn restart(mut self, signal: &str) -> Server {
        self.signal(signal);
        self.child.wait().unwrap();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::run(dir, cordon(), None)
    }

    /// Status and body of an API resource, asked for by curl.
    #[track_caller]
    pub fn get_raw(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let url = format!("http://{}{path}", self.http);
        let mut command = match &self.netns {
            Some(netns) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", netns, "curl"]);
                command
            }
            None => Command::new("curl"),
        };
        command.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}", &url]);
        if let Some(token) = token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        let output = succeed(&mut command);
        let (body, status) = output.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// What the API says.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.get_raw(path, Some(TOKEN));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Status and body of what the API answers to a request with a body.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.exchange(method, path, &[&format!("Authorization: Bearer {TOKEN}")], Some(body));
        (answer.status, answer.body)
    }

    /// What the API answers to a request with these headers, sent by curl.
    #[track_caller]
    pub fn exchange(&self, method: &str, path: &str, headers: &[&str], body: Option<&Value>) -> Answer {
        let url = format!("http://{}{path}", self.http);
        let mut command = match &self.netns {
            Some(netns) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", netns, "curl"]);
                command
            }
            None => Command::new("curl"),
        };
        command.args(["--silent", "--show-error", "--max-time", "20", "--include", "--request", method]);
        for header in headers {
            command.args(["--header", header]);
        }
        if body.is_some() {
            // Without `Expect`, there is one answer alone.
            command.args(["--header", "Content-Type: application/json", "--header", "Expect:", "--data-binary", "@-"]);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let output = super::feed(command.arg(&url), &body);
        let (head, body) = output.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {output}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{method} {path}: {output}"));
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let (body, text) = (serde_json::from_str(body).unwrap_or(Value::Null), body.to_owned());
        Answer { status, headers, body, text }
    }

    /// The latest decision about a MAC address.
    #[track_caller]
    pub fn decision(&self, mac: &str) -> Value {
        let page = self.get(&format!("/api/v1/decisions?limit=1&mac={mac}"));
        page["items"].get(0).unwrap_or_else(|| panic!("no decision about {mac}; log:\n{}", self.log())).clone()
    }

    /// How often a reason made the server drop datagrams.
    pub fn discarded(&self, reason: &str) -> u64 {
        let rows = self.get("/api/v1/discards");
        let rows = rows["items"].as_array().unwrap();
        rows.iter().filter(|row| row["reason"] == reason).map(|row| row["count"].as_u64().unwrap()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}
