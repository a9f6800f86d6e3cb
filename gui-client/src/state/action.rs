//! What a person can do in the window.

use std::time::Instant;

use common::{
    address::ServerAddress,
    crypto::{KeyId, MessageId},
    media::VideoId,
    name::Name,
    party::PartyId,
};

use crate::{
    event::{DraftId, FileRepair, Speed},
    settings::Notifications,
};

use super::{
    appearance::AppearanceAction,
    identity::IdentityAction,
    layout::LayoutAction,
    lists::ListsAction,
    player::{quality::QualityChoice, view::PlayerView},
    wire::WireAction,
};
pub use super::{layout::SidePanel, peer::Peer};

/// One point in time on the two clocks that the state needs. It is passed in, so that tests control time.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Monotonic, for durations: delays between attempts, the time from a click to a picture.
    pub instant: Instant,
    /// The calendar time at which a message is written, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
}

/// A conversation, seen from the open one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// The one above it in the list.
    Previous,
    /// The one below it in the list.
    Next,
    /// The next one below it with unread messages; after the last one, the first.
    NextUnread,
}

/// What the person does about parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartyAction {
    /// Start a party for the video in the player.
    Start,
    /// Join a party.
    Join(PartyId),
    /// Leave the party, and watch on alone.
    Leave,
    /// Do not invite to this party any more.
    Decline(PartyId),
}

/// One thing that the person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The address field holds this text now.
    EditAddress(String),
    /// The name field holds this text now.
    EditName(String),
    /// Connect to the server that was found at this address.
    JoinServer(ServerAddress),
    /// Type the address of a server instead of choosing one that was found.
    TypeAddress,
    /// Look for servers on the network.
    LookForServers,
    /// Connect with the address and the name in the form.
    Connect,
    /// Connect under the free name that the server suggested.
    ConnectAs(Name),
    /// Connect now instead of at the next automatic attempt.
    ReconnectNow,
    /// Unfold why the connection was lost (`true`), or fold it.
    ShowReasons(bool),
    /// The person has compared the new certificate of the server with its console (`true`), or takes that back.
    ConfirmCertificate(bool),
    /// Take the new certificate for that of the server, and connect. It must have been confirmed.
    TrustCertificate,
    /// Forget the certificate of the server, and go back to the form.
    ForgetServer,
    /// Have a file repaired that cannot be used, and connect.
    Repair(FileRepair),
    /// The certificate of the server was compared with its console and is the same (`true`), or that is taken back.
    MarkServer(bool),
    /// The notice about the first visit has been read.
    EndFirstVisitNotice,
    /// The notice about the file of the settings has been read.
    EndSettingsNotice,
    /// Something on the card for the key of the name in the form.
    Identity(IdentityAction),
    /// Give up an attempt, or leave the server, and go back to the form.
    Leave,
    /// Open a conversation.
    Select(Peer),
    /// The end of this conversation has come into sight (`true`), or has gone out of it.
    SeeEnd(Peer, bool),
    /// Show the safety number of the person with this key.
    OpenSafetyNumber(KeyId),
    /// Hide the safety number.
    CloseSafetyNumber,
    /// Take this key for the one of its name from now on.
    AcceptKey(KeyId),
    /// The safety number of this key was compared and is the same (`true`), or the mark is taken back.
    SetVerified(KeyId, bool),
    /// The composer of the open conversation holds this text now.
    EditDraft(String),
    /// Send the draft of the open conversation.
    Send,
    /// Open the conversation that is next in the list, or another one.
    GoTo(Neighbour),
    /// Take the envelope with this id apart on the wire.
    ShowEnvelope(MessageId),
    /// Send a failed message once more.
    Retry(DraftId),
    /// Take a message that waits to be sent back into the composer.
    Withdraw(DraftId),
    /// Switch the right column.
    ShowSide(SidePanel),
    /// Change what is shown, or how wide it is.
    Layout(LayoutAction),
    /// Change how the window looks.
    Appearance(AppearanceAction),
    /// Choose what the desktop shows of messages that arrive while the window is not in front.
    SetNotifications(Notifications),
    /// Give the right column most of the window (`true`), or its usual width.
    WidenSide(bool),
    /// Something on the wire.
    Wire(WireAction),
    /// List only the keys of people whose names hold this text.
    EditKeysFilter(String),
    /// Something in the lists of people and videos.
    Lists(ListsAction),
    /// Let others know what is watched here (`true`), or do not.
    ShowWatching(bool),
    /// Ask whether the link with this address is to be opened.
    AskAboutLink(String),
    /// Open the link that was asked about (`true`), or leave it.
    AnswerLink(bool),
    /// Play a video, from where it was left in this run or else from its start. If it is playing already, nothing happens;
    /// if it is paused, it continues.
    Watch(VideoId),
    /// Play the video in the player from its start.
    StartOver,
    /// Play the video that is this number of places further down the list, or up.
    WatchNeighbour(i8),
    /// The notice that a video went on where it was left has been read.
    EndResumeNotice,
    /// End the video that plays.
    StopWatching,
    /// Clear the player after the end of a video or a failure.
    ClosePlayer,
    /// Pause the video, or continue it; after its end, start again.
    TogglePause,
    /// Something about watching together.
    Party(PartyAction),
    /// Seek to a time in the stream, in nanoseconds.
    SeekTo(u64),
    /// Seek by this number of nanoseconds, forward or back.
    SeekBy(i64),
    /// Seek to this many tenths of the video.
    SeekToTenth(u8),
    /// Seek to the last picture.
    SeekToLast,
    /// Pause the video and step by this number of pictures, forward or back.
    Step(i32),
    /// The seek bar is pointed at, or its knob is moved, and the previews of the video have not been asked for.
    WantPreviews,
    /// Continue in another resolution, or as a triptych.
    SetQuality(QualityChoice),
    /// Play at this speed.
    SetSpeed(Speed),
    /// Play this number of steps faster, or slower.
    ChangeSpeed(i8),
    /// Set the volume, in percent.
    SetVolume(u8),
    /// Turn the volume up or down by this number of percentage points.
    ChangeVolume(i8),
    /// Mute or unmute the sound.
    ToggleMute,
    /// Show the statistics of the video, or hide them.
    ToggleStatistics,
    /// Give the player this room, or, if it has it, the room that it had before.
    ToggleView(PlayerView),
    /// Give the player the room that it had before.
    LeaveView,
    /// Show the page of all keys, or hide it.
    ToggleKeysPage,
}
