//! The hub: owns the list of clients that are online, and broadcasts to all of them.
//!
//! Of videos it knows only the list that it passes on. Every method takes the lock for moments, never across an `.await`,
//! and encodes each broadcast once for all clients. Joining, leaving and relaying go through the same lock, so all clients
//! see them in the same order. Whose message is relayed when is decided by the [`relay_queue`].

pub mod directory;
mod relay_queue;
mod roster;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use common::{
    codec::encode_server,
    crypto::Envelope,
    media::Library,
    message::{Blob, LeaveReason, Person, ServerMessage},
    name::Name,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::error;

use self::{
    directory::{Directory, EnterError},
    relay_queue::{Laggard, MemberId, Memory, RelayQueue, RoomRate, Step, to_cut_off},
    roster::Roster,
};
use crate::{
    limits::Limits,
    outbox::{CloseReason, ControlFrame, Outbox, SendMemory},
};

/// The entry of one client in the dictionary. Dropping it removes the client and tells the others, so that every way
/// out of a session, a panic included, leaves no entry behind.
#[must_use = "the client is removed as soon as its membership is dropped"]
pub struct Membership {
    hub: Hub,
    name: Name,
    id: MemberId,
    turn: Arc<Notify>,
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

    /// Sends an envelope to all clients online, its sender included, once it is this client's turn. Returns the number of
    /// clients. One caller at a time; may be cancelled.
    pub async fn relay(&self, envelope: &Envelope) -> usize {
        let frame = encode_server(&ServerMessage::Relayed { envelope: Blob(envelope.as_bytes().to_vec()) });
        self.hub.state().queue.enter(self.id, frame.len() as u64, now());
        let _request = Request(self);
        loop {
            let wake_at = match self.hub.try_relay(self.id, &frame) {
                Turn::Relayed(client_count) => return client_count,
                Turn::At(time) => Some(time),
                Turn::AfterOthers => None,
            };
            tokio::select! {
                () = self.turn.notified() => {}
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
            }
        }
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

/// A member's place in the relay queue; dropping it gives the place up.
struct Request<'a>(&'a Membership);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let mut state = self.0.hub.state();
        state.queue.withdraw(self.0.id);
        state.wake_next(&self.0.hub.0);
    }
}

/// What became of a member's attempt to relay.
enum Turn {
    /// Its message went to this number of clients.
    Relayed(usize),
    /// It is next, at this time.
    At(Instant),
    /// Others are before it; it is notified when they are done.
    AfterOthers,
}

/// Handle of the hub. Cheap to clone; all clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    /// What waits in the outboxes of all clients.
    memory: SendMemory,
    memory_limit_bytes: u64,
    state: Mutex<State>,
}

struct State {
    directory: Directory,
    roster: Roster,
    queue: RelayQueue,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

impl Hub {
    /// A hub without clients.
    pub fn new(limits: &Limits) -> Self {
        let memory = SendMemory::default();
        let rate = RoomRate {
            bytes_per_second: limits.room_kib_per_second as u64 * 1024,
            messages_per_second: limits.room_messages_per_second as u64,
        };
        let state = State {
            directory: Directory::default(),
            roster: Roster::new(memory.clone()),
            queue: RelayQueue::new(rate, now()),
        };
        let memory_limit_bytes = limits.send_memory_mib as u64 * 1024 * 1024;
        Self(Arc::new(Shared { memory, memory_limit_bytes, state: Mutex::new(state) }))
    }

    /// An outbox for a client of this hub.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(&self.0.memory)
    }

    /// Memory that is held by messages that were not sent yet.
    pub fn unsent_bytes(&self) -> u64 {
        self.0.memory.held_bytes()
    }

    /// Sets the list of videos and sends it to all clients; newcomers get it in `Welcome`. Both go through the same lock, so
    /// no client is left with an older list.
    pub fn offer(&self, library: Library) {
        let mut state = self.state();
        let frame = state.roster.set_library(&library);
        state.roster.broadcast(&frame);
    }

    /// Enters a person in the dictionary. The newcomer gets `Welcome`, the others get `Joined`. The person stays online until
    /// the returned [`Membership`] is dropped.
    ///
    /// # Errors
    /// [`EnterError`] when the name or key is in use or the server is full.
    pub fn join(&self, person: Person, outbox: Outbox) -> Result<Membership, EnterError> {
        let (id, turn, parts) = {
            let mut state = self.state();
            state.directory.enter(person.clone())?;
            let revision = state.directory.revision();
            let (id, turn, parts) = state.roster.add(&person, revision, outbox.clone());
            let joined = self.frame(&ServerMessage::Joined { revision, person: person.clone() });
            state.roster.broadcast_except(&joined, id);
            (id, turn, parts)
        };
        let membership = Membership { hub: self.clone(), name: person.name, id, turn, reason: Some(LeaveReason::Lost) };
        // Put together without the lock. What the others cause meanwhile waits in the outbox behind it.
        outbox.push_opening(parts.encode());
        Ok(membership)
    }

    fn remove(&self, name: &Name, reason: Option<LeaveReason>) {
        let mut state = self.state();
        if let Some(member) = state.roster.remove(name) {
            state.queue.forget(member.id);
            state.wake_next(&self.0);
        }
        if state.directory.remove(name)
            && let Some(reason) = reason
        {
            let revision = state.directory.revision();
            let left = self.frame(&ServerMessage::Left { revision, name: name.clone(), reason });
            state.roster.broadcast(&left);
        }
    }

    /// Sends the whole dictionary to one client, in order with the changes that all clients receive. Returns its size.
    pub fn send_directory(&self, outbox: &Outbox) -> usize {
        let mut state = self.state();
        let revision = state.directory.revision();
        let frame = state.roster.directory(revision);
        let bytes = frame.len();
        outbox.push_shared(frame);
        bytes
    }

    /// Cuts off clients that do not read, as long as the memory for unsent messages is exceeded. To be called now and then:
    /// not only what is relayed takes memory.
    pub fn relieve_memory(&self) {
        if self.0.memory.held_bytes() <= self.0.memory_limit_bytes {
            return;
        }
        let state = self.state();
        while self.0.memory.held_bytes() > self.0.memory_limit_bytes
            && let Some(laggard) = to_cut_off(&state.roster.laggards(), now())
        {
            state.cut_off(laggard);
        }
    }

    fn try_relay(&self, member: MemberId, frame: &Bytes) -> Turn {
        let mut state = self.state();
        match state.next_step(&self.0) {
            Step::Relay(next) if next == member => {
                state.queue.relayed(member, now());
                state.roster.broadcast(&ControlFrame::new(&self.0.memory, frame.clone()));
                Turn::Relayed(state.roster.len())
            }
            Step::Wait(next, time) if next == member => Turn::At(Instant::from_std(time)),
            Step::Relay(next) | Step::Wait(next, _) => {
                state.wake(next);
                Turn::AfterOthers
            }
            // Not while this member waits, and who was to be cut off is.
            Step::Idle | Step::CutOff(_) => Turn::AfterOthers,
        }
    }

    fn frame(&self, message: &ServerMessage) -> ControlFrame {
        ControlFrame::new(&self.0.memory, encode_server(message))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who is next, after those were cut off who are to be.
    fn next_step(&mut self, shared: &Shared) -> Step {
        loop {
            let memory = Memory { held_bytes: shared.memory.held_bytes(), limit_bytes: shared.memory_limit_bytes };
            let Self { queue, roster, .. } = self;
            match queue.next_step(memory, || roster.laggards(), now()) {
                Step::CutOff(laggard) => self.cut_off(laggard),
                step => return step,
            }
        }
    }

    /// Tells the member who is next.
    fn wake_next(&mut self, shared: &Shared) {
        if let Step::Relay(next) | Step::Wait(next, _) = self.next_step(shared) {
            self.wake(next);
        }
    }

    fn wake(&self, member: MemberId) {
        if let Some((_, member)) = self.roster.find(member) {
            member.turn.notify_one();
        }
    }

    fn cut_off(&self, laggard: Laggard) {
        if let Some((_, member)) = self.roster.find(laggard.member) {
            let waited = now().saturating_duration_since(laggard.since);
            member.outbox.close(CloseReason::CutOff { waiting_bytes: laggard.bytes, waited });
        }
    }
}

/// The time of the runtime, which tests may pause.
fn now() -> std::time::Instant {
    Instant::now().into_std()
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
        let hub = Hub::default();
        let outbox = hub.outbox();
        hub.offer(library("before"));
        hub.offer(library("now"));
        let person = Person { name: Name::parse("ada").unwrap(), public_key: test_keys::ada().public_key().clone() };
        let _membership = hub.join(person, outbox.clone()).unwrap();
        let welcome = outbox.next().await.unwrap().concat();
        hub.offer(library("later"));
        let change = outbox.next().await.unwrap().concat();
        let heard = [welcome, change].map(|frame| match decode_server(&frame[4..]).unwrap() {
            ServerMessage::Welcome { library, .. } => ("welcome", library),
            ServerMessage::LibraryChanged { library } => ("change", library),
            other => panic!("{other:?}"),
        });
        assert_eq!(heard, [("welcome", library("now")), ("change", library("later"))]);
    }
}
