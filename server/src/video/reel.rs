//! The pictures of one plan in order, decoded ahead a bounded amount.
//!
//! ```text
//! plan ─► segment 0 ─► thread reel-240p ─► 8 pictures ─┐
//!         segment 1 ─► thread reel-720p ─► 8 pictures ─┴─► next()      two at most: the one that plays and the next one
//! ```
//!
//! The next segment starts some seconds before the current one ends, fills its queues and waits, so that the splice
//! costs nothing. Whoever drops a reel does not wait: the threads notice and put their pipelines away on their own.

use std::{
    any::Any,
    fmt, io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{
    limits::MAX_PICTURE_BYTES,
    media::{Quality, SegmentInfo},
    splice::{Plan, PlannedFrame, Segment},
};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Video,
    decode::{Order, Picture, Pictures, Stop, lanes},
    stage::{PATIENCE, Pulse},
};

/// Encoded pictures of one segment that wait to be taken. At 1440p they are about 4 MB.
const PICTURES_AHEAD: usize = 8;

/// How long before the end of a segment the next one starts. A far seek into a file with few key frames may take seconds.
const HEAD_START_NANOS: u64 = 10_000_000_000;

/// A thread reports a hung pipeline itself after [`PATIENCE`]; this is for a thread that hangs with it.
const LAST_PATIENCE: Duration = PATIENCE.saturating_add(Duration::from_secs(5));

/// One picture of a stream.
#[derive(Clone)]
pub struct EncodedPicture {
    /// Its place in the stream, from 0.
    pub index: u32,
    /// The `VariantInfo::height` it comes from.
    pub height: u32,
    /// When it is due, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How long it stands.
    pub duration_nanos: u64,
    /// The JPEG file: full-range BT.601, upright, square pixels.
    pub jpeg: Bytes,
}

impl fmt::Debug for EncodedPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedPicture")
            .field("index", &self.index)
            .field("height", &self.height)
            .field("pts_nanos", &self.pts_nanos)
            .field("duration_nanos", &self.duration_nanos)
            .field("jpeg_bytes", &self.jpeg.len())
            .finish()
    }
}

/// Why a stream does not start or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ReelError {
    /// The viewer asked for a resolution that the video does not have.
    #[error("{title:?} has no {height}p")]
    NoSuchResolution {
        /// Title of the video.
        title: String,
        /// What was asked for.
        height: u32,
    },
    /// A planned frame does not come.
    #[error("{file_name:?} stops at frame {frame}: {cause}")]
    Broken {
        /// Name of the file.
        file_name: String,
        /// The frame that did not come, counted from 0.
        frame: usize,
        /// What is wrong, in words for a person.
        cause: String,
    },
    /// The system gives no further thread.
    #[error("no thread to decode with: {0}")]
    NoThread(io::Error),
}

/// A stream of pictures.
#[derive(Debug)]
pub struct Reel {
    video: Arc<Video>,
    plan: Plan,
    /// The segment that plays, and when it has a head start the one after it.
    current: Option<Feed>,
    upcoming: Option<Feed>,
    /// Segments that were started.
    started: usize,
    /// Pictures that were taken.
    taken: usize,
    /// Since when `next` has been waiting without a sign of life, and the pulse then.
    quiet: Option<(Instant, u64)>,
    seat: Seat,
}

/// Held until the last thread of a reel has put its pipeline away, which is a little later than the reel is dropped.
/// Whoever opens reels can bound with it how many there are.
pub type Seat = Arc<dyn Any + Send + Sync>;

/// A segment being decoded on a thread of its own, which ends when this is dropped.
#[derive(Debug)]
struct Feed {
    pictures: mpsc::Receiver<Result<EncodedPicture, ReelError>>,
    pulse: Pulse,
    /// Place in the plan.
    segment: usize,
}

impl Reel {
    /// Plans the stream and starts to decode its first pictures. Needs a tokio runtime with time only in [`Self::next`].
    pub fn open(video: Arc<Video>, quality: Quality, seat: Seat) -> Result<Self, ReelError> {
        let plan = match quality {
            Quality::Triptych => Plan::triptych(&video.indices),
            Quality::Only(height) => {
                let found = video.info.variants.iter().position(|variant| variant.height == height);
                let missing = || ReelError::NoSuchResolution { title: video.info.title.clone(), height };
                Plan::only(&video.indices, found.ok_or_else(missing)?)
            }
        };
        let mut reel = Self { video, plan, current: None, upcoming: None, started: 0, taken: 0, quiet: None, seat };
        reel.current = reel.start_next()?;
        Ok(reel)
    }

    /// The parts of the stream in order; none is empty.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let info = |segment: &Segment| SegmentInfo {
            height: self.video.info.variants[segment.variant].height,
            first_index: small(segment.first_index),
            frame_count: small(segment.frames.len()),
            start_nanos: segment.start_nanos,
        };
        self.plan.segments().iter().map(info).collect()
    }

    /// Number of pictures.
    pub fn frame_count(&self) -> u32 {
        small(self.plan.frame_count())
    }

    /// Length of the stream.
    pub fn duration_nanos(&self) -> u64 {
        self.plan.duration_nanos()
    }

    /// The next picture; `None` at the end. An error is final. May be cancelled and called again without losing anything.
    pub async fn next(&mut self) -> Option<Result<EncodedPicture, ReelError>> {
        let outcome = self.try_next().await;
        if outcome.is_err() {
            self.finish();
        }
        outcome.transpose()
    }

    async fn try_next(&mut self) -> Result<Option<EncodedPicture>, ReelError> {
        while let Some(segment) = self.current.as_ref().map(|feed| feed.segment) {
            if let Some(picture) = self.receive().await? {
                self.taken += 1;
                self.give_head_start(segment, &picture)?;
                return Ok(Some(picture));
            }
            if self.taken < self.end_of(segment) {
                return Err(self.broken("its thread ended early".into()));
            }
            self.current = match self.upcoming.take() {
                Some(upcoming) => Some(upcoming),
                None => self.start_next()?,
            };
        }
        Ok(None)
    }

    /// Waits for the thread of the current segment. Waiting means that there is room downstream, so a viewer that
    /// pauses never trips the watchdog.
    async fn receive(&mut self) -> Result<Option<EncodedPicture>, ReelError> {
        loop {
            let Some(feed) = self.current.as_mut() else { return Ok(None) };
            if let Ok(received) = timeout(Duration::from_secs(1), feed.pictures.recv()).await {
                self.quiet = None;
                return received.transpose();
            }
            let beats = feed.pulse.count();
            match self.quiet.filter(|(_, then)| *then == beats) {
                None => self.quiet = Some((Instant::now(), beats)),
                Some((since, _)) if since.elapsed() >= LAST_PATIENCE => {
                    return Err(self.broken(Stop::Hung.to_string()));
                }
                Some(_) => {}
            }
        }
    }

    fn give_head_start(&mut self, segment: usize, picture: &EncodedPicture) -> Result<(), ReelError> {
        let Some(following) = self.plan.segments().get(segment + 1) else { return Ok(()) };
        if self.upcoming.is_none() && picture.pts_nanos + HEAD_START_NANOS >= following.start_nanos {
            self.upcoming = self.start_next()?;
        }
        Ok(())
    }

    fn start_next(&mut self) -> Result<Option<Feed>, ReelError> {
        let number = self.started;
        let Some(segment) = self.plan.segments().get(number) else { return Ok(None) };
        self.started += 1;
        Feed::start(self, segment, number).map(Some)
    }

    fn end_of(&self, segment: usize) -> usize {
        let segment = &self.plan.segments()[segment];
        segment.first_index + segment.frames.len()
    }

    fn broken(&self, cause: String) -> ReelError {
        let parts = self.plan.segments();
        let segment = parts.iter().rev().find(|segment| segment.first_index <= self.taken);
        let (variant, frame) = segment
            .map_or((0, 0), |segment| (segment.variant, segment.frames.start + self.taken - segment.first_index));
        ReelError::Broken { file_name: self.video.sources[variant].file_name.clone(), frame, cause }
    }

    fn finish(&mut self) {
        (self.current, self.upcoming) = (None, None);
    }
}

/// Indices in a stream fit: no file has more frames than the probe allows.
fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Feed {
    fn start(reel: &Reel, segment: &Segment, number: usize) -> Result<Self, ReelError> {
        let (video, plan) = (reel.video.clone(), reel.plan.clone());
        let (sender, pictures) = mpsc::channel(PICTURES_AHEAD);
        let pulse = Pulse::default();
        let height = video.info.variants[segment.variant].height;
        let worker = Worker { video, plan, number, height, sender, pulse: pulse.clone(), _seat: reel.seat.clone() };
        let name = format!("reel-{height}p");
        thread::Builder::new().name(name).spawn(move || worker.run()).map_err(ReelError::NoThread)?;
        Ok(Self { pictures, pulse, segment: number })
    }
}

/// What the thread of a segment works with.
struct Worker {
    video: Arc<Video>,
    plan: Plan,
    /// Place of the segment in the plan.
    number: usize,
    height: u32,
    sender: mpsc::Sender<Result<EncodedPicture, ReelError>>,
    pulse: Pulse,
    _seat: Seat,
}

impl Worker {
    fn run(self) {
        let segment = &self.plan.segments()[self.number];
        if let Err((frame, stop)) = self.feed(segment) {
            let file_name = self.video.sources[segment.variant].file_name.clone();
            tracing::debug!("{file_name:?} at frame {frame}: {stop}");
            // Nobody listens when the reel is gone.
            let _ = self.sender.blocking_send(Err(ReelError::Broken { file_name, frame, cause: stop.to_string() }));
        }
    }

    fn feed(&self, segment: &Segment) -> Result<(), (usize, Stop)> {
        let is_wanted = || !self.sender.is_closed();
        let first = segment.frames.start;
        let (mut pictures, mut picture) = self.begin(segment, &is_wanted).map_err(|stop| (first, stop))?;
        for planned in self.plan.frames(segment, &self.video.indices) {
            if planned.frame > first {
                picture = pictures.next(planned.frame, &is_wanted).map_err(|stop| (planned.frame, stop))?;
            }
            let encoded = self.encoded(&planned, &picture.jpeg).map_err(|stop| (planned.frame, stop))?;
            if self.sender.blocking_send(Ok(encoded)).is_err() {
                return Err((planned.frame, Stop::Cancelled));
            }
        }
        Ok(())
    }

    /// Finds the first frame: by a seek when the file can be searched and the seek does not go too far, else by
    /// reading from the start.
    fn begin(&self, segment: &Segment, is_wanted: &dyn Fn() -> bool) -> Result<(Pictures, Picture), Stop> {
        let (source, index) = (&self.video.sources[segment.variant], &self.video.indices[segment.variant]);
        let first = segment.frames.start;
        let entry = source.probed.entries.as_ref().and_then(|entries| entries.before(index.pts_nanos(first)));
        let mut order = Order {
            path: &source.path,
            decoder: &source.probed.decoder,
            index,
            frames: segment.frames.clone(),
            // At the very start there is nothing to search for.
            seek_nanos: entry.filter(|&nanos| nanos > index.pts_nanos(0)),
            size: Some((source.probed.picture_width, source.probed.picture_height)),
            has_detour: source.probed.has_detour,
            lanes: lanes(),
        };
        loop {
            let begun = Pictures::open(&order, self.pulse.clone(), is_wanted)
                .and_then(|mut pictures| pictures.next(first, is_wanted).map(|picture| (pictures, picture)));
            match begun {
                Err(Stop::Missing | Stop::Trouble(_)) if order.seek_nanos.take().is_some() => {
                    tracing::debug!("{:?} cannot be searched, reading from its start", source.file_name);
                }
                other => return other,
            }
        }
    }

    fn encoded(&self, planned: &PlannedFrame, jpeg: &gstreamer::BufferRef) -> Result<EncodedPicture, Stop> {
        let trouble = |words: String| Stop::Trouble(super::stage::Trouble(words));
        if jpeg.size() > MAX_PICTURE_BYTES {
            return Err(trouble(format!("its picture takes {} bytes, more than {MAX_PICTURE_BYTES}", jpeg.size())));
        }
        // Copied, because the encoder's buffers are as large as the raw picture.
        let mapped = jpeg.map_readable().map_err(|error| trouble(error.message.to_string()))?;
        Ok(EncodedPicture {
            index: small(planned.index),
            height: self.height,
            pts_nanos: planned.pts_nanos,
            duration_nanos: planned.duration_nanos,
            jpeg: Bytes::copy_from_slice(&mapped),
        })
    }
}
