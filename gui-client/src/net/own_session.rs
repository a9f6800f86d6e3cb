//! What this client holds for one connection beside its socket: the key pair, the session keys, and the sequence numbers.

use std::{sync::Arc, time::Instant};

use common::{
    crypto::{Identity, SessionKeys, SessionRecord},
    name::Name,
};

use super::own_numbers::OwnNumbers;

/// The keys of one connection. Time is passed in.
pub(super) struct OwnSession {
    identity: Arc<Identity>,
    name: Name,
    /// SHA-256 of the server's certificate; zeros on a plaintext connection.
    certificate_hash: [u8; 32],
    numbers: OwnNumbers,
    keys: SessionKeys,
    last_created_unix_millis: u64,
}

impl OwnSession {
    /// With a fresh session key, to be published with [`Self::record`].
    pub(super) fn begin(
        identity: Arc<Identity>,
        name: Name,
        certificate_hash: [u8; 32],
        numbers: OwnNumbers,
        now: Instant,
    ) -> Self {
        Self::with_keys(identity, name, certificate_hash, numbers, SessionKeys::new(now))
    }

    /// The same, with these session keys.
    pub(super) fn with_keys(
        identity: Arc<Identity>,
        name: Name,
        certificate_hash: [u8; 32],
        numbers: OwnNumbers,
        keys: SessionKeys,
    ) -> Self {
        Self { identity, name, certificate_hash, numbers, keys, last_created_unix_millis: 0 }
    }

    /// Signs a record of the current session key, which takes milliseconds. Others refuse a record that is not later than the
    /// one before, so the time grows like the sequence numbers, also when the clock is set back.
    pub(super) fn record(&mut self, unix_micros: u64) -> SessionRecord {
        let unix_millis = self.numbers.next(unix_micros) / 1000;
        let created_unix_millis = unix_millis.max(self.last_created_unix_millis + 1);
        self.last_created_unix_millis = created_unix_millis;
        let public_key = self.keys.current().public_key();
        SessionRecord::sign(public_key, created_unix_millis, &self.identity, &self.name, &self.certificate_hash)
    }

    /// Wipes and renews the session keys whose time is over. Returns the record of a new one, to be published.
    pub(super) fn renewed(&mut self, now: Instant, unix_micros: u64) -> Option<SessionRecord> {
        self.keys.wipe_and_renew(now).then(|| self.record(unix_micros))
    }

    /// When [`Self::renewed`] has something to do.
    pub(super) fn next_deadline(&self) -> Instant {
        self.keys.next_deadline()
    }

    /// SHA-256 of the server's certificate; zeros on a plaintext connection.
    pub(super) fn certificate_hash(&self) -> [u8; 32] {
        self.certificate_hash
    }

    /// The session keys of this client.
    pub(super) fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    /// The key pair of this client.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The sequence number of the next envelope.
    pub(super) fn next_number(&mut self, unix_micros: u64) -> u64 {
        self.numbers.next(unix_micros)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::crypto::{RENEW_AFTER, test_keys};

    use super::*;

    const NOON: u64 = 1_779_364_800_000_000;

    fn begin(folder: &tempfile::TempDir) -> OwnSession {
        std::fs::create_dir_all(folder.path().join("identities")).unwrap();
        let name = Name::parse("ada").unwrap();
        let numbers = OwnNumbers::open(folder.path(), &name);
        OwnSession::begin(Arc::new(test_keys::ada()), name, [7; 32], numbers, Instant::now())
    }

    #[test]
    fn each_record_is_of_a_new_key_signed_and_later_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = begin(&folder);
        let first = session.record(NOON);
        let start = Instant::now();
        assert_eq!(session.renewed(start + Duration::from_secs(1), NOON), None);
        assert!(session.next_deadline() <= start + RENEW_AFTER);
        let second = session.renewed(start + RENEW_AFTER, NOON - 5_000_000).unwrap();
        let third = begin(&folder).record(NOON - 60_000_000);
        assert!(second.replaces(&first) && third.replaces(&second));
        assert!(first.id() != second.id() && second.id() != third.id());
        let ada = test_keys::ada().public_key().clone();
        let name = Name::parse("ada").unwrap();
        assert!([first, second, third].iter().all(|record| record.verify(&ada, &name, &[7; 32])));
    }
}
