//! Times of a stream, for the log and for the statistics in the window.

use std::time::{Duration, Instant};

use common::media::StreamId;

use crate::figures::{DecodingTime, Tally};

/// Seek times that are kept for the median; further seeks are only counted.
const MOST_SEEK_TIMES: usize = 1_000;

/// Figures of one stream, for the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The stream that they are about.
    pub stream: StreamId,
    /// Counters of its items.
    pub tally: Tally,
    /// From the click to the first picture; `None` when none was shown.
    pub first_picture_after: Option<Duration>,
    /// Time during which pictures followed each other, without pauses and seeks.
    pub shown_for: Duration,
    /// Number of times that a picture followed another in that time.
    pub intervals: u64,
    /// Lip-sync error.
    pub offset: Offset,
    /// Median time from a seek to its picture.
    pub seek_median: Option<Duration>,
}

impl Summary {
    /// Average frames per second; 0 with fewer than two pictures.
    pub fn mean_frames_per_second(&self) -> f64 {
        if self.shown_for.is_zero() { 0.0 } else { self.intervals as f64 / self.shown_for.as_secs_f64() }
    }
}

/// Lip-sync error: distance of pictures from their sound when they were shown, in either direction. The first picture of an
/// epoch does not count, because it is shown as soon as it is decoded, before there is any sound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    /// Number of pictures that were compared with sound.
    pub count: u64,
    /// The largest error.
    pub most: Duration,
    total: Duration,
}

impl Offset {
    pub(super) fn note(&mut self, offset: Duration) {
        self.count += 1;
        self.total += offset;
        self.most = self.most.max(offset);
    }

    /// The mean error; `None` without sound.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| self.total.div_f64(self.count as f64))
    }
}

/// Measures times for the summary.
#[derive(Debug)]
pub(super) struct Timing {
    requested_at: Instant,
    first_shown_at: Option<Instant>,
    /// When the last picture was shown; `None` after a pause or a seek.
    last_shown_at: Option<Instant>,
    shown_for: Duration,
    intervals: u64,
    pub(super) offset: Offset,
    /// When the seek was made whose picture has not been shown yet.
    seek_requested_at: Option<Instant>,
    seek_times: Vec<Duration>,
    last_seek: Option<Duration>,
    pub(super) decoding: Option<DecodingTime>,
}

impl Timing {
    pub(super) fn new(requested_at: Instant) -> Self {
        Self {
            requested_at,
            first_shown_at: None,
            last_shown_at: None,
            shown_for: Duration::ZERO,
            intervals: 0,
            offset: Offset::default(),
            seek_requested_at: None,
            seek_times: Vec::new(),
            last_seek: None,
            decoding: None,
        }
    }

    /// The next picture does not follow the last one directly, so the time between them does not count.
    pub(super) fn interrupt(&mut self) {
        self.last_shown_at = None;
    }

    pub(super) fn seek(&mut self, now: Instant) {
        self.interrupt();
        self.seek_requested_at = Some(now);
    }

    /// How long a seek has been waiting for its picture; `None` without one.
    pub(super) fn seeking_for(&self, now: Instant) -> Option<Duration> {
        self.seek_requested_at.map(|requested_at| now.saturating_duration_since(requested_at))
    }

    pub(super) fn shown(&mut self, now: Instant) {
        self.first_shown_at.get_or_insert(now);
        if let Some(last) = self.last_shown_at.replace(now) {
            self.shown_for += now.saturating_duration_since(last);
            self.intervals += 1;
        }
        if let Some(requested_at) = self.seek_requested_at.take() {
            let waited = now.saturating_duration_since(requested_at);
            self.last_seek = Some(waited);
            if self.seek_times.len() < MOST_SEEK_TIMES {
                self.seek_times.push(waited);
            }
        }
    }

    /// Takes in how long this computer took to decode a picture.
    pub(super) fn decoded(&mut self, took: Duration) {
        let DecodingTime { recent, most } = self.decoding.unwrap_or(DecodingTime { recent: took, most: took });
        self.decoding = Some(DecodingTime { recent: (recent * 7 + took) / 8, most: most.max(took) });
    }

    /// From the click to the first picture.
    pub(super) fn first_picture_after(&self) -> Option<Duration> {
        self.first_shown_at.map(|first| first.saturating_duration_since(self.requested_at))
    }

    /// From the last seek to its picture.
    pub(super) fn last_seek(&self) -> Option<Duration> {
        self.last_seek
    }

    pub(super) fn summary(&self, stream: StreamId, tally: Tally) -> Summary {
        let mut seek_times = self.seek_times.clone();
        seek_times.sort_unstable();
        Summary {
            stream,
            tally,
            first_picture_after: self.first_picture_after(),
            shown_for: self.shown_for,
            intervals: self.intervals,
            offset: self.offset,
            seek_median: seek_times.get(seek_times.len() / 2).copied(),
        }
    }
}
