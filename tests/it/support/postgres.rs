//! PostgreSQL from Debian's package: an instance of the tests' own, on a free port.

use super::{Background, succeed, wait_for};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// An instance; it ends with this value.
#[derive(Debug)]
pub struct Postgres {
    dir: TempDir,
    port: u16,
    server: Option<Background>,
}

/// Where Debian keeps the server's programs, of whichever version.
fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is missing; `make deps` installs it");
    let mut versions: Vec<PathBuf> = versions.map(|e| e.unwrap().path().join("bin")).collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is missing; `make deps` installs it")
}

/// It refuses to run as root.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(bin().join(program));
    command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    command
}

impl Postgres {
    /// Makes and starts one.
    pub fn start() -> Postgres {
        let dir = tempfile::Builder::new().prefix("cordon-postgres").tempdir().unwrap();
        let id = |what: &str| succeed(Command::new("id").args([what, "postgres"])).trim().parse::<u32>().unwrap();
        chown(dir.path(), Some(id("-u")), Some(id("-g"))).unwrap();
        let data = dir.path().join("data");
        let mut initdb = as_postgres("initdb");
        succeed(initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D"]).arg(&data));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut postgres = Postgres { dir, port, server: None };
        postgres.up();
        postgres
    }

    /// Starts it again.
    pub fn up(&mut self) {
        let mut command = as_postgres("postgres");
        command.arg("-D").arg(self.dir.path().join("data")).args(["-p", &self.port.to_string()]);
        // It is processes that are killed here, and never the power that fails.
        command.args(["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c"]);
        command.arg(format!("unix_socket_directories={}", self.dir.path().display()));
        let port = self.port.to_string();
        let server = &mut self.server;
        wait_for("PostgreSQL", Duration::from_secs(60), || {
            // It does not start while a process of the one before is still there.
            if server.as_mut().is_none_or(|s| s.0.try_wait().unwrap().is_some()) {
                *server = Some(Background::start(&mut command));
            }
            let mut ready = as_postgres("pg_isready");
            ready.args(["-h", "127.0.0.1", "-p", &port]).status().unwrap().success().then_some(())
        });
    }

    /// Ends it at once, with all its processes, as a crash would.
    pub fn kill(&mut self) {
        self.server = None;
        // A postmaster that was killed leaves this behind; the next start reads it.
        let left = |dir: &Path| dir.join("data/postmaster.pid").exists();
        assert!(left(self.dir.path()), "it was shut down in order");
    }

    /// Runs SQL in a database and gives what it printed.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = as_postgres("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-At", "-c", sql, database]);
        succeed(psql.stdout(Stdio::piped()).stderr(Stdio::piped())).trim().to_owned()
    }

    /// A new, empty database, by its URL.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }
}

/// An instance that all tests share. It ends with the tests.
pub fn postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| {
        let postgres = Postgres::start();
        // Nothing drops what is shared: another process waits for this one's end.
        let watch = format!(
            "while kill -0 {} 2>/dev/null; do sleep 1; done; kill -INT {}; rm -rf {}",
            std::process::id(),
            postgres.server.as_ref().map_or(0, |s| s.0.id()),
            postgres.dir.path().display()
        );
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", &watch]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap();
        postgres
    })
}
