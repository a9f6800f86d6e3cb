//! The hub: one owner of who is online, and the broadcast to all of them.
//!
//! Of videos it knows only the list that it is given to pass on. Every method takes the lock once, never across an `.await`, and encodes what it says once
//! for all. Because joining, leaving and relaying go through the same lock, all clients see them in the same order.

pub mod directory;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use common::{
    codec::encode_server,
    crypto::Envelope,
    media::Library,
    message::{Blob, LeaveReason, Person, ServerMessage},
    name::Name,
};

use self::directory::{Directory, EnterError};
use crate::outbox::Outbox;

/// Handle of the hub. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    library: Library,
    directory: Directory,
    outboxes: BTreeMap<Name, Outbox>,
}

impl Hub {
    /// Has everybody know what can be watched: those online now, and newcomers with their welcome. Because both go
    /// through the same lock, nobody is left with an older list.
    pub fn offer(&self, library: Library) {
        let mut state = self.state();
        state.library = library.clone();
        state.broadcast(&ServerMessage::LibraryChanged { library });
    }

    /// Enters a person: they get `Welcome` as their first message, the others `Joined`.
    pub fn join(&self, person: Person, outbox: Outbox) -> Result<(), EnterError> {
        let mut state = self.state();
        state.directory.enter(person.clone())?;
        let revision = state.directory.revision();
        let people = state.directory.people();
        outbox.push_control(encode_server(&ServerMessage::Welcome {
            name: person.name.clone(),
            revision,
            people,
            library: state.library.clone(),
        }));
        state.broadcast(&ServerMessage::Joined { revision, person: person.clone() });
        state.outboxes.insert(person.name, outbox);
        Ok(())
    }

    /// Removes a person and tells the others.
    pub fn leave(&self, name: &Name, reason: LeaveReason) {
        let mut state = self.state();
        state.outboxes.remove(name);
        if state.directory.remove(name) {
            let revision = state.directory.revision();
            state.broadcast(&ServerMessage::Left { revision, name: name.clone(), reason });
        }
    }

    /// Gives an envelope to everybody online, its sender included. Returns how many that are.
    pub fn relay(&self, envelope: &Envelope) -> usize {
        let state = self.state();
        state.broadcast(&ServerMessage::Relayed { envelope: Blob(envelope.as_bytes().to_vec()) });
        state.outboxes.len()
    }

    /// Sends the whole dictionary to one client, in its place among the changes.
    pub fn send_directory(&self, outbox: &Outbox) {
        let state = self.state();
        let (revision, people) = (state.directory.revision(), state.directory.people());
        outbox.push_control(encode_server(&ServerMessage::Directory { revision, people }));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn broadcast(&self, message: &ServerMessage) {
        let frame: Bytes = encode_server(message);
        for outbox in self.outboxes.values() {
            outbox.push_control(frame.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use common::{codec::decode_server, crypto::test_keys, media::SkippedFile};

    use super::*;

    fn library(name: &str) -> Library {
        let file = SkippedFile { file_name: name.to_owned(), reason: String::new() };
        Library { videos: Vec::new(), skipped: vec![file] }
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_library_of_the_moment_and_every_later_one() {
        let (hub, outbox) = (Hub::default(), Outbox::default());
        hub.offer(library("before"));
        hub.offer(library("now"));
        let person = Person { name: Name::parse("ada").unwrap(), public_key: test_keys::ada().public_key().clone() };
        hub.join(person, outbox.clone()).unwrap();
        hub.offer(library("later"));
        let mut heard = Vec::new();
        for _ in 0..2 {
            let [frame, _] = outbox.next().await.unwrap();
            match decode_server(&frame[4..]).unwrap() {
                ServerMessage::Welcome { library, .. } => heard.push(("welcome", library)),
                ServerMessage::LibraryChanged { library } => heard.push(("change", library)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, [("welcome", library("now")), ("change", library("later"))]);
    }
}
