//! Reads the tracks of a file to their end: the time of each frame, the key frames, and the sound tracks.
//!
//! ```text
//! scan     filesrc ► parsebin ─┬► fakesink      the first video track: the time of every frame, nothing is decoded
//!                              └► fakesink …    other tracks: only their end, which tells whether the file is truncated
//! count    filesrc ► parsebin ► decoder ► fakesink     only for files whose times are missing or not distinct (AVI)
//! ```

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};

use super::{
    decoder_select::sound_decoder,
    key_frames::KeyFrames,
    pipeline::{Heartbeat, POLL_TIMEOUT, Pipeline, PipelineError, Watchdog, add_source, display_time, element},
    probe_error::{MAX_FRAMES, ProbeError, READ_MINUTES},
    tracks::{coding, is_sound, is_video, is_video_track, link_track, track_caps, track_id},
};

/// Consecutive polls after which an idle pipeline that has reported neither an error nor its end counts as stuck.
/// `parsebin` (1.22) does not pass on an error that a demultiplexer reports while it is being plugged.
const MAX_IDLE_POLLS: u32 = 5;

/// After an error, silence for this long means that the threads of a pipeline have finished, even if they still wait.
const DRAIN_PATIENCE: Duration = Duration::from_millis(300);

const READ_DEADLINE: Duration = Duration::from_secs(READ_MINUTES * 60);

/// A file may end this much before the end that it promises, or by a fiftieth of its length, or by a few frames:
/// containers round, sound is padded, and where frames are reordered some containers count the delay as length.
const MISSING_TOLERANCE_NANOS: u64 = 500_000_000;
const MISSING_TOLERANCE_FRAMES: u64 = 4;

/// A sound track that can be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbedSound {
    /// Identifies the track in the file, see [`track_id`].
    pub(crate) track: String,
    /// Name of the decoder element.
    pub(crate) decoder: String,
    /// Usual name of its coding.
    pub(crate) coding: String,
}

/// What the tracks of a file contain, as far as that can be told without decoding. All times are in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackScan {
    /// See [`track_id`]. Of several video tracks the first by id, because they appear in any order.
    pub(crate) track: Option<String>,
    /// Caps of the video track.
    pub(crate) caps: Option<gst::Caps>,
    /// The sound tracks by id, because they appear in any order; `None` for one that cannot be decoded.
    pub(crate) sounds: BTreeMap<String, Option<ProbedSound>>,
    /// Whether the metadata say that the picture is to be rotated or mirrored.
    pub(crate) is_rotated: bool,
    /// Whether frames may differ in their size or in the shape of their pixels.
    pub(crate) changes_size: bool,
    /// Times of the frames, in decoding order.
    pub(crate) pts_nanos: Vec<u64>,
    pub(crate) key_frames: KeyFrames,
    /// Number of frames without a time stamp.
    untimed: usize,
    /// Start of the frame that is shown last.
    pub(crate) last_start_nanos: u64,
    /// End of the frame that is shown last.
    pub(crate) end_nanos: u64,
    /// End of the longest track of any kind.
    longest_end_nanos: u64,
}

impl TrackScan {
    fn note_frame(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef, is_vp8: bool) {
        if self.pts_nanos.is_empty() {
            // With the first frame they are complete.
            self.caps = pad.current_caps().or(self.caps.take());
            self.is_rotated = is_rotated(pad);
            // There is no parser for VP8 that would tell.
            self.changes_size = is_vp8;
        } else if let (Some(first), Some(caps)) = (&self.caps, pad.current_caps())
            && *first != caps
        {
            self.changes_size |= shape(first) != shape(&caps);
        }
        if buffer.flags().contains(gst::BufferFlags::DECODE_ONLY) || (is_vp8 && is_hidden_vp8(buffer)) {
            return;
        }
        match display_time(pad, buffer) {
            Some((start, end)) => {
                self.pts_nanos.push(start);
                self.key_frames.note(start, !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
                if start >= self.last_start_nanos {
                    (self.last_start_nanos, self.end_nanos) = (start, end);
                }
            }
            None if buffer.pts().is_none() => self.untimed += 1,
            // Outside the part that an edit list selects.
            None => {}
        }
    }

    fn note_sound(&mut self, pad: &gst::Pad, caps: &gst::Caps) {
        let found = |track: &String| {
            let (track, decoder) = (track.clone(), sound_decoder(caps)?);
            Some(ProbedSound { track, decoder, coding: coding(caps) })
        };
        self.sounds.entry(track_id(pad)).or_insert_with_key(found);
    }

    /// Whether each frame has a time of its own. Fields that are stored one by one, for example, share theirs.
    pub(crate) fn is_timed(&self) -> bool {
        self.untimed == 0 && self.sorted_pts().windows(2).all(|pair| pair[0] < pair[1])
    }

    fn sorted_pts(&self) -> Vec<u64> {
        let mut sorted = self.pts_nanos.clone();
        sorted.sort_unstable();
        sorted
    }
}

/// Width, height and shape of the pixels, as far as the caps of a coded track say them.
fn shape(caps: &gst::CapsRef) -> (Option<i32>, Option<i32>, gst::Fraction) {
    let first = caps.structure(0);
    let side = |name| first.and_then(|first| first.get::<i32>(name).ok());
    let pixels = first.and_then(|first| first.get("pixel-aspect-ratio").ok());
    (side("width"), side("height"), pixels.unwrap_or_else(|| gst::Fraction::new(1, 1)))
}

/// Whether the metadata say that the picture is to be rotated or mirrored.
fn is_rotated(pad: &gst::Pad) -> bool {
    let tags = (0..).map_while(|number| pad.sticky_event::<gst::event::Tag>(number));
    let orientations =
        tags.filter_map(|tags| Some(tags.tag().get::<gst::tags::ImageOrientation>()?.get() != "rotate-0"));
    orientations.last().unwrap_or(false)
}

/// Whether a VP8 frame is never shown: VP8 stores reference pictures as frames of their own. The fifth bit tells whether a
/// frame is shown (RFC 6386, section 9.1); GStreamer has no VP8 parser that would report it.
fn is_hidden_vp8(buffer: &gst::BufferRef) -> bool {
    let mut first = [0u8];
    buffer.copy_to_slice(0, &mut first).is_ok() && first[0] & 0x10 == 0
}

/// Reads all tracks of a file to their end without decoding them.
///
/// # Errors
/// When the file is damaged, incomplete, too long, or not a video.
pub(crate) fn scan_tracks(path: &Path, is_wanted: &dyn Fn() -> bool) -> Result<TrackScan, ProbeError> {
    let mut pipeline = Pipeline::new();
    let (heartbeat, scan) = (Heartbeat::default(), Arc::new(Mutex::new(TrackScan::default())));
    let parse = add_source(&pipeline.bin, path)?;
    let bin = pipeline.bin.downgrade();
    parse.connect_pad_added({
        let (heartbeat, scan) = (heartbeat.clone(), scan.clone());
        move |_, pad| {
            let Some(bin) = bin.upgrade() else { return };
            choose_video_track(&scan, pad);
            watch_track(pad, &scan, &heartbeat);
            if let Err(error) = add_sink(&bin, pad) {
                tracing::debug!("ignoring a track that cannot be linked: {error}");
            }
        }
    });
    pipeline.play().map_err(|PipelineError(cause)| ProbeError::Damaged { nanos: 0, cause })?;
    let outcome = wait_for_end(&mut pipeline, &heartbeat, is_wanted);
    let promised_nanos = pipeline.bin.query_duration::<gst::ClockTime>().map_or(0, gst::ClockTime::nseconds);
    let scan = std::mem::take(&mut *lock(&scan));
    match outcome {
        Ok(()) => {}
        Err(ProbeError::Damaged { cause, .. }) => return Err(ProbeError::Damaged { nanos: scan.end_nanos, cause }),
        Err(error) => return Err(error),
    }
    if scan.pts_nanos.len() > MAX_FRAMES {
        return Err(ProbeError::TooManyFrames);
    }
    let longest_frame_nanos = scan.sorted_pts().windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    let tolerance_nanos = MISSING_TOLERANCE_NANOS
        .max(promised_nanos / 50)
        .max(longest_frame_nanos.saturating_mul(MISSING_TOLERANCE_FRAMES));
    if scan.caps.is_some() && scan.longest_end_nanos.saturating_add(tolerance_nanos) < promised_nanos {
        return Err(ProbeError::Truncated(scan.longest_end_nanos, promised_nanos));
    }
    Ok(scan)
}

/// Chooses the video track on this pad if its id is lower than that of the one chosen before. All pads appear before the
/// first buffer passes.
fn choose_video_track(scan: &Mutex<TrackScan>, pad: &gst::Pad) {
    let Some(caps) = track_caps(pad).filter(|caps| is_video(caps)) else { return };
    let mut scan = lock(scan);
    let id = track_id(pad);
    if scan.track.as_ref().is_none_or(|first| id < *first) {
        (scan.track, scan.caps) = (Some(id), Some(caps));
    }
}

/// Records every buffer that passes the pad, and drops it.
fn watch_track(pad: &gst::Pad, scan: &Arc<Mutex<TrackScan>>, heartbeat: &Heartbeat) {
    let (scan, heartbeat) = (scan.clone(), heartbeat.clone());
    let (id, has_pictures) = (track_id(pad), track_caps(pad).is_some_and(|caps| is_video(&caps)));
    let is_vp8 = track_caps(pad).and_then(|caps| Some(caps.structure(0)?.name() == "video/x-vp8")) == Some(true);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        heartbeat.beat();
        if let Some(buffer) = info.buffer() {
            let mut scan = lock(&scan);
            let is_chosen = has_pictures && scan.track.as_ref() == Some(&id);
            if is_chosen {
                scan.note_frame(pad, buffer, is_vp8);
            } else if let Some(caps) = pad.current_caps().filter(|caps| is_sound(caps)) {
                // Examined only now, because some parsers complete the caps with the first buffer.
                scan.note_sound(pad, &caps);
            }
            if let Some((_, end)) = display_time(pad, buffer) {
                scan.longest_end_nanos = scan.longest_end_nanos.max(end);
            }
            if scan.pts_nanos.len() > MAX_FRAMES {
                info.flow_res = Err(gst::FlowError::Eos);
                return gst::PadProbeReturn::Handled;
            }
        }
        gst::PadProbeReturn::Drop
    });
}

/// Decodes the video track, and returns the times of all frames and the end of the last one.
///
/// # Errors
/// When the file is damaged or has too many frames.
pub(crate) fn count_frames(
    path: &Path,
    track: &str,
    decoder: &str,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(Vec<u64>, u64), ProbeError> {
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
            if let Some((start, end)) = info.buffer().and_then(|buffer| display_time(pad, buffer)) {
                let mut found = lock(&found);
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
    wait_for_end(&mut pipeline, &heartbeat, is_wanted)?;
    let found = std::mem::take(&mut *lock(&found));
    if found.0.len() > MAX_FRAMES { Err(ProbeError::TooManyFrames) } else { Ok(found) }
}

/// Adds a sink that discards what `pad` outputs.
fn add_sink(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), PipelineError> {
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()?;
    pipeline.add(&sink)?;
    sink.sync_state_with_parent()?;
    let input = sink.static_pad("sink").expect("a sink has an input");
    pad.link(&input).map(drop).map_err(|error| PipelineError(error.to_string()))
}

/// Waits until the pipeline has read the file to its end.
///
/// After an error it waits until the other threads of the pipeline have finished what they hold, because the reason depends on
/// what they have read, and must be the same each time.
fn wait_for_end(
    pipeline: &mut Pipeline,
    heartbeat: &Heartbeat,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), ProbeError> {
    let (mut watchdog, begun) = (Watchdog::new(heartbeat), Instant::now());
    let (mut missing_plugin, mut errors, mut idle_polls) = (None, Vec::new(), 0);
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::Element];
    loop {
        let message = pipeline.bus.timed_pop_filtered(POLL_TIMEOUT, &kinds);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) if errors.is_empty() => return Ok(()),
            Some(gst::MessageView::Error(error)) => {
                errors.push(ProbeError::from_gst(&error.error(), missing_plugin.clone()));
            }
            Some(gst::MessageView::Element(element)) => {
                let missing = element.structure().filter(|structure| structure.name() == "missing-plugin");
                missing_plugin = missing.and_then(|structure| structure.get("name").ok()).or(missing_plugin);
            }
            _ => {}
        }
        idle_polls = if message.is_none() && pipeline.is_idle() { idle_polls + 1 } else { 0 };
        let is_drained = idle_polls > 0 || watchdog.is_silent_for(heartbeat, DRAIN_PATIENCE);
        if idle_polls == MAX_IDLE_POLLS || (!errors.is_empty() && is_drained) {
            return Err(reason(errors, heartbeat.count() > 0));
        }
        if !is_wanted() {
            return Err(ProbeError::Cancelled);
        }
        if watchdog.is_hung(heartbeat) || begun.elapsed() > READ_DEADLINE {
            pipeline.abandon();
            return Err(if begun.elapsed() > READ_DEADLINE { ProbeError::TooSlow } else { ProbeError::Hung });
        }
    }
}

/// One reason for the errors of a pipeline, whatever their order. `has_read` tells whether anything of a track was read.
fn reason(errors: Vec<ProbeError>, has_read: bool) -> ProbeError {
    let rank = |error: &ProbeError| match error {
        ProbeError::NeedsPlugin(_) => 0,
        ProbeError::NotVideo(_) => 1,
        _ => 2,
    };
    let first = errors.into_iter().min_by_key(|error| (rank(error), error.to_string()));
    match first {
        Some(error) if has_read || rank(&error) < 2 => error,
        // `parsebin` (1.22) drops the error of a demultiplexer if it comes early enough, and that is a matter of luck. So such a
        // file has one reason, with the error and without.
        _ => ProbeError::Damaged { nanos: 0, cause: "nothing in it can be read".into() },
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
