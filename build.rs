//! Makes room for the web console in the binary: `make console` puts it there, and a build without Node goes without.

use std::path::Path;
use std::{fs, io};

/// What `src/main.rs` embeds: the console as one archive. Empty is none.
const CONSOLE: &str = "web/console/console.tar";

fn main() -> io::Result<()> {
    // Not watched: Cargo would build the library anew for each change of what only the binary holds.
    println!("cargo::rerun-if-changed=build.rs");
    if Path::new(CONSOLE).exists() { Ok(()) } else { fs::write(CONSOLE, []) }
}
