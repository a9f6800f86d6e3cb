//! The hub: owns the list of clients that are online, and broadcasts to all of them.
//!
//! Of videos it knows only the list that it passes on. Every method takes the lock for moments, never across an `.await`,
//! and encodes each broadcast once for all clients. Joining, leaving and relaying go through the same lock, so all clients
//! see them in the same order. Whose message is relayed when is decided by the [`relay_queue`].

pub mod directory;
pub(crate) mod names_file;
mod parties;
mod presence;
pub mod register;
mod relay_queue;
mod roster;
#[cfg(test)]
mod tests;
mod together;
mod viewings;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use common::{
    codec::encode_server,
    crypto::{Envelope, KeyId, SessionRecord},
    media::Library,
    message::{Blob, LeaveReason, Person, ServerMessage},
    name::{Fold, Name},
};
use rand::RngExt;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::error;

use self::{
    directory::{Directory, EnterError, Entrant},
    parties::Parties,
    register::{Entry, Register},
    relay_queue::{Laggard, MemberId, Memory, RelayQueue, RoomRate, Step, to_cut_off},
    roster::Roster,
    viewings::Viewings,
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
    key: KeyId,
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
        let envelope = Blob(envelope.as_bytes().to_vec());
        self.pass_on(encode_server(&ServerMessage::Relayed { envelope }), Audience::Everyone).await
    }

    /// Sends an envelope to the client with this key, once it is this client's turn, as if it were for all: so no one is
    /// sent more than the room may speak, however many hand something to the same client. Returns whether the client is
    /// online. One caller at a time, also of [`Self::relay`]; may be cancelled.
    pub async fn hand(&self, to: KeyId, envelope: &Envelope) -> bool {
        let envelope = Blob(envelope.as_bytes().to_vec());
        self.pass_on(encode_server(&ServerMessage::Handed { envelope }), Audience::One(to)).await > 0
    }

    /// Replaces this client's session record, and tells everyone.
    pub fn renew(&self, session: SessionRecord) {
        let mut state = self.hub.state();
        state.directory.renewed();
        state.roster.renew(&self.name, session.clone());
        let (revision, name) = (state.directory.revision(), self.name.clone());
        let renewed = self.hub.frame(&ServerMessage::Renewed { revision, name, session });
        state.roster.broadcast(&renewed);
    }

    async fn pass_on(&self, frame: Bytes, audience: Audience) -> usize {
        self.hub.state().queue.enter(self.id, frame.len() as u64, now());
        let _request = Request(self);
        loop {
            let wake_at = match self.hub.try_relay(self.id, &frame, audience) {
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

/// Whom an envelope goes to.
#[derive(Clone, Copy)]
enum Audience {
    Everyone,
    One(KeyId),
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
    /// Members watch something else than the room was told.
    viewings_changed: Notify,
    /// The zero of the clock that parties go by.
    started: std::time::Instant,
    state: Mutex<State>,
}

struct State {
    directory: Directory,
    register: Register,
    roster: Roster,
    queue: RelayQueue,
    parties: Parties,
    viewings: Viewings,
    /// What newcomers are told of those; `None` after a change.
    viewing_frames: Option<Arc<[ControlFrame]>>,
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
            directory: Directory::new(limits.max_people),
            register: Register::default(),
            roster: Roster::new(memory.clone()),
            queue: RelayQueue::new(rate, now()),
            // Unlike any number before a restart, so that no client joins another party than the one it was in.
            parties: Parties::numbered_from(rand::rng().random::<u64>() / 2),
            viewings: Viewings::default(),
            viewing_frames: None,
        };
        let memory_limit_bytes = limits.send_memory_mib as u64 * 1024 * 1024;
        let (viewings_changed, started) = (Notify::new(), now());
        Self(Arc::new(Shared { memory, memory_limit_bytes, viewings_changed, started, state: Mutex::new(state) }))
    }

    /// An outbox for a client of this hub.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(&self.0.memory)
    }

    /// The number of people online.
    pub fn people_count(&self) -> usize {
        self.state().roster.len()
    }

    /// Memory that is held by messages that were not sent yet.
    pub fn unsent_bytes(&self) -> u64 {
        self.0.memory.held_bytes()
    }

    /// Bytes that were sent to all clients so far.
    pub fn sent_bytes(&self) -> u64 {
        self.0.memory.sent_bytes()
    }

    /// The names of those who are online, in alphabetical order.
    pub fn names(&self) -> Vec<Name> {
        self.state().roster.names().cloned().collect()
    }

    /// Sets the list of videos and sends it to all clients; newcomers get it in `Welcome`. Both go through the same lock, so
    /// no client is left with an older list.
    pub fn offer(&self, library: Library) {
        let mut state = self.state();
        let frame = state.roster.set_library(&library);
        state.roster.broadcast(&frame);
    }

    /// Enters a person in the dictionary. The newcomer gets `Welcome` and the pages, the others get `Joined`. The person stays online until
    /// the returned [`Membership`] is dropped, and has been so since now.
    ///
    /// # Errors
    /// [`EnterError`] when the name or key is in use, the name belongs to another key, or the server is full.
    pub fn join(&self, person: Person, outbox: Outbox) -> Result<Membership, EnterError> {
        let now_seconds = unix_seconds();
        let person = Person { since_unix_secs: now_seconds, ..person };
        let entrant = Entrant::from(person.clone());
        let (id, turn, parts) = {
            let mut state = self.state();
            if let Err(error) = state.enter(entrant, now_seconds) {
                // Suggestions are folded without the lock.
                drop(state);
                return Err(self.with_suggestion(error, now_seconds));
            }
            let revision = state.directory.revision();
            let viewings = state.viewing_frames(&self.0.memory);
            let (id, turn, parts) = state.roster.add(&person, revision, viewings, outbox.clone());
            let joined = self.frame(&ServerMessage::Joined { revision, person: person.clone() });
            state.roster.broadcast_except(&joined, id);
            (id, turn, parts)
        };
        let (hub, key, reason) = (self.clone(), person.public_key.id(), Some(LeaveReason::Lost));
        let membership = Membership { hub, name: person.name, key, id, turn, reason };
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
        let Some(key) = state.directory.remove(name) else { return };
        state.parties.forget(&key);
        if state.viewings.left(&key) {
            state.viewing_frames = None;
        }
        state.register.seen([key], unix_seconds());
        if let Some(reason) = reason {
            let revision = state.directory.revision();
            let left = self.frame(&ServerMessage::Left { revision, name: name.clone(), reason });
            state.roster.broadcast(&left);
        }
    }

    /// Sends the whole dictionary, and what people watch, to one client, in order with the changes that all clients receive. Returns its size.
    pub fn send_directory(&self, outbox: &Outbox) -> usize {
        let mut state = self.state();
        let revision = state.directory.revision();
        let (frames, viewings) = (state.roster.directory(revision), state.viewing_frames(&self.0.memory));
        outbox.push_series(&[&*frames, &*viewings].concat())
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

    fn try_relay(&self, member: MemberId, frame: &Bytes, audience: Audience) -> Turn {
        let mut state = self.state();
        match state.next_step(&self.0) {
            Step::Relay(next) if next == member => {
                state.queue.relayed(member, now());
                Turn::Relayed(state.pass_on(&ControlFrame::new(&self.0.memory, frame.clone()), audience))
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

    /// Takes in to whom names belong, before the first client joins.
    pub fn restore_names(&self, entries: Vec<Entry>) {
        let register = Register::new(entries);
        self.state().register = register;
    }

    /// To whom names belong, if that has changed since `change_count`; with the new count. Those who are online count as seen
    /// now.
    pub fn names_since(&self, change_count: u64) -> Option<(Vec<Arc<Entry>>, u64)> {
        let mut state = self.state();
        if state.register.change_count() == change_count {
            return None;
        }
        let online = state.directory.keys();
        state.register.seen(online, unix_seconds());
        Some((state.register.entries(), state.register.change_count()))
    }

    /// Adds a free name to the refusal of one that is taken.
    fn with_suggestion(&self, error: EnterError, now_seconds: u64) -> EnterError {
        let suggest = |name: &Name| {
            let candidates: Vec<_> = name.numbered().map(|name| (name.folds(), name)).collect();
            let state = self.state();
            let is_free = |folds: &[Fold; 2]| {
                state.directory.is_free(folds) && state.register.is_open_to(None, folds, now_seconds)
            };
            candidates.into_iter().find(|(folds, _)| is_free(folds)).map(|(_, name)| name)
        };
        match error {
            EnterError::NameInUse { name, .. } => EnterError::NameInUse { suggestion: suggest(&name), name },
            EnterError::NameOwned { name, .. } => EnterError::NameOwned { suggestion: suggest(&name), name },
            EnterError::StillOnline { name, .. } => EnterError::StillOnline { suggestion: suggest(&name), name },
            other => other,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, entrant: Entrant, now_seconds: u64) -> Result<(), EnterError> {
        let Entrant { person, folds } = entrant.clone();
        let key = person.public_key.id();
        self.directory.check(&entrant)?;
        if !self.register.is_open_to(Some(key), &folds, now_seconds) {
            return Err(EnterError::NameOwned { name: person.name, suggestion: None });
        }
        self.directory.enter(entrant)?;
        self.register.joined(key, &person.name, folds, now_seconds, |key| self.directory.has_key(key));
        Ok(())
    }

    /// Returns the number of clients.
    fn pass_on(&self, frame: &ControlFrame, audience: Audience) -> usize {
        match audience {
            Audience::Everyone => {
                self.roster.broadcast(frame);
                self.roster.len()
            }
            Audience::One(key) => {
                let outbox = self.directory.name_of(&key).and_then(|name| self.roster.outbox(name));
                outbox.map(|outbox| outbox.push_shared(frame.clone())).into_iter().count()
            }
        }
    }

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

/// Seconds since 1970 by the system's clock.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}
