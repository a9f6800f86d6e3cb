//! Checks the signatures of those who join or have a new session key, off the threads that serve connections.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use common::{
    crypto::{PublicKey, SessionRecord},
    message::{Blob, Person},
    name::Name,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::notices::Refusal;

/// A `Join` whose name keeps the rules and whose parts have possible lengths; nothing is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The requested name.
    pub name: Name,
    /// The key, in DER, as the client sent it.
    pub public_key_der: Blob,
    /// What the key must have signed.
    pub transcript: Blob,
    /// The signature.
    pub proof: Blob,
    /// The first session record.
    pub session: SessionRecord,
    /// The certificate that the record must be for.
    pub certificate_hash: [u8; 32],
}

/// A `Renew` with a record that could replace the one before; its signature is not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewRequest {
    /// The client's name.
    pub name: Name,
    /// The client's key.
    pub public_key: PublicKey,
    /// The new record.
    pub session: SessionRecord,
    /// The certificate that the record must be for.
    pub certificate_hash: [u8; 32],
}

impl RenewRequest {
    /// Verifies the signature: up to a quarter of a millisecond of CPU time.
    pub(super) fn verify(self) -> Result<SessionRecord, Refusal> {
        let is_signed = self.session.verify(&self.public_key, &self.name, &self.certificate_hash);
        if is_signed { Ok(self.session) } else { Err(Refusal::unsigned_session()) }
    }
}

impl JoinRequest {
    /// Parses the key and verifies both signatures: up to three quarters of a millisecond of CPU time.
    pub(super) fn verify(self) -> Result<Person, Refusal> {
        let key = PublicKey::from_der(&self.public_key_der.0).map_err(|error| Refusal::bad_key(&error))?;
        if !key.verify(&self.transcript.0, &self.proof.0) {
            return Err(Refusal::bad_proof());
        }
        if !self.session.verify(&key, &self.name, &self.certificate_hash) {
            return Err(Refusal::unsigned_session());
        }
        // The hub says since when.
        Ok(Person { name: self.name, public_key: key, session: self.session, since_unix_secs: 0 })
    }
}

/// Lets about half of the processors work on proofs at a time, so that a flood of them leaves the rest to those who have
/// joined. Cheap to clone; all clones share the same processors.
#[derive(Debug, Clone)]
pub(super) struct ProofChecks(Arc<Semaphore>);

impl Default for ProofChecks {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }
}

impl ProofChecks {
    /// Runs a check in its turn. `None` when its turn does not come by `deadline`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        check: impl FnOnce() -> T + Send + 'static,
        deadline: Instant,
    ) -> Option<T> {
        let permit = timeout_at(deadline, self.0.clone().acquire_owned()).await.ok()?;
        let permit = permit.expect("the semaphore is never closed");
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            check()
        });
        Some(checked.await.expect("verifying does not panic"))
    }
}
