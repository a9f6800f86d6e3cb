//! The audio device. It is opened when a video with sound plays and closed a few seconds after, takes its samples from the
//! [`AudioBuffer`], and reports when they will be heard.
//!
//! The thread "triptych-sound" owns the device, because some systems tie a device to the thread that opened it. The callback
//! runs on a thread of the system and only copies samples out of the buffer. Everyone else holds the buffer's lock just as
//! briefly: nothing is converted, allocated or freed under it. Without a device, or when it is lost, videos play silently.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use common::limits::SOUND_RATE_HZ;
use cpal::{
    BufferSize, ErrorKind, FromSample, OutputCallbackInfo, SampleFormat, SizedSample, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::{
    audio_buffer::{AudioBuffer, AudioChunk, SpentChunks},
    playout::Device,
};

/// The device is closed when it was not needed for this long.
const IDLE_TIME: Duration = Duration::from_secs(3);

/// Playback starts without sound when the device is not open after this time.
const OPENING_PATIENCE: Duration = Duration::from_millis(700);

/// A device that has requested no samples for this long is considered lost.
const SILENT_DEVICE: Duration = Duration::from_secs(2);

/// A device that reports errors for this long, without a pause of [`ERROR_BREAK`], is considered lost. PulseAudio behind ALSA
/// reports brief errors now and then (its latency is not known yet, or samples came late), which mean nothing.
const ERROR_PATIENCE: Duration = Duration::from_millis(600);
const ERROR_BREAK: Duration = Duration::from_millis(150);

/// A lost device is opened again after this time: the system may have switched to another one.
const REOPEN_TIME: Duration = Duration::from_secs(1);

/// Callbacks after which the reported latency is reliable: the device fills its own buffers first.
const WARM_UP_CALLBACKS: u32 = 4;

/// Length of the device's period. Two periods are on their way to the ear, so a pause is heard after that; shorter periods
/// make gaps likely on a busy computer.
const PERIOD_MILLIS: u32 = 50;

/// The audio device and the buffer that it plays from. Owns the audio thread.
pub struct AudioOutput {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    buffer: Mutex<AudioBuffer>,
    control: Mutex<Control>,
    changed: Condvar,
    /// Makes the window draw a frame after the device was opened or lost.
    wake: Box<dyn Fn() + Send + Sync>,
}

struct Control {
    is_wanted: bool,
    is_closing: bool,
    device: Device,
    opening_since: Instant,
    /// Times of the first and the last error of the current series.
    errors: Option<(Instant, Instant)>,
    /// The device is lost.
    has_failed: bool,
    /// No device could be opened, or the last one was lost, and none has worked since.
    is_missing: bool,
    /// Under-runs of the device although samples were supplied in time.
    under_runs: u64,
}

impl AudioOutput {
    /// Starts the thread, which sleeps until sound is wanted. `wake` makes the window look at the player again. Fails when the
    /// system has no thread left.
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(wake));
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new().name("triptych-sound".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// An output without a device, for tests.
    pub fn none() -> Self {
        Self { shared: Arc::new(Shared::new(|| {})), thread: None }
    }

    /// Locks the buffer. The device's callback waits meanwhile, so release it soon, and do not allocate.
    pub fn buffer(&self) -> MutexGuard<'_, AudioBuffer> {
        self.shared.buffer()
    }

    /// Adds a chunk to what waits to be heard. Memory is allocated before and freed after the lock that the device's
    /// callback shares.
    pub fn push(&self, chunk: AudioChunk) {
        self.change_buffer(|buffer| buffer.push(chunk));
    }

    /// Discards everything that waits to be heard.
    pub fn clear(&self) {
        self.change_buffer(AudioBuffer::clear);
    }

    fn change_buffer(&self, change: impl FnOnce(&mut AudioBuffer)) {
        let empty = SpentChunks::with_room();
        let mut buffer = self.buffer();
        change(&mut buffer);
        let spent = buffer.exchange_spent(empty);
        drop(buffer);
        drop(spent);
    }

    /// Sets whether a device is needed. It is opened at once, and closed after [`IDLE_TIME`].
    pub fn want(&self, is_wanted: bool, now: Instant) {
        let mut control = self.shared.control();
        if control.is_wanted == is_wanted || self.thread.is_none() {
            return;
        }
        control.is_wanted = is_wanted;
        if is_wanted && control.device == Device::Absent {
            control.device = Device::Opening;
            control.opening_since = now;
        }
        drop(control);
        self.shared.changed.notify_all();
    }

    /// State of the device. One that takes longer than [`OPENING_PATIENCE`] to open counts as absent.
    pub fn device(&self, now: Instant) -> Device {
        let control = self.shared.control();
        match control.device {
            Device::Opening if now.saturating_duration_since(control.opening_since) > OPENING_PATIENCE => {
                Device::Absent
            }
            device => device,
        }
    }

    /// Whether sound was wanted, and there was no device that works.
    pub fn is_missing(&self) -> bool {
        self.shared.control().is_missing
    }

    /// Number of under-runs since the last call.
    pub fn take_under_runs(&self) -> u64 {
        std::mem::take(&mut self.shared.control().under_runs)
    }
}

impl Drop for AudioOutput {
    fn drop(&mut self) {
        self.shared.control().is_closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audio thread panicked");
        }
    }
}

impl Shared {
    fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let control = Control {
            is_wanted: false,
            is_closing: false,
            device: Device::Absent,
            opening_since: Instant::now(),
            errors: None,
            has_failed: false,
            is_missing: false,
            under_runs: 0,
        };
        Self { buffer: Mutex::default(), control: Mutex::new(control), changed: Condvar::new(), wake: Box::new(wake) }
    }

    fn buffer(&self) -> MutexGuard<'_, AudioBuffer> {
        // Poisoning is ignored: after a panic under the lock, at worst some samples are missing.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_device(&self, device: Device, is_missing: bool) {
        let mut control = self.control();
        (control.device, control.is_missing) = (device, is_missing);
        drop(control);
        (self.wake)();
    }

    fn run(self: &Arc<Self>) {
        loop {
            {
                let mut control = self.control();
                while !control.is_wanted && !control.is_closing {
                    control = self.changed.wait(control).unwrap_or_else(PoisonError::into_inner);
                }
                if control.is_closing {
                    return;
                }
                control.has_failed = false;
                control.errors = None;
                control.device = Device::Opening;
                control.opening_since = Instant::now();
            }
            match self.open() {
                Ok(stream) => {
                    self.watch();
                    drop(stream);
                    let has_failed = self.control().has_failed;
                    self.set_device(Device::Absent, has_failed);
                    if has_failed {
                        tracing::info!("the audio device was lost; videos play without sound until it is back");
                        self.rest(Some(REOPEN_TIME));
                    }
                }
                Err(error) => {
                    tracing::info!("videos play without sound: {error}");
                    self.set_device(Device::Absent, true);
                    // Tried again for the next video only: on systems without sound, each attempt prints many warnings.
                    self.rest(None);
                }
            }
        }
    }

    /// Supervises the open device. Returns when it is lost, or was not needed for [`IDLE_TIME`].
    fn watch(&self) {
        let mut idle_since = None;
        loop {
            let control = self.control();
            let now = Instant::now();
            idle_since = if control.is_wanted { None } else { idle_since.or(Some(now)) };
            let is_idle = idle_since.is_some_and(|since| now - since >= IDLE_TIME);
            if control.is_closing || control.has_failed || is_idle {
                return;
            }
            let wait = if control.errors.is_some() { ERROR_BREAK } else { Duration::from_secs(1) };
            drop(self.changed.wait_timeout(control, wait).unwrap_or_else(PoisonError::into_inner));
            let last_fill = self.buffer().last_fill();
            let mut control = self.control();
            control.errors = control.errors.filter(|(_, last)| last.elapsed() < ERROR_BREAK);
            let is_lost = control.errors.is_some_and(|(first, _)| first.elapsed() > ERROR_PATIENCE)
                || last_fill.is_some_and(|last| last.elapsed() > SILENT_DEVICE);
            control.has_failed |= is_lost;
        }
    }

    /// Waits until sound is no longer wanted, or at most for `time`.
    fn rest(&self, time: Option<Duration>) {
        let until = time.map(|time| Instant::now() + time);
        let mut control = self.control();
        while control.is_wanted && !control.is_closing {
            control = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return,
                Some(left) => self.changed.wait_timeout(control, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(control).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn open(self: &Arc<Self>) -> Result<cpal::Stream, cpal::Error> {
        let device = cpal::default_host().default_output_device().ok_or(ErrorKind::DeviceNotAvailable)?;
        let supported =
            choose(device.supported_output_configs()?).map_or_else(|| device.default_output_config(), Ok)?;
        let period = supported.sample_rate() * PERIOD_MILLIS / 1_000;
        let fixed = match *supported.buffer_size() {
            SupportedBufferSize::Range { min, max } if min <= max => BufferSize::Fixed(period.clamp(min, max)),
            _ => BufferSize::Default,
        };
        let begun = Instant::now();
        let stream =
            self.build(&device, &supported, fixed).or_else(|_| self.build(&device, &supported, BufferSize::Default))?;
        // Callbacks of the device before do not count for this one.
        self.buffer().forget_fills();
        stream.play()?;
        tracing::debug!(
            "audio device {device} opened in {} ms: {} frames per period, {} Hz, {} channels, {}",
            begun.elapsed().as_millis(),
            stream.buffer_size().unwrap_or_default(),
            supported.sample_rate(),
            supported.channels(),
            supported.sample_format(),
        );
        Ok(stream)
    }

    fn build(
        self: &Arc<Self>,
        device: &cpal::Device,
        supported: &SupportedStreamConfig,
        buffer_size: BufferSize,
    ) -> Result<cpal::Stream, cpal::Error> {
        let config = StreamConfig { buffer_size, ..supported.config() };
        match supported.sample_format() {
            SampleFormat::F32 => self.build_for::<f32>(device, config),
            SampleFormat::F64 => self.build_for::<f64>(device, config),
            SampleFormat::I8 => self.build_for::<i8>(device, config),
            SampleFormat::I16 => self.build_for::<i16>(device, config),
            SampleFormat::I32 => self.build_for::<i32>(device, config),
            SampleFormat::U8 => self.build_for::<u8>(device, config),
            SampleFormat::U16 => self.build_for::<u16>(device, config),
            SampleFormat::U32 => self.build_for::<u32>(device, config),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        }
    }

    fn build_for<T: SizedSample + FromSample<f32>>(
        self: &Arc<Self>,
        device: &cpal::Device,
        config: StreamConfig,
    ) -> Result<cpal::Stream, cpal::Error> {
        let (player, watcher) = (Arc::clone(self), Arc::clone(self));
        let channels = usize::from(config.channels).max(1);
        let mut callbacks = 0u32;
        let on_samples = move |samples: &mut [T], info: &OutputCallbackInfo| {
            let now = Instant::now();
            let times = info.timestamp();
            let heard_at = now + times.playback.saturating_duration_since(times.callback);
            let mut places = samples.chunks_exact_mut(channels);
            let count = places.len();
            player.buffer().fill(count, config.sample_rate, now, heard_at, |frame| {
                if let Some(place) = places.next() {
                    spread(frame, place);
                }
            });
            callbacks = callbacks.saturating_add(1);
            if callbacks == WARM_UP_CALLBACKS {
                player.set_device(Device::Ready, false);
            }
        };
        let on_error = move |error: cpal::Error| match error.kind() {
            ErrorKind::Xrun => watcher.control().under_runs += 1,
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
            kind => {
                let mut control = watcher.control();
                control.has_failed |= matches!(kind, ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated);
                let now = Instant::now();
                if let Some((_, last)) = &mut control.errors {
                    *last = now;
                } else {
                    tracing::debug!("audio device: {error}");
                    control.errors = Some((now, now));
                    watcher.changed.notify_all();
                }
            }
        };
        device.build_output_stream(config, on_samples, on_error, None)
    }
}

/// Chooses the configuration that needs the least conversion: the rate of the stream first, then stereo, then 32-bit floats.
fn choose(ranges: impl Iterator<Item = SupportedStreamConfigRange>) -> Option<SupportedStreamConfig> {
    let rank = |range: &SupportedStreamConfigRange| {
        let format = match range.sample_format() {
            SampleFormat::F32 => 4,
            SampleFormat::I16 => 3,
            SampleFormat::I32 => 2,
            SampleFormat::F64 | SampleFormat::I8 | SampleFormat::U8 | SampleFormat::U16 | SampleFormat::U32 => 1,
            _ => 0,
        };
        (format > 0).then_some((range.contains_rate(SOUND_RATE_HZ), range.channels() == 2, format))
    };
    let (_, range) = ranges.filter_map(|range| Some((rank(&range)?, range))).max_by_key(|(rank, _)| *rank)?;
    let rate_hz = SOUND_RATE_HZ.clamp(range.min_sample_rate(), range.max_sample_rate());
    range.try_with_sample_rate(rate_hz)
}

/// Maps left and right to the channels of the device: a single one gets the mean, and those beyond two stay silent.
fn spread<T: SizedSample + FromSample<f32>>([left, right]: [f32; 2], place: &mut [T]) {
    match place {
        [] => {}
        [mono] => *mono = T::from_sample((left + right) / 2.0),
        [first, second, rest @ ..] => {
            (*first, *second) = (T::from_sample(left), T::from_sample(right));
            rest.fill(T::EQUILIBRIUM);
        }
    }
}
