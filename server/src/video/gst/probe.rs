//! What a file holds: the time of each frame, where a decoder can begin, which decoder can, and the size as shown.
//!
//! ```text
//! 1. read     filesrc ► parsebin ─┬► fakesink      the first video track: every frame's time is noted, nothing decoded
//!                                 └► fakesink …    other tracks: only their end, to tell a truncated file
//! 2. count    filesrc ► parsebin ► decoder ► fakesink     only for files whose times are missing or not distinct (AVI)
//! 3. prove    the first picture through the pipeline of `decode`
//! ```

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{limits::MAX_PICTURE_SIDE, splice::FrameIndex};
use gstreamer::{self as gst, prelude::*};

use super::{
    decoder_select::{sound_decoder, video_decoders},
    key_frames::KeyFrames,
    picture_decoder::{DecodeRequest, DecoderOutput, JpegPicture, PictureDecoder},
    pipeline::{
        DecodeError, Heartbeat, LOOK_AROUND, PATIENCE, Pipeline, PipelineError, Watchdog, add_source, element,
        error_text, shown,
    },
    tracks::{coding, is_sound, is_video, is_video_track, link_track, track_caps, track_of},
};

/// A day at 60 frames/s is more than anybody shows; more than this is a file that lies.
const MAX_FRAMES: usize = 5_200_000;

/// Over two years. Time stamps behind it are nonsense, and would overflow sums of them.
const MAX_NANOS: u64 = 1 << 56;

/// Parsers that do not know how long a frame stands say a nanosecond.
const SHORTEST_FRAME_NANOS: u64 = 100_000;

/// Looks around that find a pipeline asleep, which has neither reported an error nor the end. parsebin keeps errors to
/// itself (1.22) that a demultiplexer reports in the moment of being plugged.
const ASLEEP_LIMIT: u32 = 5;

/// However lively a file is, it is read in this time or not at all.
const READ_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// A file may end this much before the end it promised, or a fiftieth of it, or a few frames: containers round, sound is
/// padded, and where frames are reordered some count the delay as length.
const MISSING_TOLERANCE_NANOS: u64 = 500_000_000;
const MISSING_TOLERANCE_FRAMES: u64 = 4;

/// What is known of a file that can be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) index: FrameIndex,
    /// `None`: the times are the decoder's guesses and only hold when it reads from the start.
    pub(crate) key_frames: Option<KeyFrames>,
    /// Which of the file's tracks, see [`track_of`].
    pub(crate) track: String,
    pub(crate) decoder: String,
    pub(crate) picture_width: u32,
    pub(crate) picture_height: u32,
    /// See [`DecoderOutput::needs_rgb`].
    pub(crate) needs_rgb: bool,
    /// Whether decoded frames consist of two fields taken one after the other.
    pub(crate) is_interlaced: bool,
    /// Whether decoded frames go into JPEG as they are.
    pub(crate) is_jpeg_ready: bool,
    /// What people call the coding of the pictures.
    pub(crate) coding: String,
    /// The first sound track that this machine can decode.
    pub(crate) sound: Option<ProbedSound>,
}

/// A sound track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbedSound {
    /// Which of the file's tracks, see [`track_of`].
    pub(crate) track: String,
    /// Name of the decoder element.
    pub(crate) decoder: String,
    /// What people call its coding.
    pub(crate) coding: String,
}

/// What is wrong with a file, in words for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("empty file")]
    Empty,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("not a video: {0}")]
    NotVideo(&'static str),
    #[error("no video track")]
    NoVideoTrack,
    #[error("no frames")]
    NoFrames,
    #[error("more than {MAX_FRAMES} frames")]
    TooManyFrames,
    #[error("claims to last for years")]
    TooLong,
    #[error("needs a decoder for {0}: install gstreamer1.0-libav")]
    NeedsDecoder(String),
    #[error("needs {0}: install gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad and gstreamer1.0-plugins-ugly")]
    NeedsPlugin(String),
    #[error("{0}x{1} is larger than {MAX_PICTURE_SIDE}x{MAX_PICTURE_SIDE}")]
    TooLarge(u32, u32),
    #[error("incomplete: has {0} of {1} bytes")]
    Short(u64, u64),
    #[error("breaks off after {:.1} s of {:.1} s", seconds(.0), seconds(.1))]
    BreaksOff(u64, u64),
    #[error("incomplete or damaged{}: {words}", after(.nanos))]
    Damaged { nanos: u64, words: String },
    #[error("cannot be decoded: {0}")]
    Undecodable(String),
    #[error("nothing came out of it for {} s", PATIENCE.as_secs())]
    Hung,
    #[error("was not read to its end within {} minutes", READ_DEADLINE.as_secs() / 60)]
    Endless,
    #[error(transparent)]
    PipelineError(#[from] PipelineError),
}

fn seconds(nanos: &u64) -> f64 {
    *nanos as f64 / 1e9
}

fn after(nanos: &u64) -> String {
    if *nanos == 0 { String::new() } else { format!(" after {:.1} s", seconds(nanos)) }
}

/// Reads a file from end to end without decoding it, then decodes its first picture.
pub(crate) fn probe(path: &Path) -> Result<Probed, ProbeError> {
    check_length(path)?;
    let track = read(path)?;
    let caps = track.caps.clone().ok_or(ProbeError::NoVideoTrack)?;
    check_size(&caps)?;
    let mut flaw =
        ProbeError::NeedsDecoder(caps.structure(0).map_or_else(String::new, |first| first.name().to_string()));
    for decoder in video_decoders(&caps) {
        match track.clone().prove(path, &decoder) {
            Ok(probed) => return Ok(probed),
            Err(error) => flaw = error,
        }
    }
    Err(flaw)
}

/// Whether there is anything in it, and all of it, as far as that can be told before reading.
fn check_length(path: &Path) -> Result<(), ProbeError> {
    let file = fs::File::open(path).map_err(ProbeError::Unreadable)?;
    let length = file.metadata().map_err(ProbeError::Unreadable)?.len();
    if length == 0 {
        return Err(ProbeError::Empty);
    }
    // AVI has nothing else that its reader would miss: it makes do with what is there.
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head).map_err(ProbeError::Unreadable)?;
    let promised = head.strip_prefix(b"RIFF").and_then(|size| Some(u32::from_le_bytes(size.try_into().ok()?)));
    match promised.filter(|&size| size != u32::MAX).map(|size| u64::from(size) + 8) {
        Some(promised) if promised > length => Err(ProbeError::Short(length, promised)),
        _ => Ok(()),
    }
}

/// What reading without decoding shows of the first video track.
#[derive(Debug, Clone, Default)]
struct Track {
    /// See [`track_of`]; of several video tracks the first by number, because they come in any order.
    track: Option<String>,
    caps: Option<gst::Caps>,
    /// The sound tracks by number, because they come in any order; none for one that cannot be decoded.
    sounds: BTreeMap<String, Option<ProbedSound>>,
    is_rotated: bool,
    pts_nanos: Vec<u64>,
    key_frames: KeyFrames,
    /// Frames without a usable time.
    untimed: usize,
    /// When the frame that is shown last comes and goes.
    last_start_nanos: u64,
    end_nanos: u64,
    /// The end of the longest track of any kind.
    last_nanos: u64,
}

impl Track {
    fn note(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef, is_vp8: bool) {
        if self.pts_nanos.is_empty() {
            // By now they are complete.
            self.caps = pad.current_caps().or(self.caps.take());
            self.is_rotated = is_rotated(pad);
        }
        if buffer.flags().contains(gst::BufferFlags::DECODE_ONLY) || (is_vp8 && is_hidden_vp8(buffer)) {
            return;
        }
        match shown(pad, buffer) {
            Some((start, end)) => {
                self.pts_nanos.push(start);
                self.key_frames.note(start, !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
                if start >= self.last_start_nanos {
                    (self.last_start_nanos, self.end_nanos) = (start, end);
                }
            }
            None if buffer.pts().is_none() => self.untimed += 1,
            // Outside what an edit list shows.
            None => {}
        }
    }

    fn note_sound(&mut self, pad: &gst::Pad, caps: &gst::Caps) {
        let found = |track: &String| {
            let (track, decoder) = (track.clone(), sound_decoder(caps)?);
            Some(ProbedSound { track, decoder, coding: coding(caps) })
        };
        self.sounds.entry(track_of(pad)).or_insert_with_key(found);
    }

    /// Whether each frame has a time of its own. Fields that come one by one, for example, share theirs.
    fn is_timed(&self) -> bool {
        self.untimed == 0 && self.sorted().windows(2).all(|pair| pair[0] < pair[1])
    }

    fn sorted(&self) -> Vec<u64> {
        let mut sorted = self.pts_nanos.clone();
        sorted.sort_unstable();
        sorted
    }

    fn prove(mut self, path: &Path, decoder: &str) -> Result<Probed, ProbeError> {
        let is_timed = self.is_timed();
        if !is_timed {
            (self.pts_nanos, self.end_nanos) = count(path, self.track.as_deref().unwrap_or_default(), decoder)?;
            self.pts_nanos.sort_unstable();
            self.pts_nanos.dedup();
        }
        if self.pts_nanos.is_empty() {
            return Err(ProbeError::NoFrames);
        }
        if self.end_nanos.max(self.pts_nanos.iter().copied().max().unwrap_or(0)) > MAX_NANOS {
            return Err(ProbeError::TooLong);
        }
        let last_stands_nanos = self.end_nanos.saturating_sub(self.last_start_nanos);
        let end_nanos = Some(self.end_nanos).filter(|_| last_stands_nanos >= SHORTEST_FRAME_NANOS);
        let index = FrameIndex::new(self.pts_nanos, end_nanos);
        let (picture, output) = first_picture(path, self.track.as_deref().unwrap_or_default(), decoder, &index)?;
        let JpegPicture { frame: first, width: picture_width, height: picture_height, .. } = picture;
        check_sides(picture_width, picture_height)?;
        // What comes before the first frame that the decoder puts out cannot be shown: it refers to frames that
        // somebody cut away.
        let times = (first..index.len()).map(|frame| index.pts_nanos(frame)).collect();
        let index = FrameIndex::new(times, Some(index.end_nanos(index.len() - 1)));
        let key_frames = is_timed.then_some(self.key_frames);
        Ok(Probed {
            index,
            key_frames,
            track: self.track.unwrap_or_default(),
            decoder: decoder.to_owned(),
            picture_width,
            picture_height,
            needs_rgb: output.needs_rgb(),
            is_interlaced: output.is_interlaced(),
            is_jpeg_ready: output.is_jpeg_ready() && !self.is_rotated,
            coding: self.caps.map_or_else(String::new, |caps| coding(&caps)),
            sound: self.sounds.into_values().flatten().next(),
        })
    }
}

/// Whether the picture is to be turned or mirrored before it is shown.
fn is_rotated(pad: &gst::Pad) -> bool {
    let tags = (0..).map_while(|number| pad.sticky_event::<gst::event::Tag>(number));
    let turns = tags.filter_map(|tags| Some(tags.tag().get::<gst::tags::ImageOrientation>()?.get() != "rotate-0"));
    turns.last().unwrap_or(false)
}

/// VP8 keeps pictures that are only referred to as frames of their own; the fifth bit says whether a frame is shown
/// (RFC 6386, section 9.1). There is no parser for VP8 that would tell.
fn is_hidden_vp8(buffer: &gst::BufferRef) -> bool {
    let mut first = [0u8];
    buffer.copy_to_slice(0, &mut first).is_ok() && first[0] & 0x10 == 0
}

fn read(path: &Path) -> Result<Track, ProbeError> {
    let mut pipeline = Pipeline::new();
    let (heartbeat, track) = (Heartbeat::default(), Arc::new(Mutex::new(Track::default())));
    let parse = add_source(&pipeline.bin, path)?;
    let bin = pipeline.bin.downgrade();
    parse.connect_pad_added({
        let (heartbeat, track) = (heartbeat.clone(), track.clone());
        move |_, pad| {
            let Some(bin) = bin.upgrade() else { return };
            claim(&track, pad);
            watch(pad, &track, &heartbeat);
            if let Err(error) = add_sink(&bin, pad) {
                tracing::debug!("a track is not read: {error}");
            }
        }
    });
    pipeline.play().map_err(|PipelineError(words)| ProbeError::Damaged { nanos: 0, words })?;
    let outcome = wait_for_end(&mut pipeline, &heartbeat);
    let promised = pipeline.bin.query_duration::<gst::ClockTime>().map_or(0, gst::ClockTime::nseconds);
    let track = std::mem::take(&mut *track.lock().expect("no holder of this lock panics"));
    match outcome {
        Ok(()) => {}
        Err(ProbeError::Damaged { words, .. }) => return Err(ProbeError::Damaged { nanos: track.end_nanos, words }),
        Err(flaw) => return Err(flaw),
    }
    if track.pts_nanos.len() > MAX_FRAMES {
        return Err(ProbeError::TooManyFrames);
    }
    let longest_frame_nanos = track.sorted().windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    let tolerance_nanos =
        MISSING_TOLERANCE_NANOS.max(promised / 50).max(longest_frame_nanos.saturating_mul(MISSING_TOLERANCE_FRAMES));
    if track.caps.is_some() && track.last_nanos.saturating_add(tolerance_nanos) < promised {
        return Err(ProbeError::BreaksOff(track.last_nanos, promised));
    }
    Ok(track)
}

/// Makes the pad's track ours when it is the first with pictures. All pads are there before anything passes.
fn claim(track: &Mutex<Track>, pad: &gst::Pad) {
    let Some(caps) = track_caps(pad).filter(|caps| is_video(caps)) else { return };
    let mut track = track.lock().expect("no holder of this lock panics");
    let number = track_of(pad);
    if track.track.as_ref().is_none_or(|first| number < *first) {
        (track.track, track.caps) = (Some(number), Some(caps));
    }
}

fn watch(pad: &gst::Pad, track: &Arc<Mutex<Track>>, heartbeat: &Heartbeat) {
    let (track, heartbeat) = (track.clone(), heartbeat.clone());
    let (number, is_picture) = (track_of(pad), track_caps(pad).is_some_and(|caps| is_video(&caps)));
    let is_vp8 = track_caps(pad).and_then(|caps| Some(caps.structure(0)?.name() == "video/x-vp8")) == Some(true);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        heartbeat.beat();
        if let Some(buffer) = info.buffer() {
            let mut track = track.lock().expect("no holder of this lock panics");
            let is_ours = is_picture && track.track.as_ref() == Some(&number);
            if is_ours {
                track.note(pad, buffer, is_vp8);
            } else if let Some(caps) = pad.current_caps().filter(|caps| is_sound(caps)) {
                // Asked only now, because some parsers settle the details with the first buffer.
                track.note_sound(pad, &caps);
            }
            if let Some((_, end)) = shown(pad, buffer) {
                track.last_nanos = track.last_nanos.max(end);
            }
            if track.pts_nanos.len() > MAX_FRAMES {
                info.flow_res = Err(gst::FlowError::Eos);
                return gst::PadProbeReturn::Handled;
            }
        }
        gst::PadProbeReturn::Drop
    });
}

/// The times of the frames that come out of the decoder, and when the last one goes.
fn count(path: &Path, track: &str, decoder: &str) -> Result<(Vec<u64>, u64), ProbeError> {
    let mut pipeline = Pipeline::new();
    let (heartbeat, found) = (Heartbeat::default(), Arc::new(Mutex::new((Vec::new(), 0))));
    let parse = add_source(&pipeline.bin, path)?;
    let decoder = element(decoder)?;
    pipeline.bin.add(&decoder).map_err(PipelineError::from)?;
    link_track(&parse, &decoder, is_video_track(track), |_| {});
    let output = decoder.static_pad("src").expect("a decoder has an output");
    output.add_probe(gst::PadProbeType::BUFFER, {
        let (heartbeat, found) = (heartbeat.clone(), found.clone());
        move |pad, info| {
            heartbeat.beat();
            if let Some((start, end)) = info.buffer().and_then(|buffer| shown(pad, buffer)) {
                let mut found = found.lock().expect("no holder of this lock panics");
                if found.0.len() > MAX_FRAMES {
                    info.flow_res = Err(gst::FlowError::Eos);
                    return gst::PadProbeReturn::Handled;
                }
                found.0.push(start);
                found.1 = found.1.max(end);
            }
            gst::PadProbeReturn::Drop
        }
    });
    add_sink(&pipeline.bin, &output)?;
    pipeline.play()?;
    wait_for_end(&mut pipeline, &heartbeat)?;
    let found = std::mem::take(&mut *found.lock().expect("no holder of this lock panics"));
    if found.0.len() > MAX_FRAMES { Err(ProbeError::TooManyFrames) } else { Ok(found) }
}

fn first_picture(
    path: &Path,
    track: &str,
    decoder: &str,
    index: &FrameIndex,
) -> Result<(JpegPicture, DecoderOutput), ProbeError> {
    let order = DecodeRequest {
        path,
        track,
        decoder,
        index,
        frames: 0..index.len(),
        seek_nanos: None,
        size: None,
        needs_rgb: false,
        is_interlaced: false,
        is_jpeg_ready: false,
        branches: 1,
    };
    let first = PictureDecoder::open(&order, Heartbeat::default(), &|| true)
        .and_then(|mut pictures| Ok((pictures.first()?, pictures.decoded())));
    match first {
        Ok(first) => Ok(first),
        Err(DecodeError::Hung) => Err(ProbeError::Hung),
        Err(DecodeError::PipelineError(trouble)) => Err(ProbeError::Undecodable(trouble.0)),
        Err(DecodeError::Missing | DecodeError::Cancelled) => {
            Err(ProbeError::Undecodable("the decoder puts out no picture".into()))
        }
    }
}

fn add_sink(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), PipelineError> {
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()?;
    pipeline.add(&sink)?;
    sink.sync_state_with_parent()?;
    let input = sink.static_pad("sink").expect("a sink has an input");
    pad.link(&input).map(drop).map_err(|error| PipelineError(error.to_string()))
}

fn wait_for_end(pipeline: &mut Pipeline, heartbeat: &Heartbeat) -> Result<(), ProbeError> {
    let (mut watchdog, begun) = (Watchdog::new(heartbeat), Instant::now());
    let (mut lacking, mut asleep) = (None, 0);
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Element];
    loop {
        let timeout = gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64);
        let message = pipeline.bus.timed_pop_filtered(timeout, &kinds);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => return Ok(()),
            Some(gst::MessageView::Error(error)) => return Err(flaw_of(&error.error(), lacking)),
            Some(gst::MessageView::Element(element)) => {
                let missing = element.structure().filter(|structure| structure.name() == "missing-plugin");
                lacking = missing.and_then(|structure| structure.get("name").ok()).or(lacking);
            }
            _ => {}
        }
        asleep = if message.is_none() && pipeline.is_asleep() { asleep + 1 } else { 0 };
        if asleep == ASLEEP_LIMIT {
            return Err(ProbeError::Damaged { nanos: 0, words: "nothing in it can be read".into() });
        }
        if watchdog.is_hung(heartbeat) || begun.elapsed() > READ_DEADLINE {
            pipeline.abandon();
            return Err(if begun.elapsed() > READ_DEADLINE { ProbeError::Endless } else { ProbeError::Hung });
        }
    }
}

fn flaw_of(error: &gst::glib::Error, lacking: Option<String>) -> ProbeError {
    match (error.kind::<gst::StreamError>(), lacking) {
        (_, Some(plugin)) => ProbeError::NeedsPlugin(plugin),
        (Some(gst::StreamError::WrongType), None) => ProbeError::NotVideo("text"),
        (Some(gst::StreamError::TypeNotFound), None) => ProbeError::NotVideo("unknown content"),
        _ => ProbeError::Damaged { nanos: 0, words: error_text(error) },
    }
}

fn check_size(caps: &gst::Caps) -> Result<(), ProbeError> {
    let side = |name| caps.structure(0).and_then(|first| first.get::<i32>(name).ok()).map_or(0, i32::unsigned_abs);
    check_sides(side("width"), side("height"))
}

fn check_sides(width: u32, height: u32) -> Result<(), ProbeError> {
    if width.max(height) > MAX_PICTURE_SIDE { Err(ProbeError::TooLarge(width, height)) } else { Ok(()) }
}
