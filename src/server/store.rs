//! Opens the records that a configuration names, with the master key that it or the environment gives.

use std::env;
use std::sync::Arc;

use crate::config::{Config, RecordsLocation};
use crate::records::{
    MasterKey, OpenError, Postgres, Records, Sqlite, StoreSettings, private_file,
};

/// The master key, where no file holds it.
const MASTER_KEY: &str = "H5LIVE_MASTER_KEY";

/// Opens the records with so many connections. Warns where signing keys are kept unsealed.
pub(crate) async fn open(config: &Config, connections: u32) -> Result<Arc<dyn Records>, OpenError> {
    let master_key = master_key(config)?;
    if master_key.is_none() {
        tracing::warn!(
            "NO MASTER KEY: signing keys are kept unsealed, and whoever can copy the records can make \
             tokens; give one by server.master-key-file or {MASTER_KEY} (h5live-server master-key makes it)"
        );
    }
    let settings = StoreSettings {
        connections,
        timeout: config.limits.records_timeout,
        master_key,
    };
    Ok(match &config.records {
        RecordsLocation::Sqlite(path) => Arc::new(Sqlite::open(path, &settings).await?),
        RecordsLocation::Postgres { url, password_file } => {
            let password = password_file.as_deref().map(private_file::read);
            let password = password.transpose()?;
            Arc::new(Postgres::open(url, password.as_deref(), &settings).await?)
        }
    })
}

fn master_key(config: &Config) -> Result<Option<MasterKey>, OpenError> {
    let (text, origin) = match (&config.master_key_file, env::var_os(MASTER_KEY)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(OpenError::TwoMasterKeys),
        (Some(path), None) => (private_file::read(path)?, path.display().to_string()),
        // What is not UTF-8 is no base64 either way.
        (None, Some(text)) => (text.to_string_lossy().into_owned(), MASTER_KEY.to_owned()),
    };
    text.parse()
        .map(Some)
        .map_err(|error| OpenError::MasterKey { origin, error })
}
