//! `account add`

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;

use super::{Failure, load, print, random, secret_file, tell};
use crate::records::{ApiKey, Created, NewAccount};
use crate::server::store;
use crate::token::{Orga, Secret, UnixSeconds};

#[derive(Args)]
#[command(
    next_line_help = true,
    after_help = "\
Example:
  h5live-server account add --config h5live.toml --orga ABCDE

The key goes into the header X-BINTU-APIKEY of requests to /secure/stream and /secure/token. It is kept
as a hash only, so it cannot be shown again; run the command once more for another key, and both are
good. An organisation gets a random secret of its own with its first account: tokens for all of its
streams are signed with it. To make such tokens without the server, have that secret written to a file:
  h5live-server account add --config h5live.toml --orga ABCDE --orga-secret-file abcde.secret
  h5live-server mint --orga ABCDE --secret-file abcde.secret --expires 1h

The server may run meanwhile."
)]
pub(super) struct Add {
    /// The server's configuration, which says where the records are
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The organisation: 1 to 32 letters and digits, what its stream names have before the first '-'
    #[arg(long, value_name = "HASH", value_parser = |text: &str| Orga::parse(text))]
    orga: Orga,
    /// Also write the new organisation's secret to this new file (mode 0600)
    #[arg(long, value_name = "FILE")]
    orga_secret_file: Option<PathBuf>,
}

pub(super) fn add(add: &Add, now: UnixSeconds) -> Result<(), Failure> {
    let config = load(&add.config)?;
    let api_key = ApiKey::of_random(random()?);
    let orga_secret = URL_SAFE_NO_PAD.encode(random()?);
    let account = NewAccount {
        orga: add.orga.clone(),
        api_key: api_key.hash(),
        orga_key: Secret::new(orga_secret.as_str())?.key(),
        created: now,
    };
    // Before the account: a secret that could not be written is lost for good.
    if let Some(file) = &add.orga_secret_file {
        secret_file::write(file, &orga_secret)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let created = runtime.block_on(async {
        let records = store::open(&config, 1).await?;
        let created = records.create_account(&account).await?;
        records.close().await;
        Ok::<_, Failure>(created)
    });
    // A file with a secret that signs nothing would mislead.
    if !matches!(created, Ok(Created::Organisation))
        && let Some(file) = &add.orga_secret_file
    {
        std::fs::remove_file(file)?;
    }
    let created = created?;
    print(&format!("orga: {}", add.orga))?;
    print(&format!("api-key: {}", api_key.reveal()))?;
    if created == Created::ApiKey {
        tell("The organisation existed: this is one more API key, and the earlier ones stay good.");
        if add.orga_secret_file.is_some() {
            tell("Its secret is not new, and not kept in the clear: no secret file was written.");
        }
    }
    tell("Keep the API key: it cannot be shown again.");
    Ok(())
}
