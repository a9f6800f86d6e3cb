//! Figures of the stream that plays: what the player counts and measures of it. Plain data, which the player fills and the
//! state turns into rates and texts.

use std::time::Duration;

use common::media::{Origin, PictureHead, StreamId};

/// What happened to the pictures and the sound of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pictures shown.
    pub shown: u64,
    /// Pictures received and buffered.
    pub received: u64,
    /// Stream time that these pictures last.
    pub received_span: Duration,
    /// Bytes of the pictures and the sound received.
    pub received_bytes: u64,
    /// Pictures received that the server held in memory.
    pub from_memory: u64,
    /// Pictures received that the server read from its disk.
    pub from_disk: u64,
    /// Pictures received that the server decoded for this or another viewer who waited.
    pub from_decoder: u64,
    /// Pictures dropped because they were overdue before they were decoded.
    pub late_at_decoder: u64,
    /// Pictures dropped because they were overdue after they were decoded.
    pub late_at_display: u64,
    /// Pictures that could not be decoded.
    pub broken: u64,
    /// Packets of sound that could not be decoded, and were silent.
    pub broken_sounds: u64,
    /// Pictures and sound chunks that the server sent without credit.
    pub beyond_credit: u64,
    /// Pictures still buffered at a seek or a change of quality.
    pub unshown_at_seek: u64,
    /// Pictures still buffered when the stream was stopped.
    pub unshown_at_stop: u64,
    /// Pictures and sound chunks of a stream or an epoch that was over.
    pub stale: u64,
    /// Pictures and sound chunks of an epoch that continues another, which were there already.
    pub repeated: u64,
    /// Stalls: times that the clock stopped because pictures or sound were missing.
    pub stalls: u64,
    /// Sound chunks handed to the device.
    pub sounds_played: u64,
    /// Sound chunks whose time passed while there was no device.
    pub sounds_unheard: u64,
    /// Times that the device ran out of samples before the end of the sound.
    pub under_runs: u64,
    /// Seeks and changes of quality.
    pub seeks: u64,
}

impl Tally {
    /// Counts a picture that was received and buffered.
    pub fn receive(&mut self, head: &PictureHead) {
        self.received += 1;
        self.received_span += Duration::from_nanos(head.duration_nanos);
        match head.origin {
            Origin::Memory => self.from_memory += 1,
            Origin::Disk => self.from_disk += 1,
            Origin::Decoder => self.from_decoder += 1,
        }
    }

    /// Pictures that should have been shown and were not.
    pub fn dropped(&self) -> u64 {
        self.late_at_decoder + self.late_at_display + self.broken + self.beyond_credit
    }
}

/// The figures of a stream at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// The stream that they are about.
    pub stream: StreamId,
    /// Counters since its beginning.
    pub tally: Tally,
    /// Stream time from the position to the end of the last picture that waits here.
    pub buffered: Duration,
    /// Pictures that wait here, decoded or not.
    pub buffered_pictures: usize,
    /// From the click to the first picture; `None` before it.
    pub first_picture_after: Option<Duration>,
    /// From the last seek or change of quality to its picture; `None` before the first.
    pub seek_picture_after: Option<Duration>,
    /// Time that this computer takes to decode a picture; `None` before the first.
    pub decoding: Option<DecodingTime>,
}

/// The time that this computer takes to decode a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodingTime {
    /// Smoothed over about the last eight pictures.
    pub recent: Duration,
    /// The longest.
    pub most: Duration,
}
