//! Watching together: a *party* is a group of people who have the same video at the same place. The server keeps, for each
//! party, a [`Schedule`]: where the video is at which time of the server's clock. The members follow it with their own
//! players, and change it with [`PartyAct`]s.

use serde::{Deserialize, Serialize};

use crate::{crypto::KeyId, media::VideoId};

/// Identifies a party at one server, which never gives the same number twice while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartyId(pub u64);

/// Where a video is when. Times are those of the server's clock: nanoseconds since a moment that stays the same while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The position in the stream …
    pub position_nanos: u64,
    /// … at this time, which may be in the future. Before it, the video is at this position, or on its way there.
    pub at_nanos: u64,
    /// Whether it plays from then on.
    pub is_playing: bool,
}

impl Schedule {
    /// The position in the stream at this time of the server's clock.
    pub fn position_at(&self, server_nanos: u64) -> u64 {
        let played_nanos = if self.is_playing { server_nanos.saturating_sub(self.at_nanos) } else { 0 };
        self.position_nanos.saturating_add(played_nanos)
    }
}

/// What a member does with the video of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartyAct {
    /// Goes on.
    Play,
    /// Stops where it is.
    Pause,
    /// Goes to this position, and plays on there if it plays.
    Seek {
        /// The position in the stream.
        position_nanos: u64,
    },
}

/// A party, as its members know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Its number.
    pub id: PartyId,
    /// Its video.
    pub video: VideoId,
    /// The number of acts so far.
    pub revision: u64,
    /// Where the video is when.
    pub schedule: Schedule,
    /// Who started the party, or did the last act.
    pub by: KeyId,
    /// The last act; `None` before the first.
    pub act: Option<PartyAct>,
}

/// What a member asks for, as to parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartyRequest {
    /// Start one, and leave any other. The answer is [`Party`].
    Start {
        /// The video, from the library.
        video: VideoId,
        /// The position at which it is for this member right now.
        position_nanos: u64,
        /// Whether it plays.
        is_playing: bool,
    },
    /// Become a member of one, and leave any other. The answer is [`Party`], or that it is over.
    Join(PartyId),
    /// Leave the party. So does a client that watches another video, and one whose connection ends.
    Leave,
    /// Do something with the video. Ignored when this client is not in this party, or when another member has acted since `revision`.
    Act {
        /// The party.
        party: PartyId,
        /// The revision that the member saw.
        revision: u64,
        /// What the member does.
        act: PartyAct,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_moves_from_its_time_on_and_only_while_it_plays() {
        let playing = Schedule { position_nanos: 500, at_nanos: 1_000, is_playing: true };
        assert_eq!([0, 1_000, 1_250].map(|time| playing.position_at(time)), [500, 500, 750]);
        let paused = Schedule { is_playing: false, ..playing };
        assert_eq!([0, 1_000, 1_250].map(|time| paused.position_at(time)), [500, 500, 500]);
        let endless = Schedule { position_nanos: u64::MAX - 1, ..playing };
        assert_eq!(endless.position_at(u64::MAX), u64::MAX);
    }
}
