//! The way of events to the window, in two bounded queues: what happens to the connection, and what became of envelopes.
//! The network task waits for room in the first only, so that a flood of envelopes, which fills the second, delays no
//! ping, no join and no picture.
//!
//! Events carry the number of their visit (see [`Numbered`]); those of an earlier visit are dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::media::Library;
use tokio::sync::mpsc;

use super::Numbered;
use crate::event::{NetEvent, Urgency, Wake, WireOutcome};

/// Events of the connection that may wait for the window. When they are too many, the network task stops reading from the
/// connection until there is room.
const CONNECTION_EVENTS: usize = 4096;
/// Results of envelopes that may wait for the window. When they are too many, the thread with the private key waits.
const ENVELOPE_EVENTS: usize = 1024;

/// An event of the connection as it waits.
enum Queued {
    Event(NetEvent),
    /// The library in [`LatestLibrary`].
    Library,
}

/// The library that the window has not taken yet. A new one replaces it: each is the whole library, and large.
type LatestLibrary = Arc<Mutex<Option<Numbered<Library>>>>;

/// The end of the network task and of the thread with the private key.
#[derive(Clone)]
pub(super) struct EventSender {
    connection: mpsc::Sender<Numbered<Queued>>,
    envelopes: mpsc::Sender<Numbered<NetEvent>>,
    library: LatestLibrary,
    wake: Wake,
}

/// The end of the window.
pub(super) struct EventReceiver {
    connection: mpsc::Receiver<Numbered<Queued>>,
    envelopes: mpsc::Receiver<Numbered<NetEvent>>,
    library: LatestLibrary,
    /// Taken from its queue, and not yet due.
    next_envelope: Option<Numbered<NetEvent>>,
}

/// Both ends. `wake` is called after each event, so that the window looks for it.
pub(super) fn event_queue(wake: Wake) -> (EventSender, EventReceiver) {
    let (connection, connection_receiver) = mpsc::channel(CONNECTION_EVENTS);
    let (envelopes, envelope_receiver) = mpsc::channel(ENVELOPE_EVENTS);
    let library = LatestLibrary::default();
    let receiver = EventReceiver {
        connection: connection_receiver,
        envelopes: envelope_receiver,
        library: Arc::clone(&library),
        next_envelope: None,
    };
    (EventSender { connection, envelopes, library, wake }, receiver)
}

impl EventSender {
    /// Tells the window what happened to the connection.
    pub(super) async fn tell(&self, visit: u64, event: NetEvent) {
        let queued = match event {
            NetEvent::LibraryChanged(library) => {
                let unseen = lock(&self.library).replace((visit, library));
                if unseen.is_some_and(|(unseen_visit, _)| unseen_visit == visit) {
                    return;
                }
                Queued::Library
            }
            other => Queued::Event(other),
        };
        // Without a window, the next command ends the network task.
        if self.connection.send((visit, queued)).await.is_ok() {
            (self.wake)(Urgency::Now);
        }
    }

    /// Tells the window what became of an envelope, or of a message to be sent. Blocks while the queue is full; for the
    /// thread with the private key.
    pub(super) fn tell_blocking(&self, visit: u64, event: NetEvent) {
        let urgency = match &event {
            NetEvent::Envelope(entry) if entry.outcome != WireOutcome::Own => Urgency::Soon,
            NetEvent::EnvelopesDropped(_) | NetEvent::HandingOver { .. } => Urgency::Soon,
            _ => Urgency::Now,
        };
        let is_sent = match event {
            // In one queue with the envelope as it comes back, so that the window learns its id before.
            NetEvent::HandingOver { .. }
            | NetEvent::LeftOut(_)
            | NetEvent::Sent { .. }
            | NetEvent::SendFailed { .. } => self.connection.blocking_send((visit, Queued::Event(event))).is_ok(),
            other => self.envelopes.blocking_send((visit, other)).is_ok(),
        };
        if is_sent {
            (self.wake)(urgency);
        }
    }
}

impl EventReceiver {
    /// The next event of this visit, if there is one.
    pub(super) fn next(&mut self, visit: u64) -> Option<NetEvent> {
        // The envelope is taken first and returned last: then whatever the connection reported before it was opened, such
        // as that its sender had joined, has been returned before it.
        let of_this_visit = |(number, event)| (number == visit).then_some(event);
        while self.next_envelope.as_ref().is_none_or(|(number, _)| *number != visit) {
            self.next_envelope = None;
            match self.envelopes.try_recv() {
                Ok(envelope) => self.next_envelope = Some(envelope),
                Err(_) => break,
            }
        }
        while let Ok(queued) = self.connection.try_recv() {
            let event = match of_this_visit(queued) {
                Some(Queued::Event(event)) => Some(event),
                Some(Queued::Library) => {
                    let library = lock(&self.library).take();
                    library.filter(|(number, _)| *number == visit).map(|(_, library)| NetEvent::LibraryChanged(library))
                }
                None => None,
            };
            if event.is_some() {
                return event;
            }
        }
        self.next_envelope.take().map(|(_, event)| event)
    }

    /// Takes no more events; who waits for room goes on.
    pub(super) fn close(&mut self) {
        self.connection.close();
        self.envelopes.close();
    }
}

fn lock(library: &LatestLibrary) -> MutexGuard<'_, Option<Numbered<Library>>> {
    // Poisoning is ignored: each change is a single step.
    library.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::{
        crypto::Envelope,
        media::{VideoId, VideoInfo},
    };

    use super::*;
    use crate::event::{DraftId, Offline, Progress, WireEntry};

    fn quiet() -> (EventSender, EventReceiver) {
        event_queue(Arc::new(|_| {}))
    }

    fn envelope(number: u8) -> NetEvent {
        // To everyone: version, suite, and the rest of the header with a body of 70 bytes.
        let envelope = Envelope::parse([&[1, 3][..], &[number; 158]].concat()).unwrap();
        NetEvent::Envelope(WireEntry { envelope, is_handed: false, outcome: WireOutcome::Foreign })
    }

    fn library(title: &str) -> NetEvent {
        let video = VideoInfo {
            id: VideoId(1),
            fingerprint: 1,
            title: title.to_owned(),
            duration_nanos: 1,
            has_sound: false,
            variants: Vec::new(),
            is_ready: false,
            unreadable_heights: Vec::new(),
        };
        NetEvent::LibraryChanged(Library { videos: vec![video], unplayable_count: 0 })
    }

    fn all(receiver: &mut EventReceiver, visit: u64) -> Vec<NetEvent> {
        std::iter::from_fn(|| receiver.next(visit)).collect()
    }

    #[tokio::test]
    async fn envelopes_that_the_window_does_not_take_hold_up_nothing_else() {
        let (sender, mut receiver) = quiet();
        let keys = {
            let sender = sender.clone();
            tokio::task::spawn_blocking(move || {
                (0..2 * ENVELOPE_EVENTS).for_each(|n| sender.tell_blocking(1, envelope(n as u8)))
            })
        };
        for _ in 0..CONNECTION_EVENTS {
            sender.tell(1, NetEvent::Progress(Progress::Joining)).await;
        }
        let mut taken = 0;
        while taken < CONNECTION_EVENTS + 2 * ENVELOPE_EVENTS {
            taken += all(&mut receiver, 1).len();
            std::thread::yield_now();
        }
        keys.await.unwrap();
    }

    #[tokio::test]
    async fn what_was_known_before_an_envelope_was_opened_comes_before_it() {
        let (sender, mut receiver) = quiet();
        let keys = sender.clone();
        tokio::task::spawn_blocking(move || keys.tell_blocking(1, envelope(1))).await.unwrap();
        sender.tell(1, NetEvent::Offline(Offline::Left)).await;
        assert_eq!(all(&mut receiver, 1), [NetEvent::Offline(Offline::Left), envelope(1)]);
        let keys = sender.clone();
        tokio::task::spawn_blocking(move || keys.tell_blocking(1, envelope(2))).await.unwrap();
        assert_eq!(receiver.next(2), None, "that was another visit");
        assert_eq!(receiver.next(1), None, "and is gone");
    }

    #[tokio::test]
    async fn only_the_latest_library_waits() {
        let (sender, mut receiver) = quiet();
        let all_told = async {
            for number in 0..2 * CONNECTION_EVENTS {
                sender.tell(1, library(&number.to_string())).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all_told).await.expect("no library waits for room");
        assert_eq!(all(&mut receiver, 1), [library(&(2 * CONNECTION_EVENTS - 1).to_string())]);
        sender.tell(1, library("left behind")).await;
        sender.tell(2, library("of the next visit")).await;
        assert_eq!(all(&mut receiver, 2), [library("of the next visit")]);
        sender.tell(2, library("and the next")).await;
        assert_eq!(all(&mut receiver, 2), [library("and the next")]);
    }

    #[test]
    fn a_message_and_its_return_are_urgent_and_an_envelope_of_others_is_not() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let wake = {
            let calls = Arc::clone(&calls);
            Arc::new(move |urgency| calls.lock().unwrap().push(urgency))
        };
        let (sender, _receiver) = event_queue(wake);
        sender.tell_blocking(1, NetEvent::SendFailed { draft: DraftId(1), reason: String::new() });
        sender.tell_blocking(1, envelope(1));
        sender.tell_blocking(1, NetEvent::EnvelopesDropped(3));
        assert_eq!(*calls.lock().unwrap(), [Urgency::Now, Urgency::Soon, Urgency::Soon]);
    }
}
