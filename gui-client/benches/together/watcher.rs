//! A client without a window, on a thread of its own: its network side, its state and its player, driven as the window drives
//! them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;
use triptych_client::{
    event::NetCommand,
    net::{NetHandle, NetSettings},
    playback::{audio_output::AudioOutput, player::Player},
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
        player::Stage,
    },
};

use crate::{drift::Reading, interrupt};

/// How often the player is looked at when nothing wakes the client: a frame of a window.
const FRAME: Duration = Duration::from_millis(16);

/// How long joining may take, with a new key, and until the first picture comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the picture in the window, to which larger ones are reduced while decoding.
const DISPLAY_SIZE: (u32, u32) = (640, 360);

/// What the client is told, and what it tells.
#[derive(Default)]
struct Shared {
    actions: Vec<Action>,
    readings: Vec<Reading>,
    state: Option<State>,
    failure: Option<String>,
    is_closing: bool,
}

/// A client that watches.
pub struct Watcher {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts a client and joins the server.
    pub fn start(name: &'static str, address: SocketAddr) -> Result<Self> {
        let shared = Arc::<Mutex<Shared>>::default();
        let at_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name(format!("watcher-{name}")).spawn(move || {
            let failure = Client::start(name, address).and_then(|mut client| client.run(&at_thread)).err();
            lock(&at_thread).failure = failure.map(|error| format!("{name}: {error:#}"));
        })?;
        let watcher = Self { shared, thread: Some(thread) };
        watcher.wait("welcome", |state| state.connection.is_online() && !state.library.videos.is_empty())?;
        Ok(watcher)
    }

    /// Opens a video and waits for its first picture.
    pub fn open(&self, title: &str) -> Result<()> {
        let mut video = None;
        self.wait("video", |state| {
            video = state.library.videos.iter().find(|video| video.title == title).map(|video| video.id);
            video.is_some()
        })?;
        self.act(Action::Watch(video.expect("it was found")));
        self.wait("first picture", |state| {
            state.player.showing.as_ref().is_some_and(|showing| showing.stage == Stage::Playing)
        })
    }

    /// Joins the only party there is, once it is listed.
    pub fn join(&self) -> Result<()> {
        let mut party = None;
        self.wait("party", |state| {
            party = state.people.parties().first().map(|party| party.id);
            party.is_some()
        })?;
        let action = triptych_client::state::action::PartyAction::Join(party.expect("it was found"));
        self.act(Action::Party(action));
        Ok(())
    }

    /// Has the client do something.
    pub fn act(&self, action: Action) {
        lock(&self.shared).actions.push(action);
    }

    /// Where it was since the last call.
    pub fn take_readings(&self) -> Result<Vec<Reading>> {
        let mut shared = lock(&self.shared);
        if let Some(failure) = &shared.failure {
            bail!("{failure}");
        }
        Ok(std::mem::take(&mut shared.readings))
    }

    fn wait(&self, what: &str, mut is_so: impl FnMut(&State) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let shared = lock(&self.shared);
            if let Some(failure) = &shared.failure {
                bail!("{failure}");
            }
            if shared.state.as_ref().is_some_and(&mut is_so) {
                return Ok(());
            }
            drop(shared);
            ensure!(Instant::now() < end, "no {what} within {} s", PATIENCE.as_secs());
            interrupt::pause(FRAME)?;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        lock(&self.shared).is_closing = true;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client {
    state: State,
    net: NetHandle,
    player: Player,
    woken: mpsc::Receiver<()>,
    _data: TempDir,
}

impl Client {
    fn start(name: &str, address: SocketAddr) -> Result<Self> {
        let data = tempfile::tempdir()?;
        // One place: a wake that waits there stands for all that come until it is taken.
        let (waker, woken) = mpsc::sync_channel(1);
        let wake = move || _ = waker.try_send(());
        let player = Player::start(AudioOutput::none(), wake.clone())?;
        player.set_display_size(DISPLAY_SIZE.0, DISPLAY_SIZE.1);
        let settings = NetSettings { data_dir: data.path().to_owned(), is_plaintext: false };
        let net = NetHandle::start(settings, player.sink(), Arc::new(move |_| wake()))?;
        let state = State::new(address.to_string(), name.to_owned(), false);
        let mut client = Self { state, net, player, woken, _data: data };
        client.act(Action::Connect);
        Ok(client)
    }

    /// What the window does, frame by frame.
    fn run(&mut self, shared: &Mutex<Shared>) -> Result<()> {
        let mut told_at = Instant::now();
        loop {
            let (actions, is_closing) = {
                let mut shared = lock(shared);
                (std::mem::take(&mut shared.actions), shared.is_closing)
            };
            if is_closing {
                return Ok(());
            }
            actions.into_iter().for_each(|action| self.act(action));
            while let Some(event) = self.net.next_event() {
                let effects = self.state.apply(event, moment());
                self.carry_out(effects);
            }
            let effects = self.state.tick(moment());
            self.carry_out(effects);
            let reading = self.play();
            if let Some(problem) = &self.state.connection.problem {
                bail!("{} {}", problem.what, problem.remedy);
            }
            if let Some(Stage::Failed(reason)) = self.state.player.showing.as_ref().map(|showing| &showing.stage) {
                bail!("the video failed: {reason}");
            }
            let now = Instant::now();
            {
                let mut shared = lock(shared);
                shared.readings.extend(reading);
                if shared.state.is_none() || told_at.elapsed() > PATIENCE / 600 {
                    shared.state = Some(self.state.clone());
                    told_at = now;
                }
            }
            let due = self.player.next_due(now).unwrap_or(now + FRAME).min(now + FRAME);
            // A time-out is as good as a wake.
            _ = self.woken.recv_timeout(due.saturating_duration_since(now));
        }
    }

    fn play(&mut self) -> Option<Reading> {
        let now = Instant::now();
        if let Some((_, picture)) = self.player.due(now) {
            self.player.recycle(picture.pixels);
        }
        self.grant();
        let status = self.player.status(now)?;
        let effects = self.state.report(status, moment());
        self.carry_out(effects);
        status.clock.map(|(position, at)| (at, position))
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
                Effect::StartPlayback {
                    stream,
                    has_sound,
                    largest_picture,
                    variants,
                    delivery,
                    ladder,
                    is_paused,
                    ..
                } => {
                    self.player.begin(stream, has_sound, now);
                    self.player.begin_ladder(&variants, delivery, ladder);
                    self.player.set_largest_picture(largest_picture.0, largest_picture.1);
                    self.player.set_paused(is_paused, now);
                    self.grant();
                }
                Effect::StreamStarted(start) => self.player.stream_started(&start),
                Effect::BeginEpoch { stream, epoch, has_sound, is_paused, delivery, ladder } => {
                    self.player.seek(stream, epoch, has_sound, now);
                    self.player.set_ladder(delivery, ladder);
                    self.player.set_paused(is_paused, now);
                    self.grant();
                }
                Effect::ContinueEpoch { stream, epoch, delivery } => {
                    self.player.continue_in(stream, epoch, delivery, now);
                    self.grant();
                }
                Effect::Pause(is_paused) => self.player.set_paused(is_paused, now),
                Effect::Speed(speed) => self.player.set_speed(speed, now),
                Effect::Cue(cue) => self.player.set_cue(cue, now),
                Effect::SourceEnded { stream, epoch } => self.player.source_ended(stream, epoch, now),
                Effect::StopPlayback | Effect::SuspendPlayback => _ = self.player.stop(),
                // There is no window, and nothing is typed or heard.
                Effect::Volume { .. }
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
