//! The clients that are online, with their outboxes, and the parts of messages that describe them all: encoded once per
//! change and shared by everyone who is sent them.

use std::{collections::BTreeMap, sync::Arc};

use common::{
    codec::{
        PAGE_START_BYTES, encode_library, encode_library_changed, encode_page_start, encode_person, encode_server,
        encode_welcome,
    },
    crypto::SessionRecord,
    limits::MAX_PAGE_BYTES,
    media::Library,
    message::{Person, ServerInfo, ServerMessage},
    name::Name,
};
use tokio::sync::Notify;

use super::relay_queue::{Laggard, MemberId};
use crate::outbox::{ControlFrame, Outbox, SendMemory, SharedBytes};

/// A client that is online.
pub(super) struct Member {
    pub(super) id: MemberId,
    person: Person,
    pub(super) outbox: Outbox,
    /// The same, encoded.
    entry: SharedBytes,
    /// Notified when it may be its turn to speak.
    pub(super) turn: Arc<Notify>,
}

/// The clients, and what is encoded of them.
pub(super) struct Roster {
    memory: SendMemory,
    members: BTreeMap<Name, Member>,
    last_id: u64,
    server: ServerInfo,
    library: SharedBytes,
    /// `Directory` with its pages; `None` after a change.
    directory: Option<Arc<[ControlFrame]>>,
}

/// What a newcomer is sent first, to be completed without the lock.
pub(super) struct WelcomeParts {
    memory: SendMemory,
    name: Name,
    revision: u64,
    people_count: u32,
    directory: Arc<[ControlFrame]>,
    viewings: Arc<[ControlFrame]>,
    server: ServerInfo,
    library: SharedBytes,
}

impl WelcomeParts {
    /// `Welcome`, the pages of the dictionary, and what people watch.
    pub(super) fn encode(self) -> Vec<ControlFrame> {
        let library = self.library.bytes();
        let [start, _] = encode_welcome(self.name, self.revision, self.people_count, self.server, library);
        let welcome = ControlFrame::of_pieces([SharedBytes::new(&self.memory, start), self.library]);
        let pages = &self.directory[1..];
        [&[welcome], pages, &self.viewings].concat()
    }
}

impl Roster {
    pub(super) fn new(memory: SendMemory) -> Self {
        let library = SharedBytes::new(&memory, encode_library(&Library::default()));
        let (members, server) = (BTreeMap::new(), ServerInfo::default());
        Self { memory, members, last_id: 0, server, library, directory: None }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.members.keys()
    }

    /// Adds a client, whose outbox is corked until its `Welcome` is put into it. `revision` is that of the dictionary with
    /// this person in it, and `viewings` follows it.
    pub(super) fn add(
        &mut self,
        person: &Person,
        revision: u64,
        viewings: Arc<[ControlFrame]>,
        outbox: Outbox,
    ) -> (MemberId, Arc<Notify>, WelcomeParts) {
        self.last_id += 1;
        let (id, turn) = (MemberId(self.last_id), Arc::<Notify>::default());
        outbox.cork();
        let entry = SharedBytes::new(&self.memory, encode_person(person));
        let member = Member { id, person: person.clone(), outbox, entry, turn: turn.clone() };
        self.members.insert(person.name.clone(), member);
        self.directory = None;
        let parts = WelcomeParts {
            memory: self.memory.clone(),
            name: person.name.clone(),
            revision,
            people_count: self.people_count(),
            directory: self.directory(revision),
            viewings,
            server: self.server.clone(),
            library: self.library.clone(),
        };
        (id, turn, parts)
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<Member> {
        self.directory = None;
        self.members.remove(name)
    }

    /// Replaces the session record of a member.
    pub(super) fn renew(&mut self, name: &Name, session: SessionRecord) {
        if let Some(member) = self.members.get_mut(name) {
            member.person.session = session;
            member.entry = SharedBytes::new(&self.memory, encode_person(&member.person));
            self.directory = None;
        }
    }

    /// The member with this number, and its name.
    pub(super) fn find(&self, id: MemberId) -> Option<(&Name, &Member)> {
        self.members.iter().find(|(_, member)| member.id == id)
    }

    /// Sets what `Welcome` says about the server.
    pub(super) fn set_server(&mut self, server: ServerInfo) {
        self.server = server;
    }

    /// Sets the library and returns the message that tells of it.
    pub(super) fn set_library(&mut self, library: &Library) -> ControlFrame {
        let encoded = encode_library(library);
        let [start, _] = encode_library_changed(encoded.clone());
        self.library = SharedBytes::new(&self.memory, encoded);
        ControlFrame::of_pieces([SharedBytes::new(&self.memory, start), self.library.clone()])
    }

    /// The answer to `AskDirectory`: `Directory` and its pages, the same for all who ask. The pages hold the entries as they
    /// were encoded once, so that pages of different revisions share them, and a change costs little more than a pointer for
    /// each person.
    pub(super) fn directory(&mut self, revision: u64) -> Arc<[ControlFrame]> {
        let (people_count, members, memory) = (self.people_count(), &self.members, &self.memory);
        let encoded = self.directory.get_or_insert_with(|| {
            let start = encode_server(&ServerMessage::Directory { revision, people_count });
            let pages = paged(memory, members.values().map(|member| &member.entry));
            std::iter::once(ControlFrame::new(memory, start)).chain(pages).collect()
        });
        encoded.clone()
    }

    /// The outbox of the member with this name.
    pub(super) fn outbox(&self, name: &Name) -> Option<&Outbox> {
        self.members.get(name).map(|member| &member.outbox)
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

    fn people_count(&self) -> u32 {
        u32::try_from(self.members.len()).expect("far fewer connections are possible")
    }
}

/// Puts entries into as few `People` frames as hold them.
fn paged<'a>(memory: &SendMemory, entries: impl Iterator<Item = &'a SharedBytes>) -> Vec<ControlFrame> {
    let (mut pages, mut page, mut page_bytes) = (Vec::new(), Vec::new(), 0);
    let mut close = |page: &mut Vec<SharedBytes>, page_bytes: usize| {
        let start = SharedBytes::new(memory, encode_page_start(page.len(), page_bytes));
        let pieces: Vec<_> = std::iter::once(start).chain(page.drain(..)).collect();
        pages.push(ControlFrame::of_pieces(pieces));
    };
    for entry in entries {
        let entry_bytes = entry.bytes().len();
        // The frame, length prefix included, keeps to the limit, so that the writer sends a page in one go.
        if !page.is_empty() && PAGE_START_BYTES + page_bytes + entry_bytes > MAX_PAGE_BYTES {
            close(&mut page, std::mem::take(&mut page_bytes));
        }
        page_bytes += entry_bytes;
        page.push(entry.clone());
    }
    if !page.is_empty() {
        close(&mut page, page_bytes);
    }
    pages
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use common::{
        codec::{PREFIX_BYTES, decode_server},
        crypto::test_keys,
        media::{VariantInfo, VideoId, VideoInfo},
    };

    use super::*;

    async fn frame(frame: &ControlFrame) -> Vec<u8> {
        let outbox = Outbox::default();
        outbox.push_shared(frame.clone());
        outbox.next().await.unwrap().concat()
    }

    fn library() -> Library {
        let variant = VariantInfo { height: 240, picture_width: 320, picture_height: 240, frame_count: 9 };
        let video = |number: u64| VideoInfo {
            id: VideoId(number),
            fingerprint: number,
            title: format!("Film {number}"),
            duration_nanos: number,
            has_sound: false,
            is_ready: false,
            variants: vec![variant],
            unreadable_heights: Vec::new(),
        };
        Library { videos: (0..300).map(video).collect(), unplayable_count: 2 }
    }

    fn person(number: u64) -> Person {
        let name = Name::parse(&format!("p{number:04}")).unwrap();
        let public_key = test_keys::ada().public_key().clone();
        let session = test_keys::unsigned_record(&name, &public_key, 1);
        Person { name, public_key, session, since_unix_secs: number }
    }

    #[tokio::test]
    async fn messages_in_shared_parts_are_the_frames_of_the_protocol() {
        let memory = SendMemory::default();
        let mut roster = Roster::new(memory.clone());
        roster.set_server(ServerInfo { name: "Lab".to_owned(), addresses: Vec::new() });
        let library = library();
        let changed = roster.set_library(&library);
        assert_eq!(frame(&changed).await, encode_server(&ServerMessage::LibraryChanged { library: library.clone() }));
        for revision in 1..=600 {
            let (_, _, parts) = roster.add(&person(revision), revision, Arc::default(), Outbox::default());
            if ![1, 2, 250, 251, 600].contains(&revision) {
                continue;
            }
            let (people_count, name) = (u32::try_from(revision).unwrap(), person(revision).name);
            let server = ServerInfo { name: "Lab".to_owned(), addresses: Vec::new() };
            let welcome = ServerMessage::Welcome { name, revision, people_count, server, library: library.clone() };
            let directory = ServerMessage::Directory { revision, people_count };
            for (frames, first) in [(parts.encode(), welcome), (roster.directory(revision).to_vec(), directory)] {
                assert_eq!(frame(&frames[0]).await, encode_server(&first));
                let mut people = Vec::new();
                for page in &frames[1..] {
                    let page = frame(page).await;
                    assert!(page.len() <= MAX_PAGE_BYTES);
                    let Ok(ServerMessage::People { people: listed }) = decode_server(&page[PREFIX_BYTES..]) else {
                        panic!("no page")
                    };
                    people.extend(listed);
                }
                let expected: Vec<_> = (1..=revision).map(person).collect();
                assert_eq!(people, expected);
            }
        }
        assert!(roster.directory(600).len() > 3, "so many do not fit into two pages");
    }

    #[tokio::test]
    async fn what_many_are_sent_of_many_revisions_is_held_once() {
        let memory = SendMemory::default();
        let mut roster = Roster::new(memory.clone());
        let mut held = Vec::new();
        for revision in 1..=600 {
            let (_, _, parts) = roster.add(&person(revision), revision, Arc::default(), Outbox::default());
            held.push(parts.encode());
            held.push(roster.directory(revision).to_vec());
        }
        let entry_bytes: u64 = (1..=600).map(|number| encode_person(&person(number)).len() as u64).sum();
        let sent_bytes: usize = held.iter().flatten().map(ControlFrame::len).sum();
        assert!(sent_bytes as u64 > 100 * entry_bytes);
        assert!(memory.held_bytes() < 8 * entry_bytes, "{} of {entry_bytes}", memory.held_bytes());
    }

    #[tokio::test]
    async fn a_renewed_session_key_is_in_the_pages_that_follow() {
        let mut roster = Roster::new(SendMemory::default());
        roster.add(&person(1), 1, Arc::default(), Outbox::default());
        roster.directory(1);
        let later = test_keys::unsigned_record(&person(1).name, &person(1).public_key, 2);
        roster.renew(&person(1).name, later.clone());
        let [directory, page] = &*roster.directory(2) else { panic!("one page") };
        assert_eq!(frame(directory).await, encode_server(&ServerMessage::Directory { revision: 2, people_count: 1 }));
        let people = vec![Person { session: later, ..person(1) }];
        assert_eq!(frame(page).await, encode_server(&ServerMessage::People { people }));
    }

    #[tokio::test]
    async fn a_page_is_as_full_as_it_may_be() {
        let memory = SendMemory::default();
        // The first page takes both entries to the last byte; a byte more needs another.
        let half = (MAX_PAGE_BYTES - PAGE_START_BYTES) / 2;
        for (entries, pages) in
            [(vec![half, half], 1), (vec![half, half + 1], 2), (vec![MAX_PAGE_BYTES], 1), (vec![], 0)]
        {
            let entries: Vec<_> =
                entries.iter().map(|&bytes| SharedBytes::new(&memory, Bytes::from(vec![0; bytes]))).collect();
            assert_eq!(paged(&memory, entries.iter()).len(), pages);
        }
    }
}
