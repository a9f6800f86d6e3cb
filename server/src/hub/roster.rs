//! The clients that are online, with their outboxes, and the parts of messages that describe them all: encoded once per
//! change and shared by everyone who is sent them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::{
    codec::{encode_directory, encode_library, encode_library_changed, encode_people, encode_person, encode_welcome},
    media::Library,
    message::Person,
    name::Name,
};
use tokio::sync::Notify;

use super::relay_queue::{Laggard, MemberId};
use crate::outbox::{ControlFrame, Outbox, SendMemory, SharedBytes};

/// A client that is online.
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) outbox: Outbox,
    /// Its entry of the dictionary, encoded.
    entry: Bytes,
    /// Notified when it may be its turn to speak.
    pub(super) turn: Arc<Notify>,
}

/// The clients, and what is encoded of them.
pub(super) struct Roster {
    memory: SendMemory,
    members: BTreeMap<Name, Member>,
    last_id: u64,
    library: SharedBytes,
    /// The entries of all members; `None` after a change.
    people: Option<SharedBytes>,
    /// The answer to `AskDirectory`; `None` after a change.
    directory: Option<ControlFrame>,
}

/// The pieces of a `Welcome`, to be encoded without the lock.
pub(super) struct WelcomeParts {
    memory: SendMemory,
    name: Name,
    revision: u64,
    people: SharedBytes,
    library: SharedBytes,
}

impl WelcomeParts {
    pub(super) fn encode(self) -> ControlFrame {
        let [start, ..] = encode_welcome(self.name, self.revision, self.people.bytes(), self.library.bytes());
        ControlFrame::of_pieces([SharedBytes::new(&self.memory, start), self.people, self.library])
    }
}

impl Roster {
    pub(super) fn new(memory: SendMemory) -> Self {
        let library = SharedBytes::new(&memory, encode_library(&Library::default()));
        Self { memory, members: BTreeMap::new(), last_id: 0, library, people: None, directory: None }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Adds a client, whose outbox is corked until its `Welcome` is put into it. `revision` is that of the dictionary with
    /// this person in it.
    pub(super) fn add(
        &mut self,
        person: &Person,
        revision: u64,
        outbox: Outbox,
    ) -> (MemberId, Arc<Notify>, WelcomeParts) {
        self.last_id += 1;
        let (id, turn) = (MemberId(self.last_id), Arc::<Notify>::default());
        outbox.cork();
        let member = Member { id, outbox, entry: encode_person(person), turn: turn.clone() };
        self.members.insert(person.name.clone(), member);
        (self.people, self.directory) = (None, None);
        let parts = WelcomeParts {
            memory: self.memory.clone(),
            name: person.name.clone(),
            revision,
            people: self.people(),
            library: self.library.clone(),
        };
        (id, turn, parts)
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<Member> {
        (self.people, self.directory) = (None, None);
        self.members.remove(name)
    }

    /// The member with this number, and its name.
    pub(super) fn find(&self, id: MemberId) -> Option<(&Name, &Member)> {
        self.members.iter().find(|(_, member)| member.id == id)
    }

    /// Sets the library and returns the message that tells of it.
    pub(super) fn set_library(&mut self, library: &Library) -> ControlFrame {
        let encoded = encode_library(library);
        let [start, _] = encode_library_changed(encoded.clone());
        self.library = SharedBytes::new(&self.memory, encoded);
        ControlFrame::of_pieces([SharedBytes::new(&self.memory, start), self.library.clone()])
    }

    /// The answer to `AskDirectory`, the same bytes for all who ask.
    pub(super) fn directory(&mut self, revision: u64) -> ControlFrame {
        let (people, memory) = (self.people(), &self.memory);
        let frame = self.directory.get_or_insert_with(|| {
            let [start, _] = encode_directory(revision, people.bytes());
            ControlFrame::of_pieces([SharedBytes::new(memory, start), people])
        });
        frame.clone()
    }

    pub(super) fn broadcast(&self, frame: &ControlFrame) {
        for member in self.members.values() {
            member.outbox.push_shared(frame.clone());
        }
    }

    /// The same, to all but one client.
    pub(super) fn broadcast_except(&self, frame: &ControlFrame, excepted: MemberId) {
        for member in self.members.values().filter(|member| member.id != excepted) {
            member.outbox.push_shared(frame.clone());
        }
    }

    /// The clients with messages that wait for them.
    pub(super) fn laggards(&self) -> Vec<Laggard> {
        let laggard = |member: &Member| {
            let backlog = member.outbox.backlog()?;
            Some(Laggard { member: member.id, bytes: backlog.bytes, since: backlog.since.into_std() })
        };
        self.members.values().filter_map(laggard).collect()
    }

    fn people(&mut self) -> SharedBytes {
        let (members, memory) = (&self.members, &self.memory);
        let entries = || members.values().map(|member| &member.entry);
        self.people.get_or_insert_with(|| SharedBytes::new(memory, encode_people(entries()))).clone()
    }
}

#[cfg(test)]
mod tests {
    use common::{codec::encode_server, crypto::test_keys, media::SkippedFile, message::ServerMessage};

    use super::*;

    #[tokio::test]
    async fn messages_in_shared_parts_are_the_frames_of_the_protocol() {
        let memory = SendMemory::default();
        let mut roster = Roster::new(memory.clone());
        let key = test_keys::ada().public_key().clone();
        let file = |number: usize| SkippedFile { file_name: format!("f{number}"), reason: "no".to_owned() };
        let library = Library { videos: Vec::new(), skipped: (0..300).map(file).collect() };
        let frame = |frame: ControlFrame| {
            let outbox = Outbox::default();
            outbox.push_shared(frame);
            async move { outbox.next().await.unwrap().concat() }
        };
        let changed = roster.set_library(&library);
        let expected = ServerMessage::LibraryChanged { library: library.clone() };
        assert_eq!(frame(changed).await, encode_server(&expected));
        let mut people = Vec::new();
        // The length of the list takes more than a byte from 251 on.
        for revision in 1..=256 {
            let person = Person { name: Name::parse(&format!("p{revision:03}")).unwrap(), public_key: key.clone() };
            people.push(person.clone());
            let (_, _, parts) = roster.add(&person, revision, Outbox::default());
            if [1, 2, 250, 251, 256].contains(&revision) {
                let (people, library, name) = (people.clone(), library.clone(), person.name);
                let directory = ServerMessage::Directory { revision, people: people.clone() };
                assert_eq!(frame(roster.directory(revision)).await, encode_server(&directory));
                let welcome = ServerMessage::Welcome { name, revision, people, library };
                assert_eq!(frame(parts.encode()).await, encode_server(&welcome));
            }
        }
        // A directory for each of them is held once.
        let before = memory.held_bytes();
        let answers: Vec<_> = (0..256).map(|_| roster.directory(256)).collect();
        assert!(memory.held_bytes() < before + answers[0].len() as u64 / 2);
    }
}
