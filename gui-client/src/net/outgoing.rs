//! The way out of a session: frames to the writer of the socket, jobs to the thread with the private key. Nothing is lost
//! silently on it; what the network task finds no room for ends the session, and the other thread waits for room.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use common::crypto::{KeyId, MessageId};
use tokio::{
    io::{AsyncWriteExt, WriteHalf},
    sync::mpsc::{self, error::TrySendError},
    time::timeout,
};

use super::{
    echoes::Echoes,
    frames::Stream,
    handshake::unreachable,
    key_inbox::{Arrived, KeySender, People, Refused, Seal, Written},
};
use crate::{dictionary::Dictionary, event::Offline};

/// Frames that may wait to be written. A server that reads keeps this queue almost empty; when it is full, the connection
/// ends, because dropping a frame would stall a stream (a lost `Grant`) or leave a message unsent (a lost `Say`).
const WRITE_QUEUE_LENGTH: usize = 256;

/// Sealed envelopes that may wait to be written; the thread with the private key waits when there are more. Of letters that
/// hand a sender key over, one slice is among them at most.
const SEALED_QUEUE_LENGTH: usize = 64;

/// Why a session cannot go on, as noticed by one of its senders.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure {
    /// The queue of frames is full.
    WriteQueueFull,
    /// The thread with the private key has ended.
    KeyThreadEnded,
}

impl Failure {
    pub(super) fn offline(self, address: &str) -> Offline {
        match self {
            Self::WriteQueueFull => unreachable(
                format!("The server at {address} does not read what is sent to it."),
                "The network or the server is overloaded. Try again.",
            ),
            Self::KeyThreadEnded => unreachable(
                "The part of this client that works with your key has failed.",
                "Try again. If it happens again, start the client anew.",
            ),
        }
    }
}

/// The frames that wait for the writer.
pub(super) struct Queued {
    frames: mpsc::Receiver<Bytes>,
    sealed: mpsc::Receiver<(Bytes, Option<Written>)>,
}

/// Queues sealed envelopes for the writer, from a thread that may wait.
#[derive(Clone)]
pub(super) struct SealedSender(mpsc::Sender<(Bytes, Option<Written>)>);

impl SealedSender {
    /// Waits for room. What comes after the end of the session is dropped. `written` is dropped when all is written.
    pub(super) fn write_blocking(&self, frames: Bytes, written: Option<Written>) {
        if self.0.blocking_send((frames, written)).is_err() {
            tracing::debug!("a sealed envelope came after the end of the session");
        }
    }
}

/// Queues frames for the writer. A frame that finds no room ends the session.
#[derive(Clone)]
pub(super) struct FrameSender {
    frames: mpsc::Sender<Bytes>,
    failures: mpsc::Sender<Failure>,
}

impl FrameSender {
    /// The senders, the frames for [`write_frames`], and the failures that end the session.
    pub(super) fn new() -> (Self, SealedSender, Queued, mpsc::Receiver<Failure>) {
        let (frames, queued_frames) = mpsc::channel(WRITE_QUEUE_LENGTH);
        let (sealed, queued_sealed) = mpsc::channel(SEALED_QUEUE_LENGTH);
        let (failures, failed) = mpsc::channel(1);
        let queued = Queued { frames: queued_frames, sealed: queued_sealed };
        (Self { frames, failures }, SealedSender(sealed), queued, failed)
    }

    pub(super) fn write(&self, frame: Bytes) {
        // A closed queue means that the writer has ended, which the session notices by itself.
        if let Err(TrySendError::Full(_)) = self.frames.try_send(frame) {
            self.fail(Failure::WriteQueueFull);
        }
    }

    fn fail(&self, failure: Failure) {
        if let Err(error) = self.failures.try_send(failure) {
            tracing::debug!("the session is ending already: {error}");
        }
    }
}

/// Where frames and key jobs go while online. Neither ever makes the caller wait.
pub(super) struct Outgoing {
    pub(super) keys: KeySender,
    pub(super) frames: FrameSender,
    /// What was sealed and sent to all.
    pub(super) echoes: Echoes,
}

impl Outgoing {
    /// Has an envelope opened. Returns without waiting; when too many wait, some are dropped.
    pub(super) fn open(&self, arrived: Arrived) {
        if self.keys.open(arrived) == Err(Refused::Ended) {
            self.frames.fail(Failure::KeyThreadEnded);
        }
    }

    /// Has a message sealed and sent. Returns whether it was taken.
    pub(super) fn seal(&self, message: Seal) -> bool {
        let taken = self.keys.seal(message);
        if taken == Err(Refused::Ended) {
            self.frames.fail(Failure::KeyThreadEnded);
        }
        taken.is_ok()
    }

    /// Tells the thread with the private key who is online now.
    pub(super) fn note_people(&self, people: People) {
        self.keys.note_people(people);
    }

    /// Has a receipt sealed and sent.
    pub(super) fn confirm(&self, to: KeyId, message_id: MessageId, dictionary: Arc<Dictionary>) {
        if self.keys.confirm(to, message_id, dictionary) == Err(Refused::Ended) {
            self.frames.fail(Failure::KeyThreadEnded);
        }
    }

    pub(super) fn write(&self, frame: Bytes) {
        self.frames.write(frame);
    }
}

/// The only writer of the socket; ends when every [`FrameSender`] and [`SealedSender`] is gone.
pub(super) async fn write_frames(
    Queued { mut frames, mut sealed }: Queued,
    mut writer: WriteHalf<Box<dyn Stream>>,
) -> io::Result<()> {
    const WRITE_DEADLINE: Duration = Duration::from_secs(10);
    loop {
        // Sealed messages first, so that one that was sent before this client leaves still goes out.
        let (frame, _written) = tokio::select! {
            biased;
            Some(sealed) = sealed.recv() => sealed,
            Some(frame) = frames.recv() => (frame, None),
            else => break,
        };
        let written = async {
            writer.write_all(&frame).await?;
            writer.flush().await
        };
        timeout(WRITE_DEADLINE, written).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
    writer.shutdown().await
}
