//! Adapter for the public OMS conformance suite: its protocol on the left, `model-signing` on the right.
//!
//! `cargo build --release --example oms-conformance -p model-signing`, then in a checkout of the suite
//! `pytest test/ --entrypoint=…/target/release/examples/oms-conformance`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the protocol is standard output and the exit code")]

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(version)]
struct Adapter {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a signature
    SignModel(Request),
    /// Verifies a signature
    VerifyModel(Request),
    /// Prints what this adapter can do beyond the required commands
    Capabilities,
    /// Times signing, verifying or hashing in this process
    BenchmarkModel(Benchmark),
}

#[derive(Args)]
struct Request {
    #[arg(long)]
    method: Method,
    #[arg(long)]
    model_path: OsString,
    #[arg(long)]
    output_bundle: Option<OsString>,
    #[arg(long)]
    bundle: Option<OsString>,
    #[arg(long)]
    private_key: Option<OsString>,
    #[arg(long)]
    public_key: Option<OsString>,
    #[arg(long)]
    signing_cert: Option<OsString>,
    /// Leaf to root when signing, trusted when verifying
    #[arg(long)]
    cert_chain: Vec<OsString>,
    #[arg(long)]
    identity_token: Option<OsString>,
    #[arg(long)]
    identity: Option<OsString>,
    #[arg(long)]
    identity_provider: Option<OsString>,
    #[arg(long)]
    use_staging: bool,
    #[arg(long)]
    ignore_paths: Vec<OsString>,
    #[arg(long)]
    ignore_unsigned_files: bool,
}

#[derive(Args)]
struct Benchmark {
    #[command(flatten)]
    request: Request,
    #[arg(long)]
    operation: Operation,
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    #[arg(long, default_value = "")]
    hash_algorithm: String,
    /// Bytes; 0 for whole files
    #[arg(long, default_value_t = 0)]
    shard_size: u64,
    /// 0 for the default
    #[arg(long, default_value_t = 0)]
    max_workers: usize,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Operation {
    Sign,
    Verify,
    Hash,
}

/// The methods of the protocol.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Method {
    Key,
    Certificate,
    Sigstore,
}

fn main() -> ExitCode {
    let outcome = match Adapter::parse().command {
        Command::SignModel(request) => request.words(Operation::Sign).and_then(run),
        Command::VerifyModel(request) => request.words(Operation::Verify).and_then(run),
        Command::Capabilities => {
            println!(
                "{}",
                serde_json::json!({
                    "flags": ["--hash-algorithm", "--shard-size", "--max-workers"],
                    "hash_algorithms": ["sha256", "blake2b", "blake3"],
                    "benchmark_model": true,
                    "client_version": env!("CARGO_PKG_VERSION"),
                })
            );
            Ok(())
        }
        Command::BenchmarkModel(benchmark) => benchmark.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Certificate => "certificate",
            Self::Sigstore => "sigstore",
        }
    }
}

type Failed = (u8, String);

fn run(words: Vec<OsString>) -> Result<(), Failed> {
    model_signing_cli::execute(words)
}

impl Request {
    /// The same request in the words of `model-signing`.
    fn words(&self, operation: Operation) -> Result<Vec<OsString>, Failed> {
        let mut words = Words(vec!["model-signing".into()]);
        match operation {
            Operation::Sign => {
                words.push("sign").push(self.method.name());
                if self.method == Method::Sigstore {
                    words.required("--identity-token", "--identity-token", self.identity_token.as_ref())?;
                } else {
                    words.required("--private-key", "--private-key", self.private_key.as_ref())?;
                }
                if self.method == Method::Certificate {
                    words.required("--signing-certificate", "--signing-cert", self.signing_cert.as_ref())?;
                }
                words.required("--signature", "--output-bundle", self.output_bundle.as_ref())?;
            }
            Operation::Verify => {
                words.push("verify").push(self.method.name());
                if self.method == Method::Key {
                    words.required("--public-key", "--public-key", self.public_key.as_ref())?;
                }
                if self.method == Method::Sigstore {
                    words.required("--identity", "--identity", self.identity.as_ref())?;
                    words.required("--identity-provider", "--identity-provider", self.identity_provider.as_ref())?;
                }
                words.required("--signature", "--bundle", self.bundle.as_ref())?;
                if self.ignore_unsigned_files {
                    words.push("--ignore-unsigned-files");
                }
            }
            Operation::Hash => {
                words.push("digest");
            }
        }
        if self.method == Method::Certificate && operation != Operation::Hash {
            for path in &self.cert_chain {
                words.push("--certificate-chain").push(path);
            }
        }
        if self.method == Method::Sigstore && self.use_staging && operation != Operation::Hash {
            words.push("--use-staging");
        }
        for path in &self.ignore_paths {
            words.push("--ignore-paths").push(path);
        }
        words.push(&self.model_path);
        Ok(words.0)
    }
}

impl Benchmark {
    fn run(&self) -> Result<(), Failed> {
        let mut words = Words(self.request.words(self.operation)?);
        if self.max_workers > 0 {
            words.push("--jobs").push(self.max_workers.to_string());
        }
        if self.operation != Operation::Verify {
            if !self.hash_algorithm.is_empty() {
                words.push("--hash").push(&self.hash_algorithm);
            }
            if self.shard_size > 0 {
                words.push("--shard-size").push(self.shard_size.to_string());
            }
        }
        // Once untimed, so that every timed run finds the page cache alike.
        run(words.0.clone())?;
        let mut times_ms = Vec::with_capacity(self.repeat);
        for _ in 0..self.repeat {
            let started = Instant::now();
            run(words.0.clone())?;
            times_ms.push((started.elapsed().as_secs_f64() * 1e6).round() / 1e3);
        }
        println!("{}", serde_json::json!({ "times_ms": times_ms }));
        Ok(())
    }
}

/// A command line in the making.
struct Words(Vec<OsString>);

impl Words {
    fn push(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    fn required(&mut self, flag: &str, given_as: &str, value: Option<&OsString>) -> Result<(), Failed> {
        let value = value.ok_or_else(|| (2, format!("{given_as} is required here")))?;
        self.push(flag).push(value);
        Ok(())
    }
}
