//! The way of an own message: being encrypted, sent, relayed, opened by its recipient; and when the window stops waiting for the
//! next step and offers to send the message once more. Time is passed in.

use std::time::{Duration, Instant};

use common::crypto::MessageId;

use crate::event::{DraftId, SealedAs};

use super::action::Peer;

/// How long a step may take: from the sealed message to its relay, and from there to the receipt.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The delivery state of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It came from someone else.
    Received,
    /// It cannot be sent yet, and goes out by itself as soon as it can; [`super::State::waits_for`] says what it waits for.
    Waiting(DraftId),
    /// It is being encrypted.
    Pending(DraftId),
    /// It is on its way to the server.
    Sent(DraftId, MessageId),
    /// The server has relayed it back to this client; whether to others, too, cannot be known from that.
    Relayed,
    /// The recipient's client has opened it, and said so in a receipt.
    Delivered,
    /// It was not sent, or may not have arrived; the reason is a sentence. A late relay or receipt ends this state.
    Failed(DraftId, String),
}

/// What is known of an own message besides what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The last attempt to send it.
    pub draft: DraftId,
    /// To whom that was.
    pub to: Peer,
    /// How it was sealed, once it was.
    pub sealed: Option<SealedAs>,
}

/// The next step of a message that has been sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The server relays it.
    Relay,
    /// Its recipient sends a receipt.
    Receipt,
}

/// The steps that are waited for.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited(Vec<(Instant, DraftId, Step)>);

impl Awaited {
    /// Waits for a step from now on.
    pub(super) fn begin(&mut self, draft: DraftId, step: Step, now: Instant) {
        self.end(draft);
        self.0.push((now + PATIENCE, draft, step));
    }

    /// Waits for no further step of this message.
    pub(super) fn end(&mut self, draft: DraftId) {
        self.0.retain(|(_, awaited, _)| *awaited != draft);
    }

    /// When [`Self::take_due`] has something to take.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().map(|(deadline, ..)| *deadline).min()
    }

    /// Takes the steps that have taken too long.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(DraftId, Step)> {
        let due = self.0.extract_if(.., |(deadline, ..)| *deadline <= now);
        due.map(|(_, draft, step)| (draft, step)).collect()
    }
}

/// What the window says of a step that has taken too long. `name` is the recipient's; `is_replaced` says that the dictionary
/// has a later session key of theirs than the one that the message was sealed to.
pub(super) fn overdue(step: Step, name: &str, is_replaced: bool) -> String {
    match (step, is_replaced) {
        (Step::Relay, _) => "The server has not relayed this message.".to_owned(),
        (Step::Receipt, false) => format!("{name}'s client has not confirmed this message."),
        (Step::Receipt, true) => format!(
            "{name}'s client has not confirmed this message. It was sealed for a session key that it has replaced."
        ),
    }
}
