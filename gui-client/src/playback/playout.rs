//! Which picture is due: a pure buffer between the network, the decoder and the screen. It knows no thread and no
//! clock; every call brings the time along.
//!
//! The clock of a stream starts when its first picture is shown and runs at the speed of time, so pictures are paced by
//! their timestamps. When the server leaves us without pictures the clock stands still ("buffering") and nothing is
//! dropped; when this computer is too slow the clock runs on, and pictures that are overdue are dropped, before
//! they are decoded if possible.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{PictureHead, StreamId};

/// Pictures that the server may have on their way to us or that wait here undecoded: 0.8 s at 30 frames/s, and about
/// 15 MB at 1440p.
pub const WINDOW_PICTURES: u32 = 24;

/// Decoded pictures that wait for their time. Few: one of 2560x1440 takes 14.7 MB.
pub const LOOKAHEAD_PICTURES: usize = 4;

/// Credit is returned in lots of this size, to spare the wire a message for each picture.
const GRANT_LOT_PICTURES: u32 = 4;

/// A picture that is later than this is dropped if a later one is due as well. Up to it, a hiccup of the window is made
/// up for by showing pictures in quick succession.
const LATENESS_LIMIT: Duration = Duration::from_millis(150);

/// A picture is shown up to this long before its time, because timers round.
const EARLINESS_LIMIT: Duration = Duration::from_millis(2);

/// After a stall the clock goes on once so many pictures wait …
const RESUME_PICTURES: usize = 8;

/// … or so much of the stream.
const RESUME_SPAN: Duration = Duration::from_millis(300);

/// Why the picture stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The server or the network leaves us without pictures.
    Source,
    /// Pictures wait, but this computer has not decoded the next one yet.
    Decoder,
}

/// What became of a picture that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It waits for the decoder.
    Queued,
    /// It belongs to a stream that is over.
    Stale,
    /// The server sent more than was granted.
    BeyondCredit,
}

/// What became of the pictures of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Shown.
    pub shown: u64,
    /// Overdue before they were decoded.
    pub late_at_decoder: u64,
    /// Overdue after they were decoded.
    pub late_at_display: u64,
    /// No JPEG that can be read.
    pub broken: u64,
    /// Still waiting when the stream was stopped.
    pub unshown_at_stop: u64,
    /// Sent without credit.
    pub beyond_credit: u64,
    /// Of a stream that was over.
    pub stale: u64,
    /// How often the clock stood still for want of pictures.
    pub stalls: u64,
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
    /// What became of its pictures.
    pub tally: Tally,
    /// From the click to the first picture.
    pub first_picture_after: Option<Duration>,
    /// From the first picture to the last.
    pub shown_for: Duration,
}

impl Summary {
    /// Pictures in a second, on average; 0 with fewer than two.
    pub fn mean_frames_per_second(&self) -> f64 {
        let intervals = self.tally.shown.saturating_sub(1) as f64;
        if self.shown_for.is_zero() { 0.0 } else { intervals / self.shown_for.as_secs_f64() }
    }
}

#[derive(Debug, Clone, Copy)]
enum Clock {
    /// No picture was shown yet.
    Unstarted,
    /// Time in the stream counts from here.
    Running { zero: Instant },
    /// Stands still at this time in the stream.
    Held { at: Duration },
}

/// The buffer. `E` is a picture as it came, `P` one to show.
#[derive(Debug)]
pub struct Playout<E, P> {
    stream: Option<Stream>,
    encoded: VecDeque<(PictureHead, E)>,
    decoding: Option<(StreamId, u32)>,
    decoded: VecDeque<(PictureHead, P)>,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    clock: Clock,
    asked_at: Instant,
    first_shown_at: Option<Instant>,
    last_shown_at: Option<Instant>,
    last_shown: Option<PictureHead>,
    is_source_ended: bool,
    outstanding_credit: u32,
    owed_credit: u32,
    tally: Tally,
}

impl<E, P> Default for Playout<E, P> {
    fn default() -> Self {
        Self { stream: None, encoded: VecDeque::new(), decoding: None, decoded: VecDeque::new() }
    }
}

impl<E, P> Playout<E, P> {
    /// Begins a stream; what is left of the one before falls away, and its figures come back.
    pub fn begin(&mut self, id: StreamId, now: Instant) -> Option<Summary> {
        let summary = self.stop();
        self.stream = Some(Stream {
            id,
            clock: Clock::Unstarted,
            asked_at: now,
            first_shown_at: None,
            last_shown_at: None,
            last_shown: None,
            is_source_ended: false,
            outstanding_credit: 0,
            owed_credit: WINDOW_PICTURES,
            tally: Tally::default(),
        });
        summary
    }

    /// Ends the stream at once and gives its figures.
    pub fn stop(&mut self) -> Option<Summary> {
        let id = self.stream();
        let is_decoding = self.decoding.is_some_and(|(stream, _)| Some(stream) == id);
        let waiting = self.encoded.len() + self.decoded.len() + usize::from(is_decoding);
        self.encoded.clear();
        self.decoded.clear();
        let mut stream = self.stream.take()?;
        stream.tally.unshown_at_stop = waiting as u64;
        Some(stream.summary())
    }

    /// The stream that plays.
    pub fn stream(&self) -> Option<StreamId> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// Takes in a picture from the server.
    pub fn arrive(&mut self, head: PictureHead, encoded: E, now: Instant) -> Arrival {
        let is_drained = self.encoded.is_empty() && self.decoded.is_empty();
        let Some(stream) = &mut self.stream else { return Arrival::Stale };
        if head.stream != stream.id {
            stream.tally.stale += 1;
            return Arrival::Stale;
        }
        if stream.outstanding_credit == 0 {
            stream.tally.beyond_credit += 1;
            return Arrival::BeyondCredit;
        }
        stream.outstanding_credit -= 1;
        if is_drained && stream.position(now).is_some_and(|position| position > pts(&head)) {
            // Late although credit was there and nothing waited here: not our doing, so the clock waits for it.
            stream.hold(pts(&head));
        }
        self.encoded.push_back((head, encoded));
        self.resume_if_filled(now);
        Arrival::Queued
    }

    /// No more pictures follow those that have arrived.
    pub fn source_ended(&mut self, id: StreamId, now: Instant) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.id == id) {
            stream.is_source_ended = true;
            self.resume_if_filled(now);
        }
    }

    /// The next picture to decode, when there is room for it. Overdue ones are dropped on the way.
    pub fn next_job(&mut self, now: Instant) -> Option<(PictureHead, E)> {
        if self.decoding.is_some() || self.decoded.len() >= LOOKAHEAD_PICTURES {
            return None;
        }
        let stream = self.stream.as_mut()?;
        if let Some(position) = stream.running_position(now)
            && let Some((front, _)) = self.encoded.front()
            && position > pts(front) + LATENESS_LIMIT
        {
            // Too slow: go on with the first picture that is not due yet, or else the last one there is.
            while self.encoded.get(1).is_some_and(|(second, _)| pts(second) <= position) {
                self.encoded.pop_front();
                stream.tally.late_at_decoder += 1;
                stream.owed_credit += 1;
            }
        }
        let job = self.encoded.pop_front()?;
        self.decoding = Some((job.0.stream, job.0.index));
        Some(job)
    }

    /// Takes a picture back from the decoder; `None` when it could not be read. Returns whether it was wanted.
    pub fn finish_job(&mut self, head: PictureHead, picture: Option<P>, now: Instant) -> bool {
        self.decoding = None;
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.id == head.stream) else { return false };
        match picture {
            Some(picture) => self.decoded.push_back((head, picture)),
            None => {
                stream.tally.broken += 1;
                stream.owed_credit += 1;
            }
        }
        self.resume_if_filled(now);
        true
    }

    /// The picture to show now, when there is a new one. Called at [`Self::next_due`] and whenever else.
    pub fn due(&mut self, now: Instant) -> Option<(PictureHead, P)> {
        let stream = self.stream.as_mut()?;
        let Some(position) = stream.position(now) else {
            // The first picture starts the clock.
            let (head, picture) = self.decoded.pop_front()?;
            stream.clock = Clock::Running { zero: now.checked_sub(pts(&head)).unwrap_or(now) };
            stream.shown(head, now);
            return Some((head, picture));
        };
        while self.decoded.len() > 1
            && position > pts(&self.decoded[0].0) + LATENESS_LIMIT
            && position >= pts(&self.decoded[1].0)
        {
            self.decoded.pop_front();
            stream.tally.late_at_display += 1;
            stream.owed_credit += 1;
        }
        if self.decoded.front().is_some_and(|(head, _)| position + EARLINESS_LIMIT >= pts(head)) {
            let (head, picture) = self.decoded.pop_front()?;
            stream.shown(head, now);
            return Some((head, picture));
        }
        let is_dry = self.decoded.is_empty() && self.encoded.is_empty() && self.decoding.is_none();
        if is_dry
            && !stream.is_source_ended
            && let Some(end) = stream.last_shown.as_ref().map(end_of)
            && position > end
        {
            stream.hold(end);
        }
        None
    }

    /// When [`Self::due`] will have something new to say, as far as is known. Pictures that are still being decoded
    /// announce themselves.
    pub fn next_due(&self) -> Option<Instant> {
        let stream = self.stream.as_ref()?;
        let Clock::Running { zero } = stream.clock else { return None };
        match self.decoded.front() {
            Some((head, _)) => Some(zero + pts(head)),
            None if self.encoded.is_empty() && self.decoding.is_none() => {
                // Nothing follows: this is when the last picture has stood its time, or when the stall begins.
                stream.last_shown.as_ref().map(|head| zero + end_of(head) + EARLINESS_LIMIT)
            }
            None => None,
        }
    }

    /// Credit to be granted to the server now.
    pub fn take_credit(&mut self) -> Option<(StreamId, u32)> {
        let stream = self.stream.as_mut().filter(|stream| !stream.is_source_ended)?;
        if stream.owed_credit < GRANT_LOT_PICTURES {
            return None;
        }
        let pictures = std::mem::take(&mut stream.owed_credit);
        stream.outstanding_credit += pictures;
        Some((stream.id, pictures))
    }

    /// Time in the stream at `now`: of the clock, or of the picture that stands still.
    pub fn position(&self, now: Instant) -> Duration {
        let Some(stream) = &self.stream else { return Duration::ZERO };
        let shown_end = stream.last_shown.as_ref().map_or(Duration::ZERO, end_of);
        stream.position(now).unwrap_or_default().min(shown_end)
    }

    /// Decoded pictures that wait for their time.
    pub fn decoded_count(&self) -> usize {
        self.decoded.len()
    }

    /// The picture that was shown last.
    pub fn last_shown(&self) -> Option<PictureHead> {
        self.stream.as_ref()?.last_shown
    }

    /// Why the picture stands still although it should not.
    pub fn hold(&self, now: Instant) -> Option<Hold> {
        let stream = self.stream.as_ref()?;
        match stream.clock {
            Clock::Unstarted => None,
            Clock::Held { .. } => Some(Hold::Source),
            Clock::Running { .. } => {
                let is_waiting = !self.encoded.is_empty() || self.decoding.is_some();
                let end = end_of(stream.last_shown.as_ref()?);
                let is_overdue = stream.position(now)? > end + LATENESS_LIMIT.saturating_mul(2);
                (self.decoded.is_empty() && is_waiting && is_overdue).then_some(Hold::Decoder)
            }
        }
    }

    /// Whether everything that came was shown and has stood its time.
    pub fn is_finished(&self, now: Instant) -> bool {
        let Some(stream) = &self.stream else { return false };
        let is_dry = self.decoded.is_empty() && self.encoded.is_empty() && self.decoding.is_none();
        let has_stood = match (stream.position(now), &stream.last_shown) {
            (Some(position), Some(head)) => position >= end_of(head),
            _ => true,
        };
        stream.is_source_ended && is_dry && has_stood
    }

    fn resume_if_filled(&mut self, now: Instant) {
        let Some(stream) = &mut self.stream else { return };
        let Clock::Held { at } = stream.clock else { return };
        let waiting = self.decoded.len() + self.encoded.len() + usize::from(self.decoding.is_some());
        let newest = self.encoded.back().map(|(head, _)| head).or(self.decoded.back().map(|(head, _)| head));
        let span = newest.map_or(Duration::ZERO, |head| end_of(head).saturating_sub(at));
        let is_filled = waiting >= RESUME_PICTURES || span >= RESUME_SPAN || stream.is_source_ended;
        if is_filled && (!self.decoded.is_empty() || waiting == 0) {
            stream.clock = Clock::Running { zero: now.checked_sub(at).unwrap_or(now) };
        }
    }
}

impl Stream {
    /// Time in the stream, once the clock has started.
    fn position(&self, now: Instant) -> Option<Duration> {
        match self.clock {
            Clock::Unstarted => None,
            Clock::Running { zero } => Some(now.saturating_duration_since(zero)),
            Clock::Held { at } => Some(at),
        }
    }

    fn running_position(&self, now: Instant) -> Option<Duration> {
        matches!(self.clock, Clock::Running { .. }).then(|| self.position(now)).flatten()
    }

    fn hold(&mut self, at: Duration) {
        if !matches!(self.clock, Clock::Held { .. }) {
            self.tally.stalls += 1;
            self.clock = Clock::Held { at };
        }
    }

    fn shown(&mut self, head: PictureHead, now: Instant) {
        self.first_shown_at.get_or_insert(now);
        self.last_shown_at = Some(now);
        self.last_shown = Some(head);
        self.tally.shown += 1;
        self.owed_credit += 1;
    }

    fn summary(&self) -> Summary {
        let first = self.first_shown_at;
        let shown_for = first.zip(self.last_shown_at).map_or(Duration::ZERO, |(first, last)| last - first);
        let first_picture_after = first.map(|first| first.saturating_duration_since(self.asked_at));
        Summary { stream: self.id, tally: self.tally, first_picture_after, shown_for }
    }
}

fn pts(head: &PictureHead) -> Duration {
    Duration::from_nanos(head.pts_nanos)
}

fn end_of(head: &PictureHead) -> Duration {
    Duration::from_nanos(head.pts_nanos.saturating_add(head.duration_nanos))
}
