//! The hub: owns the list of clients that are online, and broadcasts to all of them.
//!
//! Of videos it knows only the list that it passes on. Every method takes the lock once, never across an `.await`, and
//! encodes each broadcast once for all clients. Joining, leaving and relaying go through the same lock, so all clients
//! see them in the same order.

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
use tracing::error;

use self::directory::{Directory, EnterError};
use crate::outbox::Outbox;

/// The entry of one client in the dictionary. Dropping it removes the client and tells the others, so that every way
/// out of a session, a panic included, leaves no entry behind.
#[must_use = "the client is removed as soon as its membership is dropped"]
pub struct Membership {
    hub: Hub,
    name: Name,
    /// What the others are told; `None` keeps it quiet.
    reason: Option<LeaveReason>,
}

impl Membership {
    /// Removes the client and tells the others why it left. Without this call they hear [`LeaveReason::Lost`].
    pub fn leave(mut self, reason: LeaveReason) {
        self.reason = Some(reason);
    }

    /// Removes the client without telling the others: when the server stops, every client hears `Goodbye` itself.
    pub fn leave_quietly(mut self) {
        self.reason = None;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("{} was disconnected because its session panicked. This is a fault of the server.", self.name);
        }
        self.hub.remove(&self.name, self.reason);
    }
}

/// Handle of the hub. Cheap to clone; all clones are the same hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    library: Library,
    directory: Directory,
    outboxes: BTreeMap<Name, Outbox>,
}

impl Hub {
    /// Sets the list of videos and sends it to all clients; newcomers get it in `Welcome`. Both go through the same lock, so
    /// no client is left with an older list.
    pub fn offer(&self, library: Library) {
        let mut state = self.state();
        state.library = library.clone();
        state.broadcast(&ServerMessage::LibraryChanged { library });
    }

    /// Enters a person in the dictionary. The newcomer gets `Welcome`, the others get `Joined`. The person stays online until
    /// the returned [`Membership`] is dropped.
    ///
    /// # Errors
    /// [`EnterError`] when the name or key is in use or the server is full.
    pub fn join(&self, person: Person, outbox: Outbox) -> Result<Membership, EnterError> {
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
        state.outboxes.insert(person.name.clone(), outbox);
        Ok(Membership { hub: self.clone(), name: person.name, reason: Some(LeaveReason::Lost) })
    }

    fn remove(&self, name: &Name, reason: Option<LeaveReason>) {
        let mut state = self.state();
        state.outboxes.remove(name);
        if state.directory.remove(name)
            && let Some(reason) = reason
        {
            let revision = state.directory.revision();
            state.broadcast(&ServerMessage::Left { revision, name: name.clone(), reason });
        }
    }

    /// Sends an envelope to all clients online, its sender included. Returns the number of clients.
    pub fn relay(&self, envelope: &Envelope) -> usize {
        let state = self.state();
        state.broadcast(&ServerMessage::Relayed { envelope: Blob(envelope.as_bytes().to_vec()) });
        state.outboxes.len()
    }

    /// Sends the whole dictionary to one client, in order with the changes that all clients receive.
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
    async fn a_newcomer_gets_the_current_library_and_every_later_one() {
        let (hub, outbox) = (Hub::default(), Outbox::default());
        hub.offer(library("before"));
        hub.offer(library("now"));
        let person = Person { name: Name::parse("ada").unwrap(), public_key: test_keys::ada().public_key().clone() };
        let _membership = hub.join(person, outbox.clone()).unwrap();
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
