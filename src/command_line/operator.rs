//! `operator add`, `operator remove`, `operator list`

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Failure, load, print, random, tell};
use crate::console::password;
use crate::records::{Operator, OperatorName, Records, RecordsError};
use crate::server::store;
use crate::token::UnixSeconds;

#[derive(Subcommand)]
pub(super) enum OperatorCommand {
    /// Make an operator, or give one another password; prints it, once
    #[command(after_help = "\
Example:
  h5live-server operator add --config h5live.toml ada

The password is made here and kept as a hash only (argon2id), so it cannot be shown again. An operator
who is there gets another password, and whoever is logged in with the old one is logged out within ten
seconds. The server may run meanwhile; the console itself is switched on by [console] listen.")]
    Add(Named),
    /// Take an operator away; ends the logins within ten seconds
    Remove(Named),
    /// Print the operators, one a line, with the time of their passwords
    List(Listed),
}

#[derive(Args)]
pub(super) struct Named {
    /// The server's configuration, which says where the records are
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// 1 to 64 letters, digits, '.', '_', '-' and '@'
    #[arg(value_name = "NAME", value_parser = |text: &str| OperatorName::parse(text))]
    name: OperatorName,
}

#[derive(Args)]
pub(super) struct Listed {
    /// The server's configuration, which says where the records are
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(command: &OperatorCommand, now: UnixSeconds) -> Result<(), Failure> {
    match command {
        OperatorCommand::Add(named) => add(named, now),
        OperatorCommand::Remove(named) => remove(named),
        OperatorCommand::List(listed) => list(listed),
    }
}

fn add(named: &Named, now: UnixSeconds) -> Result<(), Failure> {
    let password = password::of_random(random()?);
    let operator = Operator {
        name: named.name.clone(),
        password: password::hash(&password, random()?)?,
        created: now,
    };
    let replaced = with_records(&named.config, async |records| {
        records.put_operator(&operator).await
    })?;
    print(&format!("operator: {}", named.name))?;
    print(&format!("password: {password}"))?;
    if replaced {
        tell("The operator existed: the old password is good no longer.");
    }
    tell("Keep the password: it cannot be shown again.");
    Ok(())
}

fn remove(named: &Named) -> Result<(), Failure> {
    let removed = with_records(&named.config, async |records| {
        records.remove_operator(&named.name).await
    })?;
    match removed {
        true => print(&format!("removed: {}", named.name)),
        false => Err(Failure(format!(
            "there is no operator {}; `operator list` shows all",
            named.name
        ))),
    }
}

fn list(listed: &Listed) -> Result<(), Failure> {
    let operators = with_records(&listed.config, async |records| records.operators().await)?;
    for operator in operators {
        let since = std::time::UNIX_EPOCH + std::time::Duration::from_secs(operator.created.0);
        let since = humantime::format_rfc3339_seconds(since);
        print(&format!("{} {since}", operator.name))?;
    }
    Ok(())
}

fn with_records<T>(
    config: &std::path::Path,
    work: impl AsyncFnOnce(&Arc<dyn Records>) -> Result<T, RecordsError>,
) -> Result<T, Failure> {
    let config = load(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let records = store::open(&config, 1).await?;
        let outcome = work(&records).await;
        records.close().await;
        Ok(outcome?)
    })
}
