//! Checks the proofs of those who join, off the threads that serve connections.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use common::{
    crypto::PublicKey,
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
}

impl JoinRequest {
    /// Parses the key and verifies the signature: up to half a millisecond of CPU time.
    pub(super) fn verify(self) -> Result<Person, Refusal> {
        let key = PublicKey::from_der(&self.public_key_der.0).map_err(|error| Refusal::bad_key(&error))?;
        if !key.verify(&self.transcript.0, &self.proof.0) {
            return Err(Refusal::bad_proof());
        }
        Ok(Person { name: self.name, public_key: key })
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
    /// Verifies a request in its turn. `None` when its turn does not come by `deadline`.
    pub(super) async fn verify(&self, request: JoinRequest, deadline: Instant) -> Option<Result<Person, Refusal>> {
        let permit = timeout_at(deadline, self.0.clone().acquire_owned()).await.ok()?;
        let permit = permit.expect("the semaphore is never closed");
        let verified = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            request.verify()
        });
        Some(verified.await.expect("verifying does not panic"))
    }
}
