//! The ladder for slow links: finds the delivery that the link carries, made only of frames that other viewers use too.
//!
//! It is pure: every call passes the time. [`mod@levels`] says which deliveries there are and what they take, [`rate`] how fast the
//! link is, and [`law`] when to change.

pub mod law;
pub mod levels;
pub mod rate;

#[cfg(test)]
mod model;
#[cfg(test)]
mod model_tests;

use std::time::{Duration, Instant};

use common::media::{Delivery, PictureHead, SegmentInfo, SoundFormat, StreamStart, VariantInfo};

use self::{
    law::Law,
    levels::{Level, PictureSizes, Terms, levels},
    rate::PartArrival,
};
use super::playout::{GRANT_LOT_ITEMS, Supply, WINDOW_ITEMS};
use crate::event::{LadderSettings, Speed};

/// Below the best level, credit is granted in lots of this size: a train long enough to measure the link.
const MEASURING_LOT_ITEMS: u32 = 12;

/// Decisions are at least this far apart.
const DECISION_INTERVAL: Duration = Duration::from_millis(20);

/// Chunks of sound for each second.
const CHUNKS_PER_SECOND: f64 = 10.0;

/// The ladder of one stream.
#[derive(Debug, Default)]
pub struct Ladder {
    settings: LadderSettings,
    speed: Speed,
    sizes: PictureSizes,
    segments: Vec<SegmentInfo>,
    duration_nanos: u64,
    has_sound: bool,
    /// Whether the server sent PCM although it was asked for Opus.
    lacks_opus: bool,
    delivery: Delivery,
    law: Law,
    decided_at: Option<Instant>,
    wanted: Option<Delivery>,
    link_bytes_per_second: Option<f64>,
}

impl Ladder {
    /// Begins a stream of a video with these variants. What is known of the link is kept.
    pub fn begin(&mut self, variants: &[VariantInfo], delivery: Delivery) {
        self.sizes = PictureSizes::new(variants);
        self.segments.clear();
        self.set_delivery(delivery);
    }

    /// Says how the epoch is delivered that has just begun.
    pub fn set_delivery(&mut self, delivery: Delivery) {
        (self.delivery, self.wanted) = (delivery, None);
    }

    /// Sets what it may do.
    pub fn set(&mut self, settings: LadderSettings) {
        if self.settings != settings {
            self.settings = settings;
            self.wanted = None;
        }
    }

    /// Says at which speed streams are played from now on: at double speed, a link has to carry twice as much.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// Takes in what the server says about the stream.
    pub fn started(&mut self, start: &StreamStart) {
        self.segments.clone_from(&start.segments);
        self.duration_nanos = start.duration_nanos;
        self.has_sound = start.has_sound;
        if self.delivery.sound == SoundFormat::Opus && start.delivery.sound == SoundFormat::Pcm {
            self.lacks_opus = true;
            self.delivery.sound = SoundFormat::Pcm;
        }
    }

    /// Another epoch begins with an empty buffer.
    pub fn sought(&mut self) {
        self.wanted = None;
        self.law.sought();
    }

    /// Another epoch begins that continues the one before.
    pub fn continued(&mut self, delivery: Delivery, arrived_until: Duration, now: Instant) {
        let is_up = self.terms(arrived_until).is_some_and(|terms| {
            let takes = |delivery| Level::of(delivery, &terms, &self.sizes).bytes_per_second;
            takes(&delivery) > takes(&self.delivery)
        });
        (self.delivery, self.wanted) = (delivery, None);
        self.law.changed(is_up, now);
    }

    /// Takes in that a part of an item arrived.
    pub fn arrived(&mut self, part: PartArrival, now: Instant) {
        self.law.arrived(part, now);
    }

    /// Takes in that a picture is whole.
    pub fn picture(&mut self, head: &PictureHead, jpeg_bytes: usize) {
        self.sizes.note(head.height, jpeg_bytes);
    }

    /// Takes in that credit was granted.
    pub fn granted(&mut self, items: u32, now: Instant) {
        self.law.granted(items, now);
    }

    /// The size of the lots in which credit is to be granted.
    pub fn lot_items(&self) -> u32 {
        if self.settings.is_automatic && self.delivery != self.best() { MEASURING_LOT_ITEMS } else { GRANT_LOT_ITEMS }
    }

    fn best(&self) -> Delivery {
        Delivery { max_height: self.settings.max_height, ..Delivery::FULL }
    }

    /// The delivery to change to; `None` to stay. To be asked whenever something arrives, and now and then when nothing
    /// does.
    pub fn decide(&mut self, supply: Option<Supply>, arrived_until: Duration, now: Instant) -> Option<Delivery> {
        if self.decided_at.is_some_and(|at| now.saturating_duration_since(at) < DECISION_INTERVAL) {
            return self.wanted;
        }
        self.decided_at = Some(now);
        let rate = self.law.rate(now);
        if self.wanted.is_none() && rate.slow.is_some() {
            self.link_bytes_per_second = rate.slow;
        }
        let terms = self.terms(arrived_until)?;
        let current = Level::of(&self.delivery, &terms, &self.sizes);
        let levels = levels(&terms, &self.sizes);
        let pictures_per_second = terms.pictures_per_second / f64::from(current.picture_step);
        let chunks_per_second = if terms.has_sound { CHUNKS_PER_SECOND * terms.speed_factor } else { 0.0 };
        let span = f64::from(WINDOW_ITEMS) / (pictures_per_second + chunks_per_second).max(1.0);
        // Everything here is for a second that passes, not for one of the stream.
        let supply = supply.map(|supply| Supply { buffered: self.speed.real_time(supply.buffered), ..supply });
        let place = self.law.decide(now, supply, Duration::from_secs_f64(span), &current, &levels);
        if self.settings.is_automatic && self.wanted.is_none() {
            // The reason of a change is what was measured last; over seconds, it is mixed with what was before.
            self.link_bytes_per_second = rate.fast.filter(|_| place.is_some()).or(self.link_bytes_per_second);
            self.wanted = place.map(|place| levels[place].delivery(&terms)).filter(|wanted| *wanted != self.delivery);
        }
        self.wanted
    }

    /// The delivery to change to, as decided last.
    pub fn wanted(&self) -> Option<Delivery> {
        self.wanted
    }

    /// What the link carries, in bytes for each second; `None` until it was measured.
    pub fn link_bytes_per_second(&self) -> Option<f64> {
        self.link_bytes_per_second
    }

    /// What the stream is made of at this time.
    fn terms(&self, at: Duration) -> Option<Terms> {
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let place = self.segments.partition_point(|segment| segment.start_nanos <= nanos).saturating_sub(1);
        let segment = self.segments.get(place)?;
        let end_nanos = self.segments.get(place + 1).map_or(self.duration_nanos, |next| next.start_nanos);
        let seconds = end_nanos.saturating_sub(segment.start_nanos) as f64 / 1e9;
        Some(Terms {
            height: segment.height,
            pictures_per_second: f64::from(segment.frame_count) / seconds.max(0.001) * self.speed.factor(),
            speed_factor: self.speed.factor(),
            has_sound: self.has_sound,
            max_height: self.settings.max_height,
            has_opus: !self.lacks_opus,
        })
    }
}

#[cfg(test)]
mod tests {
    use common::media::{Epoch, StreamId, VideoId};

    use super::*;

    #[test]
    fn at_double_speed_a_link_has_to_carry_twice_as_much() {
        let mut ladder = Ladder::default();
        ladder.begin(&model::variants(), Delivery::FULL);
        let segment = SegmentInfo { height: 1440, first_index: 0, frame_count: 250, start_nanos: 0, sent_height: 1440 };
        ladder.started(&StreamStart {
            stream: StreamId(1),
            epoch: Epoch(0),
            video: VideoId(1),
            duration_nanos: 10_000_000_000,
            frame_count: 250,
            segments: vec![segment],
            first_index: 0,
            has_sound: true,
            delivery: Delivery::FULL,
        });
        let takes = |ladder: &Ladder| {
            let terms = ladder.terms(Duration::ZERO).expect("the stream has begun");
            Level::of(&Delivery::FULL, &terms, &ladder.sizes).bytes_per_second
        };
        let normal = takes(&ladder);
        ladder.set_speed(Speed::nearest(200));
        assert!((takes(&ladder) / normal - 2.0).abs() < 1e-9, "pictures and sound");
    }
}
