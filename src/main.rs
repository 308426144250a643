//! The `cordon` program.

/// A login makes hundreds of small allocations; the system's allocator spends
/// an eighth of the server's time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cordon::cli::main()
}
