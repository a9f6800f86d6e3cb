//! The session keys of this client: the current pair, and those before it until letters to them have arrived.
//!
//! A private half exists in memory only, for at most [`RENEW_AFTER`] and [`KEEP_AFTER_RENEWAL`] together. So a thief of
//! the RSA key cannot read what was sent earlier, and a thief of the memory only what the keys in it were used for.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use hpke::{Deserializable, Kem, Serializable, kem::XWing};
use rand::{RngExt, rng};
use zeroize::Zeroizing;

use super::session_record::{SESSION_PUBLIC_KEY_BYTES, SessionId};

/// A pair of this age gets a successor.
pub const RENEW_AFTER: Duration = Duration::from_secs(10 * 60);

/// A pair is kept this long after it got a successor, for letters that were on their way.
pub const KEEP_AFTER_RENEWAL: Duration = Duration::from_secs(2 * 60);

/// The most pairs that are kept beside the current one: a server that cuts the connection again and again makes the
/// client renew its key at every join.
const MAX_RETIRED: usize = 4;

/// A session key pair (X-Wing). It has no `Debug`, and the private half is zeroed when dropped.
pub struct SessionKey {
    id: SessionId,
    public_key: Box<[u8; SESSION_PUBLIC_KEY_BYTES]>,
    /// In a box, so that moving the pair leaves no copy behind.
    private_key: Box<<XWing as Kem>::PrivateKey>,
}

impl SessionKey {
    /// Makes a new pair. Takes less than a millisecond.
    pub fn generate() -> Self {
        let seed = Zeroizing::new(rng().random::<[u8; 32]>());
        Self::from_seed(&seed)
    }

    /// The pair of a private key, which is what the X-Wing draft calls the decapsulation key: 32 bytes.
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        let private_key = Box::new(<XWing as Kem>::PrivateKey::from_bytes(seed).expect("any 32 bytes are a key"));
        let mut public_key = Box::new([0; SESSION_PUBLIC_KEY_BYTES]);
        XWing::sk_to_pk(&private_key).write_exact(public_key.as_mut_slice());
        Self { id: SessionId::of(public_key.as_slice()), public_key, private_key }
    }

    /// Which session key this is.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The public half, for a [`SessionRecord`](super::SessionRecord).
    pub fn public_key(&self) -> &[u8; SESSION_PUBLIC_KEY_BYTES] {
        &self.public_key
    }

    pub(super) fn private_key(&self) -> &<XWing as Kem>::PrivateKey {
        &self.private_key
    }
}

/// The session keys of this client. Time is passed in; it must not run backwards.
///
/// The owner must call [`Self::wipe_and_renew`] when [`Self::next_deadline`] is reached, and publish a record of the
/// current key whenever it changes.
pub struct SessionKeys {
    current: SessionKey,
    made_at: Instant,
    /// Pairs with a successor and when they are wiped, oldest first.
    retired: VecDeque<(SessionKey, Instant)>,
}

impl SessionKeys {
    /// Makes the first pair, to be published now.
    pub fn new(now: Instant) -> Self {
        Self { current: SessionKey::generate(), made_at: now, retired: VecDeque::new() }
    }

    /// Starts with a pair that is known, for tests.
    #[cfg(feature = "test-keys")]
    pub(super) fn from_seed(seed: &[u8; 32], now: Instant) -> Self {
        Self { current: SessionKey::from_seed(seed), made_at: now, retired: VecDeque::new() }
    }

    /// What a thief finds who reads the memory now.
    #[cfg(test)]
    pub(super) fn stolen(&self) -> Vec<SessionKey> {
        let copy = |key: &SessionKey| SessionKey::from_seed(&key.private_key.to_bytes().into());
        std::iter::once(&self.current).chain(self.retired.iter().map(|(key, _)| key)).map(copy).collect()
    }

    /// The pair to publish. Its age counts from when it was made.
    pub fn current(&self) -> &SessionKey {
        &self.current
    }

    /// The pair that a letter is sealed to; `None` when it is unknown or was wiped.
    pub fn get(&self, id: SessionId) -> Option<&SessionKey> {
        let retired = self.retired.iter().map(|(key, _)| key);
        std::iter::once(&self.current).chain(retired).find(|key| key.id == id)
    }

    /// Wipes the pairs whose time is over, and replaces the current one when it is old. Returns whether there is a new
    /// current pair, whose record is to be published now.
    pub fn wipe_and_renew(&mut self, now: Instant) -> bool {
        self.retired.retain(|(_, wipe_at)| now < *wipe_at);
        if now < self.made_at + RENEW_AFTER {
            return false;
        }
        let is_still_useful = now < self.made_at + RENEW_AFTER + KEEP_AFTER_RENEWAL;
        self.renew(now);
        if !is_still_useful {
            // The computer slept, or the caller did: the last pair is over its whole time already.
            self.retired.pop_back();
        }
        true
    }

    /// Replaces the current pair now: at the start of every connection, and after the memory may have been read.
    pub fn renew(&mut self, now: Instant) {
        let old = std::mem::replace(&mut self.current, SessionKey::generate());
        let wipe_at = (now + KEEP_AFTER_RENEWAL).min(self.made_at + RENEW_AFTER + KEEP_AFTER_RENEWAL);
        self.made_at = now;
        self.retired.push_back((old, wipe_at));
        if self.retired.len() > MAX_RETIRED {
            self.retired.pop_front();
        }
    }

    /// When [`Self::wipe_and_renew`] has something to do next.
    pub fn next_deadline(&self) -> Instant {
        let renewal = self.made_at + RENEW_AFTER;
        self.retired.iter().map(|(_, wipe_at)| *wipe_at).fold(renewal, Instant::min)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_pair_is_renewed_after_ten_minutes_and_wiped_two_minutes_later() {
        let start = Instant::now();
        let mut keys = SessionKeys::new(start);
        let first = keys.current().id();
        assert!(!keys.wipe_and_renew(start + RENEW_AFTER.saturating_sub(MILLISECOND)));
        assert!(keys.wipe_and_renew(start + RENEW_AFTER));
        let second = keys.current().id();
        assert_ne!(second, first);
        assert!(!keys.wipe_and_renew(start + RENEW_AFTER + KEEP_AFTER_RENEWAL.saturating_sub(MILLISECOND)));
        assert!(keys.get(first).is_some(), "letters on their way can still be opened");
        assert!(!keys.wipe_and_renew(start + RENEW_AFTER + KEEP_AFTER_RENEWAL));
        assert!(keys.get(first).is_none());
        assert!(keys.get(second).is_some());
    }

    #[test]
    fn after_a_sleep_no_old_pair_is_left() {
        let start = Instant::now();
        let mut keys = SessionKeys::new(start);
        let first = keys.current().id();
        assert!(keys.wipe_and_renew(start + Duration::from_secs(8 * 3600)));
        assert!(keys.get(first).is_none());
    }

    #[test]
    fn renewals_in_a_row_keep_few_pairs() {
        let start = Instant::now();
        let mut keys = SessionKeys::new(start);
        let first = keys.current().id();
        for _ in 0..=MAX_RETIRED {
            assert!(keys.get(first).is_some());
            keys.renew(start);
        }
        assert!(keys.get(first).is_none());
        assert_eq!(keys.retired.len(), MAX_RETIRED);
    }

    #[test]
    fn the_public_half_of_a_seed_is_that_of_the_x_wing_draft() {
        // draft-connolly-cfrg-xwing-kem, appendix C: the first and last bytes of the first vector's key.
        let seed = [
            0x7f, 0x9c, 0x2b, 0xa4, 0xe8, 0x8f, 0x82, 0x7d, 0x61, 0x60, 0x45, 0x50, 0x76, 0x05, 0x85, 0x3e, 0xd7, 0x3b,
            0x80, 0x93, 0xf6, 0xef, 0xbc, 0x88, 0xeb, 0x1a, 0x6e, 0xac, 0xfa, 0x66, 0xef, 0x26,
        ];
        let public_key = *SessionKey::from_seed(&seed).public_key();
        assert_eq!(public_key[..8], [0xe2, 0x23, 0x6b, 0x35, 0xa8, 0xc2, 0x4b, 0x39]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// A caller that keeps the deadlines, and now and then comes late or starts a connection.
        #[test]
        fn no_pair_outlives_its_time(steps in prop::collection::vec((0u64..200, any::<bool>()), 1..30)) {
            let start = Instant::now();
            let mut now = start;
            let mut keys = SessionKeys::new(now);
            let mut made = vec![(keys.current().id(), now)];
            for (late_secs, is_new_connection) in steps {
                let late = Duration::from_secs(late_secs);
                let deadline = keys.next_deadline();
                prop_assert!(deadline > now, "a deadline that is over would make the caller spin");
                now = if is_new_connection { now + late } else { deadline + late };
                let before = keys.current().id();
                let is_renewed = keys.wipe_and_renew(now);
                prop_assert_eq!(is_renewed, keys.current().id() != before);
                if is_new_connection {
                    keys.renew(now);
                }
                if keys.current().id() != before {
                    made.push((keys.current().id(), now));
                }
                for (id, made_at) in &made {
                    prop_assert!(keys.get(*id).is_none() || now < *made_at + RENEW_AFTER + KEEP_AFTER_RENEWAL);
                }
                prop_assert!(now < keys.made_at + RENEW_AFTER);
            }
        }
    }
}
