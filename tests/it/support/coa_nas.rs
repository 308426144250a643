//! A NAS that takes changes, in another language: `tests/peers/coa_nas.py`.

use super::server::SECRET;
use super::{Background, read, wait_for};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The NAS, and what it says.
pub struct CoaNas {
    _program: Background,
    log: PathBuf,
    /// Where it listens.
    pub port: u16,
}

impl CoaNas {
    /// Starts it in `dir`; `args` say how it behaves.
    #[track_caller]
    pub fn start(dir: &Path, args: &[&str]) -> CoaNas {
        let number = std::fs::read_dir(dir).unwrap().count();
        let log = dir.join(format!("coa-nas-{number}.jsonl"));
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/coa_nas.py");
        let mut command = Command::new("python3");
        command.arg("-B").arg(program).args(["--secret", SECRET]).args(args);
        let program = Background::start(command.stdout(std::fs::File::create(&log).unwrap()));
        let port = wait_for("the NAS", Duration::from_secs(10), || {
            let line = read(&log).lines().next().map(str::to_owned)?;
            serde_json::from_str::<Value>(&line).ok()?["listening"].as_u64()
        });
        CoaNas { _program: program, log, port: u16::try_from(port).unwrap() }
    }

    /// The requests so far, retransmissions included.
    pub fn requests(&self) -> Vec<Value> {
        let text = read(&self.log);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The first requests, once there are so many that were not sent before.
    #[track_caller]
    pub fn first(&self, count: usize, deadline: Duration) -> Vec<Value> {
        wait_for(&format!("{count} requests at the NAS"), deadline, || {
            let mut all = self.requests();
            all.retain(|request| request["repeated"] == false);
            (all.len() >= count).then(|| all[..count].to_vec())
        })
    }
}

/// The values of an attribute of a request, as text.
pub fn values(request: &Value, kind: u8) -> Vec<String> {
    let all = request["attributes"].as_array().unwrap().iter();
    let of = all.filter(|pair| pair[0] == kind);
    of.map(|pair| {
        let octets = cordon::radius::value::unhex(pair[1].as_str().unwrap()).unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    })
    .collect()
}
