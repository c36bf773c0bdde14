//! Opens the records that a configuration names, with the master key that it or the environment gives.

use std::sync::Arc;

use crate::config::Config;
use crate::records::{MASTER_KEY, OpenError, Records, StoreSettings, master_key};

/// Opens the records with so many connections. Warns where signing keys are kept unsealed.
pub(crate) async fn open(config: &Config, connections: u32) -> Result<Arc<dyn Records>, OpenError> {
    let master_key = master_key(config.master_key_file.as_deref())?;
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
        only_reads: false,
    };
    config.records.open(&settings).await
}
