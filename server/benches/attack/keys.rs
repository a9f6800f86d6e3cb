//! Key pairs for everyone. Generating them takes half a minute, so they are kept in a file.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result};
use common::crypto::Identity;
use tokio::task::JoinSet;

/// Enough for everyone. Honest people take them from the front, attackers from the back.
#[derive(Clone)]
pub struct Keys(Arc<Vec<Identity>>);

/// Everyone who takes part.
const KEYS: usize = 256;
const FILE: &str = "keys.pem";
const END: &str = "-----END PRIVATE KEY-----\n";

impl Keys {
    /// Reads the keys from `folder`, or generates them and writes them there.
    pub async fn load_or_make(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if let Ok(text) = fs::read_to_string(&path) {
            let keys: Result<Vec<_>, _> = text.split_inclusive(END).map(Identity::from_pem).collect();
            return Ok(Self(Arc::new(keys.with_context(|| format!("{path:?} is damaged; delete it"))?)));
        }
        eprintln!("making {KEYS} keys …");
        let mut making = JoinSet::new();
        (0..KEYS).for_each(|_| drop(making.spawn_blocking(|| Identity::generate(2048))));
        let keys = making.join_all().await;
        fs::write(&path, keys.iter().map(|key| key.to_pem().to_string()).collect::<String>())?;
        Ok(Self(Arc::new(keys)))
    }

    /// The key of an honest person.
    pub fn honest(&self, number: usize) -> &Identity {
        &self.0[number]
    }

    /// The key of an attacker.
    pub fn attacker(&self, number: usize) -> &Identity {
        &self.0[self.0.len() - 1 - number]
    }
}
