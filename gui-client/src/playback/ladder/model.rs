//! A model of a server, a link and a client, in steps of a millisecond: the real playout buffer and the real ladder on a link
//! whose rate changes.
//!
//! ```text
//! reader ─credit─> lane (2 items) ─parts─> socket and queue (bounded) ─rate(t)─> delay, jitter ─> ladder, playout
//!    ^                                                                                                   │
//!    └───────────────── delay <── Grant, SetQuality ─────────────────────────────────────────────────────┘
//! ```

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{
    Delivery, Epoch, Origin, PictureHead, Position, SegmentInfo, SoundFormat, SoundHead, StreamId, StreamStart,
    VariantInfo, VideoId,
};

use super::{Ladder, levels::Level, rate::PartArrival};
use crate::{event::LadderSettings, playback::playout::Playout};

const STREAM: StreamId = StreamId(1);
const PART_BYTES: usize = 32 * 1024;
const CHUNK: Duration = Duration::from_millis(100);
const PCM_CHUNK_BYTES: usize = 19_200;
const OPUS_CHUNK_BYTES: usize = 1_250;
const LANE_ITEMS: usize = 2;

/// Mbit/s as bytes per millisecond.
pub(super) fn mbit(mbit: f64) -> f64 {
    mbit * 125.0
}

/// What the link and both ends do.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// From which millisecond on the link carries how many bytes per millisecond.
    pub(super) rates: Vec<(u64, f64)>,
    pub(super) round_trip_millis: u64,
    pub(super) jitter_millis: u64,
    /// Bytes in the socket and in the queue before the link, besides what the round trip takes.
    pub(super) queue_bytes: usize,
    /// Bytes that pass at once after a pause.
    pub(super) burst_bytes: f64,
    /// From when to when the server makes no pictures.
    pub(super) server_pauses: Vec<(u64, u64)>,
    /// Milliseconds that the server needs to make a picture.
    pub(super) server_picture_millis: u64,
    /// Milliseconds that the client needs to decode a picture.
    pub(super) decode_millis: u64,
    /// Relative variation of the pictures' sizes.
    pub(super) size_variation: f64,
    pub(super) pictures_per_second: u32,
    pub(super) has_sound: bool,
    /// Whether the server sends sound in Opus when it is asked to.
    pub(super) has_opus: bool,
    /// Heights of the segments, which are equally long; all are variants.
    pub(super) segments: Vec<u32>,
    pub(super) seconds: u64,
    /// When the player is paused, and goes on.
    pub(super) paused: Option<(u64, u64)>,
    /// When nothing is taken out for the screen.
    pub(super) hidden: Option<(u64, u64)>,
    /// When the person seeks to the beginning.
    pub(super) seeks: Vec<u64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            rates: vec![(0, mbit(200.0))],
            round_trip_millis: 4,
            jitter_millis: 0,
            queue_bytes: 96 * 1024,
            burst_bytes: 0.0,
            server_pauses: Vec::new(),
            server_picture_millis: 1,
            decode_millis: 3,
            size_variation: 0.1,
            pictures_per_second: 25,
            has_sound: true,
            has_opus: true,
            segments: vec![1440],
            seconds: 60,
            paused: None,
            hidden: None,
            seeks: Vec::new(),
        }
    }
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// When the delivery was changed, to which level, and how many bytes that takes each second.
    pub(super) changes: Vec<(u64, Level)>,
    /// From when to when playback waited for what had not arrived.
    pub(super) stalls: Vec<(u64, u64)>,
    /// The level at the end.
    pub(super) last: Option<Level>,
    /// What the link was said to carry at the end.
    pub(super) said_bytes_per_second: Option<f64>,
}

impl Story {
    /// The longest wait in this time.
    pub(super) fn longest_stall(&self, from: u64, to: u64) -> u64 {
        self.stalls.iter().map(|&(begin, end)| end.min(to).saturating_sub(begin.max(from))).max().unwrap_or(0)
    }

    /// The level at this time.
    pub(super) fn level_at(&self, millis: u64) -> (u32, u8) {
        let change = self.changes.iter().take_while(|(at, _)| *at <= millis).last();
        change.map_or((1440, 1), |(_, level)| (level.height, level.picture_step))
    }

    pub(super) fn changes_within(&self, from: u64, to: u64) -> usize {
        self.changes.iter().filter(|(at, _)| (from..to).contains(at)).count()
    }
}

enum Up {
    Grant(Epoch, u32),
    Epoch(Epoch, u64, Delivery),
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Picture(PictureHead),
    Sound(SoundHead),
}

struct Part {
    item: Item,
    item_bytes: usize,
    bytes: usize,
    is_first: bool,
    is_last: bool,
}

fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

pub(super) fn variants() -> Vec<VariantInfo> {
    let variant =
        |height| VariantInfo { height, picture_width: height * 16 / 9, picture_height: height, frame_count: 1 };
    [240, 720, 1440].map(variant).to_vec()
}

/// Mean bytes of a picture: 416 KB at 1440p, as measured.
fn picture_bytes(height: u32) -> f64 {
    416_000.0 * f64::from(height) * f64::from(height) / (1440.0 * 1440.0)
}

/// What a level takes at least, in bytes for each second.
pub(super) fn takes(world: &World, height: u32, step: u8) -> f64 {
    let pictures = picture_bytes(height) * f64::from(world.pictures_per_second) / f64::from(step);
    // Below 6 Mbit/s it may be sent in Opus, if the server has that.
    let may_be_opus = world.has_opus && pictures + 192_000.0 < 750_000.0;
    let sound = if !world.has_sound {
        0.0
    } else if may_be_opus {
        14_000.0
    } else {
        192_000.0
    };
    pictures + sound
}

impl World {
    /// What the server does when it is asked for a delivery.
    fn answer(&self, asked: Delivery) -> Delivery {
        let sound = if self.has_opus { asked.sound } else { SoundFormat::Pcm };
        Delivery { sound, ..asked }
    }
}

struct Server<'a> {
    world: &'a World,
    frame_nanos: u64,
    epoch: Epoch,
    delivery: Delivery,
    credit: u32,
    next_picture: u64,
    next_chunk: u64,
    /// When the next picture is made.
    ready_at: u64,
    lane: VecDeque<(Item, usize)>,
    /// The item that is being written, and how much of it is.
    writing: Option<(Item, usize, usize)>,
    noise: u64,
}

impl Server<'_> {
    fn segment_height(&self, picture: u64) -> u32 {
        let total = self.world.seconds * u64::from(self.world.pictures_per_second);
        let count = self.world.segments.len() as u64;
        self.world.segments[(picture * count / total.max(1)).min(count - 1) as usize]
    }

    fn make(&mut self, now: u64) {
        while self.credit > 0 && self.lane.len() < LANE_ITEMS {
            let picture_nanos = self.next_picture * self.frame_nanos;
            let chunk_nanos = self.next_chunk * CHUNK.as_nanos() as u64;
            let (stream, epoch) = (STREAM, self.epoch);
            if self.world.has_sound && chunk_nanos < picture_nanos {
                let head = SoundHead { stream, epoch, pts_nanos: chunk_nanos, format: self.delivery.sound };
                let bytes = if self.delivery.sound == SoundFormat::Opus { OPUS_CHUNK_BYTES } else { PCM_CHUNK_BYTES };
                self.lane.push_back((Item::Sound(head), bytes));
                self.next_chunk += 1;
            } else {
                let is_paused = self.world.server_pauses.iter().any(|&(from, to)| (from..to).contains(&now));
                if is_paused || now < self.ready_at {
                    return;
                }
                self.ready_at = now + self.world.server_picture_millis;
                let planned = self.segment_height(self.next_picture);
                let height = self.delivery.max_height.map_or(planned, |most| planned.min(most));
                let step = u64::from(self.delivery.picture_step);
                let next = (self.next_picture / step + 1) * step;
                let wave = 1.0 + self.world.size_variation * (2.0 * random(&mut self.noise) - 1.0);
                let bytes = (picture_bytes(height) * wave) as usize;
                let head = PictureHead {
                    stream,
                    epoch,
                    index: self.next_picture as u32,
                    height,
                    pts_nanos: picture_nanos,
                    duration_nanos: (next - self.next_picture) * self.frame_nanos,
                    jpeg_bytes: bytes as u32,
                    origin: Origin::Memory,
                };
                self.next_picture = next;
                self.lane.push_back((Item::Picture(head), bytes));
            }
            self.credit -= 1;
        }
    }

    fn next_part(&mut self) -> Option<Part> {
        let (item, item_bytes, written) =
            self.writing.take().or_else(|| self.lane.pop_front().map(|(item, bytes)| (item, bytes, 0)))?;
        let bytes = (item_bytes - written).min(PART_BYTES);
        let is_last = written + bytes == item_bytes;
        if !is_last {
            self.writing = Some((item, item_bytes, written + bytes));
        }
        Some(Part { item, item_bytes, bytes, is_first: written == 0, is_last })
    }

    fn hear(&mut self, message: Up) {
        match message {
            Up::Grant(epoch, items) if epoch == self.epoch => self.credit += items,
            Up::Grant(..) => {}
            Up::Epoch(epoch, nanos, delivery) => {
                (self.epoch, self.delivery, self.credit) = (epoch, self.world.answer(delivery), 0);
                self.lane.clear();
                self.writing = None;
                self.next_picture = nanos / self.frame_nanos;
                self.next_chunk = (self.next_picture * self.frame_nanos).div_ceil(CHUNK.as_nanos() as u64);
                // The first chunk of an epoch begins with its picture; here it is the one around it.
                self.next_chunk = self.next_chunk.saturating_sub(1);
            }
        }
    }
}

/// Lets the world run.
pub(super) fn run(world: &World, settings: LadderSettings) -> Story {
    let begun = Instant::now();
    let instant = |millis: u64| begun + Duration::from_millis(millis);
    let frame_nanos = 1_000_000_000 / u64::from(world.pictures_per_second);
    let mut server = Server {
        world,
        frame_nanos,
        epoch: Epoch(0),
        delivery: Delivery::FULL,
        credit: 0,
        next_picture: 0,
        next_chunk: 0,
        ready_at: 0,
        lane: VecDeque::new(),
        writing: None,
        noise: 42,
    };
    let mut playout: Playout<(), ()> = Playout::default();
    playout.begin(STREAM, Epoch(0), world.has_sound, instant(0));
    let mut ladder = Ladder::default();
    ladder.begin(&variants(), Delivery::FULL);
    ladder.set(settings);
    ladder.started(&stream_start(world, frame_nanos));
    let mut story = Story::default();
    let mut up: VecDeque<(u64, Up)> = VecDeque::new();
    let mut link: VecDeque<Part> = VecDeque::new();
    let mut air: VecDeque<(u64, Part)> = VecDeque::new();
    let (mut queued_bytes, mut budget, mut noise) = (0usize, 0.0f64, 7u64);
    let (mut epoch, mut decoding, mut stalled_since): (Epoch, Option<(u64, PictureHead)>, Option<u64>) =
        (Epoch(0), None, None);
    for now in 0..world.seconds * 1_000 {
        let (half, at) = (world.round_trip_millis / 2, instant(now));
        while up.front().is_some_and(|(due, _)| *due <= now) {
            server.hear(up.pop_front().expect("just seen").1);
        }
        // The link.
        let rate = world.rates.iter().take_while(|(from, _)| *from <= now).last().map_or(0.0, |(_, rate)| *rate);
        let most_queued = world.queue_bytes + (rate * world.round_trip_millis as f64) as usize;
        server.make(now);
        while queued_bytes < most_queued
            && let Some(part) = server.next_part()
        {
            queued_bytes += part.bytes;
            link.push_back(part);
            server.make(now);
        }
        budget = if link.is_empty() { (budget + rate).min(world.burst_bytes.max(rate)) } else { budget + rate };
        while link.front().is_some_and(|part| part.bytes as f64 <= budget) {
            let part = link.pop_front().expect("just seen");
            budget -= part.bytes as f64;
            queued_bytes -= part.bytes;
            let jitter = (random(&mut noise) * world.jitter_millis as f64) as u64;
            let due = (now + half + jitter).max(air.back().map_or(0, |(due, _)| *due));
            air.push_back((due, part));
        }
        // The client.
        while air.front().is_some_and(|(due, _)| *due <= now) {
            let (_, part) = air.pop_front().expect("just seen");
            let of = match part.item {
                Item::Picture(head) => head.epoch,
                Item::Sound(head) => head.epoch,
            };
            let picture_bytes = matches!(part.item, Item::Picture(_)).then_some(part.item_bytes);
            let arrival =
                PartArrival { bytes: part.bytes, is_first: part.is_first, is_current: of == epoch, picture_bytes };
            ladder.arrived(arrival, at);
            if part.is_last {
                match part.item {
                    Item::Picture(head) => {
                        ladder.picture(&head, part.item_bytes);
                        playout.arrive(head, (), at);
                    }
                    Item::Sound(head) => _ = playout.arrive_sound(head, CHUNK, at),
                }
            }
        }
        if decoding.is_some_and(|(due, _)| due <= now)
            && let Some((_, head)) = decoding.take()
        {
            playout.finish_job(head, Some(()), at);
        }
        if decoding.is_none() {
            decoding = playout.next_job(at).map(|(head, ())| (now + world.decode_millis, head));
        }
        if !world.hidden.is_some_and(|(from, to)| (from..to).contains(&now)) {
            playout.due(at);
        }
        if let Some((from, to)) = world.paused
            && (now == from || now == to)
        {
            playout.set_paused(now == from, at);
        }
        if world.seeks.contains(&now) {
            epoch = Epoch(epoch.0 + 1);
            playout.seek(epoch, at);
            ladder.sought();
            up.push_back((now + half, Up::Epoch(epoch, 0, server.delivery)));
        }
        let is_short =
            playout.hold(at).is_some_and(|hold| hold == crate::event::Hold::Source) || playout.position(at).is_none();
        match (is_short, stalled_since) {
            (true, None) => stalled_since = Some(now),
            (false, Some(since)) => {
                story.stalls.push((since, now));
                stalled_since = None;
            }
            _ => {}
        }
        let (supply, until) = (playout.supply(at), playout.arrived_until());
        if let Some(delivery) = ladder.decide(supply, until, at)
            && let Some(Position::Time(nanos)) = playout.continue_at()
        {
            epoch = Epoch(epoch.0 + 1);
            playout.continue_in(epoch);
            ladder.continued(delivery, until, at);
            ladder.started(&StreamStart { delivery: world.answer(delivery), ..stream_start(world, frame_nanos) });
            up.push_back((now + half, Up::Epoch(epoch, nanos, delivery)));
            let terms = ladder.terms(until).expect("the stream has begun");
            story.changes.push((now, Level::of(&delivery, &terms, &ladder.sizes)));
        }
        playout.set_lot_items(ladder.lot_items());
        if let Some((_, epoch, items)) = playout.take_credit() {
            ladder.granted(items, at);
            up.push_back((now + half, Up::Grant(epoch, items)));
        }
    }
    let end = world.seconds * 1_000;
    story.stalls.extend(stalled_since.map(|since| (since, end)));
    let terms = ladder.terms(playout.arrived_until()).expect("the stream has begun");
    story.last = Some(Level::of(&ladder.delivery, &terms, &ladder.sizes));
    story.said_bytes_per_second = ladder.link_bytes_per_second();
    story
}

fn stream_start(world: &World, frame_nanos: u64) -> StreamStart {
    let frame_count = (world.seconds * u64::from(world.pictures_per_second)) as u32;
    let count = world.segments.len() as u32;
    let segment = |(place, &height): (usize, &u32)| {
        let first_index = frame_count * place as u32 / count;
        SegmentInfo {
            height,
            sent_height: height,
            first_index,
            frame_count: frame_count * (place as u32 + 1) / count - first_index,
            start_nanos: u64::from(first_index) * frame_nanos,
        }
    };
    StreamStart {
        stream: STREAM,
        epoch: Epoch(0),
        video: VideoId(1),
        duration_nanos: u64::from(frame_count) * frame_nanos,
        frame_count,
        segments: world.segments.iter().enumerate().map(segment).collect(),
        first_index: 0,
        has_sound: world.has_sound,
        delivery: Delivery::FULL,
    }
}
