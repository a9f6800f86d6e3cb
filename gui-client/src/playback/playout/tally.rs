//! What became of the items of a stream, in figures.

use std::time::{Duration, Instant};

use common::media::StreamId;

/// Seeks whose times are remembered for the median; those beyond are only counted.
const MOST_SEEK_TIMES: usize = 1_000;

/// What became of the pictures and the sound of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pictures shown.
    pub shown: u64,
    /// Overdue before they were decoded.
    pub late_at_decoder: u64,
    /// Overdue after they were decoded.
    pub late_at_display: u64,
    /// No JPEG that can be read.
    pub broken: u64,
    /// Pictures and sound sent without credit.
    pub beyond_credit: u64,
    /// Pictures still waiting when the person went elsewhere in the stream.
    pub unshown_at_seek: u64,
    /// Pictures still waiting when the stream was stopped.
    pub unshown_at_stop: u64,
    /// Pictures and sound of a stream or an epoch that was over.
    pub stale: u64,
    /// How often the clock stood still for want of pictures or sound.
    pub stalls: u64,
    /// Sound chunks handed to the device.
    pub sounds_played: u64,
    /// Sound chunks whose time passed without a device.
    pub sounds_unheard: u64,
    /// How often sound ran out at the device while more was to come.
    pub under_runs: u64,
    /// How often the person went elsewhere in the stream, or to another quality.
    pub seeks: u64,
}

impl Tally {
    /// Pictures that should have been shown and were not.
    pub fn dropped(&self) -> u64 {
        self.late_at_decoder + self.late_at_display + self.broken + self.beyond_credit
    }
}

/// A stream in figures, for the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Which stream.
    pub stream: StreamId,
    /// What became of its items.
    pub tally: Tally,
    /// From the click to the first picture.
    pub first_picture_after: Option<Duration>,
    /// For how long pictures followed each other: without pauses and seeks.
    pub shown_for: Duration,
    /// How often one picture followed another in that time.
    pub intervals: u64,
    /// How far pictures were from their sound.
    pub offset: Offset,
    /// From a seek to its picture, the median.
    pub seek_median: Option<Duration>,
}

impl Summary {
    /// Pictures in a second, on average; 0 with fewer than two.
    pub fn mean_frames_per_second(&self) -> f64 {
        if self.shown_for.is_zero() { 0.0 } else { self.intervals as f64 / self.shown_for.as_secs_f64() }
    }
}

/// How far pictures were from their sound when they were shown, either way. The first picture of an epoch does not
/// count: it is shown as soon as it is there, before there is any sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    /// Pictures that had sound to compare with.
    pub count: u64,
    /// The largest.
    pub most: Duration,
    total: Duration,
}

impl Offset {
    pub(super) fn note(&mut self, offset: Duration) {
        self.count += 1;
        self.total += offset;
        self.most = self.most.max(offset);
    }

    /// The mean; none without sound.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| self.total.div_f64(self.count as f64))
    }
}

/// Takes the times for the summary.
#[derive(Debug)]
pub(super) struct Timing {
    asked_at: Instant,
    first_shown_at: Option<Instant>,
    /// Of the last picture, unless a pause or a seek lies between it and the next.
    last_shown_at: Option<Instant>,
    shown_for: Duration,
    intervals: u64,
    pub(super) offset: Offset,
    /// When the epoch was asked for whose picture is awaited.
    seek_asked_at: Option<Instant>,
    seek_times: Vec<Duration>,
}

impl Timing {
    pub(super) fn new(asked_at: Instant) -> Self {
        Self {
            asked_at,
            first_shown_at: None,
            last_shown_at: None,
            shown_for: Duration::ZERO,
            intervals: 0,
            offset: Offset::default(),
            seek_asked_at: None,
            seek_times: Vec::new(),
        }
    }

    /// The next picture does not follow the last one directly.
    pub(super) fn break_off(&mut self) {
        self.last_shown_at = None;
    }

    pub(super) fn seek(&mut self, now: Instant) {
        self.break_off();
        self.seek_asked_at = Some(now);
    }

    /// For how long a seek has waited for its picture.
    pub(super) fn seeking_for(&self, now: Instant) -> Option<Duration> {
        self.seek_asked_at.map(|asked_at| now.saturating_duration_since(asked_at))
    }

    pub(super) fn shown(&mut self, now: Instant) {
        self.first_shown_at.get_or_insert(now);
        if let Some(last) = self.last_shown_at.replace(now) {
            self.shown_for += now.saturating_duration_since(last);
            self.intervals += 1;
        }
        if let Some(asked_at) = self.seek_asked_at.take()
            && self.seek_times.len() < MOST_SEEK_TIMES
        {
            self.seek_times.push(now.saturating_duration_since(asked_at));
        }
    }

    pub(super) fn summary(&self, stream: StreamId, tally: Tally) -> Summary {
        let mut seek_times = self.seek_times.clone();
        seek_times.sort_unstable();
        Summary {
            stream,
            tally,
            first_picture_after: self.first_shown_at.map(|first| first.saturating_duration_since(self.asked_at)),
            shown_for: self.shown_for,
            intervals: self.intervals,
            offset: self.offset,
            seek_median: seek_times.get(seek_times.len() / 2).copied(),
        }
    }
}
