//! The `model-signing` command under the name that the Python package installs.

fn main() -> std::process::ExitCode {
    model_signing_cli::main()
}
