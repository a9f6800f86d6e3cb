//! The session records of others whose signatures were verified. Nothing is sealed to a record that its owner did not sign for
//! this server, nor to one that is older than a record of the same person that was used before: its private half may be known
//! by then. And nothing is shown of a person who has not signed their name: the server could list another one with their key.

use std::collections::HashMap;

use common::{
    crypto::{KeyId, SessionRecord},
    limits::MAX_PEOPLE,
    message::Person,
    name::Name,
};

/// People whose newest record is remembered: more than can be online.
const MAX_REMEMBERED: usize = 2 * MAX_PEOPLE;

/// The newest record of each person that was verified.
pub(super) struct VerifiedSessions {
    certificate_hash: [u8; 32],
    /// With the name that each was verified for.
    newest: HashMap<KeyId, (Name, SessionRecord)>,
}

/// Why nothing can be sealed to a person's session key, as a sentence for the window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// The record is not signed by the person's key, or not for this name and server.
    #[error(
        "Not sent: the server lists a session key for {0} that {0} has not signed. Tell the person who runs the server."
    )]
    Unsigned(Name),
    /// The record is not as new as one that was used before.
    #[error(
        "Not sent: the server lists a session key for {0} that was replaced before. Tell the person who runs the server."
    )]
    Replaced(Name),
}

impl VerifiedSessions {
    /// For a server with this certificate (its SHA-256; zeros on a plaintext connection).
    pub(super) fn new(certificate_hash: [u8; 32]) -> Self {
        Self { certificate_hash, newest: HashMap::new() }
    }

    /// The session record of a person, once it is verified. Each is verified once.
    pub(super) fn verified<'a>(&mut self, person: &'a Person) -> Result<&'a SessionRecord, Unusable> {
        let (key, record) = (person.public_key.id(), &person.session);
        match self.newest.get(&key) {
            Some((name, newest)) if newest == record && *name == person.name => return Ok(record),
            Some((_, newest)) if newest != record && !record.replaces(newest) => {
                return Err(Unusable::Replaced(person.name.clone()));
            }
            _ => {}
        }
        if !record.verify(&person.public_key, &person.name, &self.certificate_hash) {
            return Err(Unusable::Unsigned(person.name.clone()));
        }
        if self.newest.len() >= MAX_REMEMBERED {
            // Only with thousands of people who came and went; the records of those who are here are verified again.
            self.newest.clear();
        }
        self.newest.insert(key, (person.name.clone(), record.clone()));
        Ok(record)
    }

    /// Whether the owner of this person's key has signed that they go by this name on this server, in a record of any age.
    pub(super) fn is_named_by_owner(&mut self, person: &Person) -> bool {
        match self.verified(person) {
            Ok(_) => true,
            Err(Unusable::Unsigned(_)) => false,
            Err(Unusable::Replaced(_)) => {
                person.session.verify(&person.public_key, &person.name, &self.certificate_hash)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::{Identity, test_keys};

    use super::*;

    fn bob(signer: &Identity, created_unix_millis: u64, certificate_hash: [u8; 32]) -> Person {
        let (name, key) = (Name::parse("bob").unwrap(), test_keys::session_keys());
        let public_key = key.current().public_key();
        let session = SessionRecord::sign(public_key, created_unix_millis, signer, &name, &certificate_hash);
        Person { name, public_key: test_keys::bob().public_key().clone(), session, since_unix_secs: 0 }
    }

    #[test]
    fn a_record_is_used_if_its_owner_signed_it_for_this_server_and_until_there_is_a_later_one() {
        let (key, here, elsewhere) = (test_keys::bob(), [3; 32], [4; 32]);
        let (old, new) = (bob(&key, 1, here), bob(&key, 2, here));
        let mut verified = VerifiedSessions::new(here);
        for person in [&old, &old, &new] {
            assert_eq!(verified.verified(person), Ok(&person.session));
        }
        let name = old.name.clone();
        assert_eq!(verified.verified(&old), Err(Unusable::Replaced(name.clone())));
        assert!(verified.is_named_by_owner(&old) && verified.is_named_by_owner(&new));
        let renamed = |person: &Person| Person { name: Name::parse("mallory").unwrap(), ..person.clone() };
        assert!(!verified.is_named_by_owner(&renamed(&old)) && !verified.is_named_by_owner(&renamed(&new)));
        let unsigned = Unusable::Unsigned(Name::parse("mallory").unwrap());
        assert_eq!(verified.verified(&renamed(&new)), Err(unsigned), "though it was verified for another name");
        for forged in [bob(&key, 3, elsewhere), bob(&test_keys::eve(), 3, here)] {
            assert!(verified.verified(&forged).is_err());
            assert_eq!(VerifiedSessions::new(here).verified(&forged), Err(Unusable::Unsigned(name.clone())));
        }
        assert_eq!(verified.verified(&new), Ok(&new.session), "forged ones change nothing");
    }
}
