//! Embeds the web console, if it was built (`make console`): without Node the server is built without it, and says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where Vite puts what it builds.
const DIST: &str = "web/console/dist";

/// Every file below `dir`, in the order of the names, so that the same console gives the same binary.
fn files(dir: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, into)? } else { into.push(path) }
    }
    Ok(())
}

/// An expression for the octets of a file, if it is there.
fn octets(path: &Path) -> String {
    if path.is_file() { format!("Some(include_bytes!({path:?}))") } else { "None".into() }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let dist = root.join(DIST);
    // Cargo looks at a path that is not there as changed each time, and would build all anew.
    let _ = fs::create_dir_all(&dist);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DIST}");
    let mut all = Vec::new();
    if dist.is_dir() {
        files(&dist, &mut all)?;
    }
    let mut text = String::from("static FILES: &[File] = &[\n");
    for path in &all {
        let name = path.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        if name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let with = |suffix: &str| octets(&PathBuf::from(format!("{}{suffix}", path.display())));
        let (brotli, gzip) = (with(".br"), with(".gz"));
        writeln!(text, "File {{ name: {name:?}, plain: include_bytes!({path:?}), brotli: {brotli}, gzip: {gzip} }},")?;
    }
    text.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("console.rs"), text)?;
    Ok(())
}
