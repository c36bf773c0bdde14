//! `h5live-server`'s command line.
//!
//! What a script reads goes to standard output, what a person is told to standard error. A failure is
//! one sentence and exit code 1; a command line that cannot be read has exit code 2.

mod account;
mod mint;
mod operator;
mod secret_file;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Config, Transport};
use crate::records::MasterKey;
use crate::token::UnixSeconds;

#[derive(Parser)]
#[command(
    name = "h5live-server",
    version,
    about = "Plays RTMP streams in browsers, with less than a second of delay and only to those who hold a token",
    after_help = "\
From nothing to a playing stream (examples/h5live.toml explains every key):
  h5live-server check-config h5live.toml
  h5live-server account add --config h5live.toml --orga ABCDE
  h5live-server serve --config h5live.toml

Then register the stream's secret and mint a token by the API, with the key that `account add` printed:
  curl -X POST http://127.0.0.1:8180/secure/stream -H 'Content-Type: application/json' \\
       -H 'X-BINTU-APIKEY: h5l_…' -d '{\"streamname\": \"ABCDE-demo\", \"secret\": \"at least 16 bytes\"}'
  curl -X POST http://127.0.0.1:8180/secure/token -H 'Content-Type: application/json' \\
       -H 'X-BINTU-APIKEY: h5l_…' -d '{\"streamname\": \"ABCDE-demo\", \"tag\": \"viewer 1\"}'

`h5live-server help COMMAND` has more on each, with examples."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C
    #[command(after_help = "\
Example:
  h5live-server serve --config h5live.toml

It logs to standard error; H5LIVE_LOG=debug, or H5LIVE_LOG=h5live::http=debug, makes it say more. No
token, secret or API key is ever logged.")]
    Serve {
        /// The configuration (TOML); examples/h5live.toml shows every key
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Manage the accounts that may use the API
    #[command(subcommand, arg_required_else_help = true)]
    Account(AccountCommand),
    /// Manage the operators who may use the console
    #[command(subcommand, arg_required_else_help = true)]
    Operator(operator::OperatorCommand),
    /// Make a token from a secret, without a server
    Mint(mint::Mint),
    /// Print a new master key, to seal the records' signing keys with
    #[command(after_help = "\
Example:
  (umask 077; h5live-server master-key > h5live.master)

Then set server.master-key-file = \"h5live.master\", or H5LIVE_MASTER_KEY to what was printed. Keys that
are there are sealed when the server starts; without this master key nothing opens them again, so keep
a copy in another place than the records'. `openssl rand -base64 32` makes one as well.")]
    MasterKey,
    /// Print the OpenAPI 3.1 document of the server's HTTP interface
    #[command(after_help = "\
Example:
  h5live-server openapi > openapi.json

A running server has the same at GET /secure/openapi.json.")]
    Openapi,
    /// Print the completions of a shell
    #[command(after_help = "\
Example:
  h5live-server completions bash > /etc/bash_completion.d/h5live-server")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    #[command(after_help = "\
Example:
  h5live-server man . && man ./h5live-server.1")]
    Man {
        /// The directory, which must be there
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
    },
    /// Read a configuration, say what it comes to or what is wrong, and start nothing
    #[command(after_help = "\
Example:
  h5live-server check-config h5live.toml")]
    CheckConfig {
        /// The configuration (TOML)
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum AccountCommand {
    /// Make an account for an organisation and print its API key, once
    Add(account::Add),
}

/// A failure as the person at the terminal is told it: one sentence.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs what the process's arguments say.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Serve { config } => serve(&config),
        Command::Account(AccountCommand::Add(add)) => account::add(&add, now()),
        Command::Operator(command) => operator::run(&command, now()),
        Command::Mint(mint) => mint::mint(&mint, now()),
        Command::MasterKey => random().and_then(|key| print(&MasterKey::of_random(key).reveal())),
        Command::Openapi => print(crate::openapi::text().trim_end()),
        Command::Completions { shell } => completions(shell),
        Command::Man { directory } => man(&directory),
        Command::CheckConfig { file } => check_config(&file),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            tell(format_args!("error: {sentence}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(config: &std::path::Path) -> Result<(), Failure> {
    let config = load(config)?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("H5LIVE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    if log.try_init().is_err() {
        tell("warning: something logs already; its settings hold");
    }
    Ok(crate::server::run(config)?)
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(
        shell,
        &mut CommandLine::command(),
        "h5live-server",
        &mut text,
    );
    print(String::from_utf8_lossy(&text).trim_end())
}

fn man(directory: &std::path::Path) -> Result<(), Failure> {
    clap_mangen::generate_to(CommandLine::command(), directory).map_err(|error| {
        Failure(format!(
            "the manual pages cannot be written into {} ({error}); name a directory that is there",
            directory.display()
        ))
    })
}

fn check_config(file: &std::path::Path) -> Result<(), Failure> {
    let config = load(file)?;
    let transport = match &config.transport {
        Transport::Plain => "plain HTTP".to_owned(),
        Transport::TlsFiles { certificate, .. } => format!("TLS with {}", certificate.display()),
        Transport::TlsSelfSigned => "TLS with a self-signed certificate".to_owned(),
    };
    print(&format!("listens on: {}, {transport}", config.listen))?;
    print(&format!("records: {}", config.records))?;
    if let Some(console) = &config.console {
        let transport = if console.tls { "TLS" } else { "plain HTTP" };
        print(&format!("console: {}, {transport}", console.listen))?;
    }
    for origin in &config.origins {
        print(&format!("origin {}: {}", origin.name, origin.url))?;
    }
    if let Some(embedded) = &config.embedded {
        print(&format!("origin embedded: {}", embedded.listen))?;
    } else if config.origins.is_empty() {
        tell(
            "warning: neither [[origins]] nor [origin.embedded] is configured, so nothing can be played",
        );
    }
    print("the configuration is fine")
}

fn load(file: &std::path::Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|error| match error {
        crate::config::ConfigError::Unreadable { .. } => error.into(),
        _ => Failure(format!("{}: {error}", file.display())),
    })
}

fn now() -> UnixSeconds {
    // A clock before 1970 is as good as one at 1970: whatever expires is in its future.
    UnixSeconds(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
    )
}

/// 32 bytes of the system's generator.
fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure(format!(
            "the system gives no random numbers ({error}); try again"
        ))
    })?;
    Ok(bytes)
}

/// A line for a script. A reader that has gone is an error, not a panic.
fn print(line: &str) -> Result<(), Failure> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}")
        .map_err(|error| Failure(format!("standard output: {error}")))
}

/// A line for a person; where nobody reads, nothing is lost.
fn tell(line: impl Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
