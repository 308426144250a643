//! The `cordon-agent` program.

fn main() -> std::process::ExitCode {
    cordon::agent::main()
}
