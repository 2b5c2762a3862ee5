//! The `model-signing` command.

fn main() -> std::process::ExitCode {
    model_signing_cli::main()
}
