//! The client without a window: its network side, its state and its player, driven as the window drives them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use common::{
    limits::{SOUND_FRAME_BYTES, SOUND_RATE_HZ},
    media::{Epoch, PictureHead, SoundFormat, SoundHead},
    opus_sound::OpusSound,
};
use tempfile::TempDir;
use triptych_client::{
    event::{Hold, NetCommand, PictureSink, StreamPart},
    net::{NetHandle, NetSettings},
    playback::{audio_output::AudioOutput, player::Player},
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
        player::Stage,
    },
};

use crate::{
    clip, interrupt,
    steps::{Mark, Story},
};

/// How often the player is looked at when nothing wakes the client: a frame of a window.
const FRAME: Duration = Duration::from_millis(16);

/// How long joining may take, with a new key, and until the first picture comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the picture in the window, to which larger ones are reduced while decoding.
const DISPLAY_SIZE: (u32, u32) = (1280, 720);

/// How long the 1440p third plays before the first step is measured.
const LEAD: Duration = Duration::from_secs(3);

/// Sound may be this far from where the last one ended: times are rounded.
const SOUND_TOLERANCE_NANOS: u64 = 50_000;

/// A client that watches the clip.
pub struct Viewer {
    state: State,
    net: NetHandle,
    player: Player,
    sound: Arc<Mutex<SoundWatch>>,
    woken: mpsc::Receiver<()>,
    /// What has happened since it was opened.
    pub story: Story,
    _data: TempDir,
}

impl Viewer {
    /// Starts a client and joins.
    pub fn join(address: SocketAddr) -> Result<Self> {
        let data = tempfile::tempdir()?;
        // One place: a wake that waits there stands for all that come until it is taken.
        let (waker, woken) = mpsc::sync_channel(1);
        let wake = move || _ = waker.try_send(());
        let player = Player::start(AudioOutput::none(), wake.clone())?;
        player.set_display_size(DISPLAY_SIZE.0, DISPLAY_SIZE.1);
        let sound = Arc::new(Mutex::new(SoundWatch::default()));
        let sink = WatchingSink { player: player.sink(), sound: Arc::clone(&sound) };
        let settings = NetSettings { data_dir: data.path().to_owned(), is_plaintext: false };
        let net = NetHandle::start(settings, Arc::new(sink), Arc::new(move |_| wake()))?;
        let state = State::new(address.to_string(), "viewer".to_owned(), false);
        let mut viewer = Self { state, net, player, sound, woken, story: Story::default(), _data: data };
        viewer.act(Action::Connect);
        viewer.play_until("welcome", |viewer| {
            viewer.state.connection.is_online() && !viewer.state.library.videos.is_empty()
        })?;
        Ok(viewer)
    }

    /// Opens the clip and goes to where its 1440p third begins.
    pub fn open_last_third(&mut self) -> Result<()> {
        let video = self.state.library.videos.iter().find(|video| video.title == clip::TITLE);
        let video = video.context("the server does not offer the clip")?.id;
        self.act(Action::Watch(video));
        self.play_until("first picture", |viewer| viewer.height().is_some())?;
        self.act(Action::SeekTo(2 * clip::THIRD.as_nanos() as u64));
        self.play_until("first picture in 1440p", |viewer| viewer.height() == Some(clip::LARGEST_HEIGHT))?;
        self.play_for(LEAD)
    }

    /// Goes on playing.
    pub fn play_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    /// The figures at this moment.
    pub fn mark(&self) -> Result<Mark> {
        let at = Instant::now();
        let figures = self.player.figures(at).context("nothing plays")?;
        let sound_gaps = self.sound.lock().unwrap_or_else(PoisonError::into_inner).gaps;
        Ok(Mark { at, figures, sound_gaps })
    }

    fn play_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            ensure!(Instant::now() < end, "no {what} within {} s", PATIENCE.as_secs());
            self.turn(end)?;
        }
        Ok(())
    }

    fn height(&self) -> Option<u32> {
        self.state.player.showing.as_ref()?.height
    }

    /// What the window does for a frame. Then waits until something wakes it, or a picture is due.
    fn turn(&mut self, end: Instant) -> Result<()> {
        interrupt::pause(Duration::ZERO)?;
        while let Some(event) = self.net.next_event() {
            let effects = self.state.apply(event, moment());
            self.carry_out(effects);
        }
        let effects = self.state.tick(moment());
        self.carry_out(effects);
        self.play();
        if let Some(problem) = &self.state.connection.problem {
            bail!("{} {}", problem.what, problem.remedy);
        }
        match self.state.player.showing.as_ref().map(|showing| &showing.stage) {
            Some(Stage::Failed(reason)) => bail!("the video failed: {reason}"),
            Some(Stage::Ended) => bail!("the video ended before the last step"),
            _ => {}
        }
        let now = Instant::now();
        let due = self.player.next_due(now).unwrap_or(now + FRAME).min(now + FRAME).min(end);
        // A time-out is as good as a wake.
        _ = self.woken.recv_timeout(due.saturating_duration_since(now));
        Ok(())
    }

    fn play(&mut self) {
        let now = Instant::now();
        if let Some((_, picture)) = self.player.due(now) {
            self.player.recycle(picture.pixels);
        }
        self.grant();
        let Some(status) = self.player.status(now) else { return };
        if self.state.player.wants_figures(now)
            && let Some(figures) = self.player.figures(now)
        {
            self.state.take_figures(figures, moment());
        }
        self.story.note_stall(status.hold == Some(Hold::Source), now);
        let effects = self.state.report(status, moment());
        self.carry_out(effects);
    }

    fn act(&mut self, action: Action) {
        let effects = self.state.handle(action, moment());
        self.carry_out(effects);
    }

    fn grant(&mut self) {
        if let Some((stream, epoch, items)) = self.player.take_credit() {
            self.net.send(NetCommand::Grant { stream, epoch, items });
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let now = Instant::now();
            match effect {
                Effect::Net(command) => self.net.send(command),
                Effect::StartPlayback { stream, has_sound, largest_picture, variants, delivery, ladder, .. } => {
                    self.player.begin(stream, has_sound, now);
                    self.player.begin_ladder(&variants, delivery, ladder);
                    self.player.set_largest_picture(largest_picture.0, largest_picture.1);
                    self.grant();
                }
                Effect::StreamStarted(start) => self.player.stream_started(&start),
                Effect::BeginEpoch { stream, epoch, has_sound, is_paused, delivery, ladder } => {
                    self.sound.lock().unwrap_or_else(PoisonError::into_inner).begin(epoch);
                    self.player.seek(stream, epoch, has_sound, now);
                    self.player.set_ladder(delivery, ladder);
                    self.player.set_paused(is_paused, now);
                    self.grant();
                }
                Effect::ContinueEpoch { stream, epoch, delivery } => {
                    self.player.continue_in(stream, epoch, delivery, now);
                    let rate = self.state.player.showing.as_ref().and_then(|showing| showing.link_bytes_per_second);
                    self.story.changed(delivery, rate, now);
                    self.grant();
                }
                Effect::SourceEnded { stream, epoch } => self.player.source_ended(stream, epoch, now),
                Effect::StopPlayback | Effect::SuspendPlayback => _ = self.player.stop(),
                // There is no window, and nothing is paused, typed or heard.
                Effect::Pause(_)
                | Effect::Volume { .. }
                | Effect::Speed(_)
                | Effect::Cue(_)
                | Effect::ShowThumbnail { .. }
                | Effect::DropThumbnail(_)
                | Effect::ShowPreview(_)
                | Effect::DropPreviews
                | Effect::OpenInBrowser(_)
                | Effect::Notify(_)
                | Effect::CloseNotification
                | Effect::FocusComposer => {}
            }
        }
    }
}

fn moment() -> Moment {
    Moment { instant: Instant::now(), unix_millis: 0 }
}

/// Looks whether all of the sound arrives.
#[derive(Default)]
struct SoundWatch {
    /// The epoch of the last seek; what comes of earlier ones is not played.
    epoch: Epoch,
    /// Where the sound ends that has arrived since.
    end_nanos: Option<u64>,
    gaps: u64,
}

impl SoundWatch {
    fn begin(&mut self, epoch: Epoch) {
        (self.epoch, self.end_nanos) = (epoch, None);
    }

    fn arrived(&mut self, head: SoundHead, bytes: &[u8]) {
        if head.epoch < self.epoch {
            return;
        }
        let audio_frames = match head.format {
            SoundFormat::Pcm => bytes.len() / SOUND_FRAME_BYTES,
            SoundFormat::Opus => OpusSound::parse(bytes).map_or(0, |sound| sound.audio_frames),
        };
        let end = head.pts_nanos + audio_frames as u64 * 1_000_000_000 / u64::from(SOUND_RATE_HZ);
        if self.end_nanos.is_some_and(|before| head.pts_nanos > before + SOUND_TOLERANCE_NANOS) {
            self.gaps += 1;
        }
        self.end_nanos = self.end_nanos.max(Some(end));
    }
}

/// The player's sink, with a look at the sound on its way.
struct WatchingSink {
    player: Arc<dyn PictureSink>,
    sound: Arc<Mutex<SoundWatch>>,
}

impl PictureSink for WatchingSink {
    fn part(&self, part: StreamPart) {
        self.player.part(part);
    }

    fn picture(&self, head: PictureHead, jpeg: Vec<u8>) {
        self.player.picture(head, jpeg);
    }

    fn sound(&self, head: SoundHead, bytes: Vec<u8>) {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner).arrived(head, &bytes);
        self.player.sound(head, bytes);
    }
}
