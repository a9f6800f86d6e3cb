//! What a person can do.

use std::time::Instant;

use common::{
    crypto::KeyId,
    media::{Quality, VideoId},
    name::Name,
};

use crate::event::DraftId;

/// One point in time on the two clocks that the state needs. Injected, so that tests own time.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// For durations: retries, the time from a click to a picture.
    pub instant: Instant,
    /// For people: when a message was written, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
}

/// With whom a conversation is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// All who are online, each by an own key.
    Everyone,
    /// Whoever holds this key.
    Person(KeyId),
}

/// What stands at the right of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SidePanel {
    /// The conversation with the selected peer.
    Conversation,
    /// Every envelope that passed by.
    Wire,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Typed in the address field.
    EditAddress(String),
    /// Typed in the name field.
    EditName(String),
    /// Wants in, with what the form holds.
    Connect,
    /// Takes the name that the server offers.
    ConnectAs(Name),
    /// Does not wait for the next automatic try.
    ReconnectNow,
    /// Gives up an attempt, or leaves the server.
    Leave,
    /// Opens a conversation.
    Select(Peer),
    /// Typed in the composer of the selected conversation.
    EditDraft(String),
    /// Sends what the composer of the selected conversation holds.
    Send,
    /// Sends a failed message once more.
    Retry(DraftId),
    /// Turns the panel at the right to the conversation or to the wire.
    ShowSide(SidePanel),
    /// Plays a video from its start.
    Watch(VideoId),
    /// Ends what plays.
    StopWatching,
    /// Takes away what is left on the picture's place after an end or a failure.
    ClosePlayer,
    /// Has the video stand still, or go on; after its end, begin again.
    TogglePause,
    /// Goes to a time in the stream, in nanoseconds.
    SeekTo(u64),
    /// Goes so many nanoseconds ahead or back.
    SeekBy(i64),
    /// Goes to the last picture.
    SeekToLast,
    /// Has the video stand still, so many pictures ahead or back.
    Step(i32),
    /// Goes on with other frames.
    SetQuality(Quality),
    /// Sets the volume, in percent.
    SetVolume(u8),
    /// Turns the volume up or down, in percent points.
    ChangeVolume(i8),
    /// Turns the sound off, or on again.
    ToggleMute,
}
