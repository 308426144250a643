//! The `cordon` program.

/// A login makes hundreds of small allocations; the system's allocator spends
/// an eighth of the server's time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The web console, as `make console` built it; empty without. It is here and not in the library, so that a change of a page
/// builds no more than this file.
static CONSOLE: &[u8] = include_bytes!("../web/console/console.tar");

fn main() -> std::process::ExitCode {
    cordon::cli::main(CONSOLE)
}
