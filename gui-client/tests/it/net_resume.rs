//! A video in the window's state, the real network side and the real player, while the real server is killed and started
//! again.

use std::{path::Path, time::Instant};

use common::{
    crypto::test_keys,
    media::{PictureHead, Quality},
};
use tempfile::TempDir;
use triptych_client::{
    event::NetCommand,
    net::{NetHandle, NetSettings},
    playback::{audio_output::AudioOutput, player::Player},
    state::{
        State,
        action::Action,
        effect::Effect,
        player::{Showing, Stage, quality::QualityChoice},
    },
};

use crate::{
    net_stream::make_clip,
    support::{client::keep, host::Host, scenes::moment, wake::WakeSignal},
};

/// The program without its window.
struct Viewer {
    state: State,
    net: NetHandle,
    player: Player,
    wake: WakeSignal,
    shown: Vec<PictureHead>,
    /// Whether the picture on the screen was taken away at some time.
    was_cleared: bool,
    _data_dir: TempDir,
}

impl Viewer {
    fn join(address: &str) -> Self {
        let wake = WakeSignal::default();
        let player = Player::start(AudioOutput::none(), wake.callback()).expect("a thread can be started");
        let data_dir = tempfile::tempdir().unwrap();
        keep(data_dir.path(), "ada", &test_keys::ada());
        let settings = NetSettings { data_dir: data_dir.path().to_owned(), is_plaintext: true };
        let callback = wake.callback();
        let net = NetHandle::start(settings, player.sink(), std::sync::Arc::new(move |_| callback()))
            .expect("threads can be started");
        let state = State::new(address.to_owned(), "ada".into(), true);
        let mut viewer = Self { state, net, player, wake, shown: Vec::new(), was_cleared: false, _data_dir: data_dir };
        viewer.act(Action::Connect);
        viewer.wait_for("the server", |viewer| viewer.state.connection.is_online());
        viewer
    }

    fn act(&mut self, action: Action) {
        let effects = self.state.handle(action, moment());
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let now = Instant::now();
            match effect {
                Effect::Net(command) => self.net.send(command),
                Effect::StartPlayback { stream, has_sound, is_paused, variants, delivery, ladder, .. } => {
                    self.player.begin(stream, has_sound, now);
                    self.player.begin_ladder(&variants, delivery, ladder);
                    self.player.set_paused(is_paused, now);
                }
                Effect::BeginEpoch { stream, epoch, has_sound, is_paused, .. } => {
                    self.player.seek(stream, epoch, has_sound, now);
                    self.player.set_paused(is_paused, now);
                }
                Effect::Pause(is_paused) => self.player.set_paused(is_paused, now),
                Effect::SourceEnded { stream, epoch } => self.player.source_ended(stream, epoch, now),
                Effect::SuspendPlayback => _ = self.player.stop(),
                Effect::StopPlayback => {
                    self.player.stop();
                    self.was_cleared = true;
                }
                _ => {}
            }
            self.grant();
        }
    }

    fn grant(&mut self) {
        if let Some((stream, epoch, items)) = self.player.take_credit() {
            self.net.send(NetCommand::Grant { stream, epoch, items });
        }
    }

    /// One frame of the window. Returns when the next one is due.
    fn step(&mut self) -> Option<Instant> {
        while let Some(event) = self.net.next_event() {
            let effects = self.state.apply(event, moment());
            self.carry_out(effects);
        }
        let effects = self.state.tick(moment());
        self.carry_out(effects);
        let now = Instant::now();
        if let Some((head, picture)) = self.player.due(now) {
            self.shown.push(head);
            self.player.recycle(picture.pixels);
        }
        self.grant();
        if let Some(status) = self.player.status(now) {
            let effects = self.state.report(status, moment());
            self.carry_out(effects);
        }
        [self.player.next_due(now), self.state.next_tick()].into_iter().flatten().min()
    }

    fn wait_for(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let wake = self.wake.clone();
        wake.wait_for_or(what, || {
            let next = self.step();
            if is_there(self) { Ok(()) } else { Err(next) }
        });
    }

    fn showing(&self) -> &Showing {
        self.state.player.showing.as_ref().expect("a video is in the player")
    }

    fn watch(&mut self) {
        let id = self.state.library.videos[0].id;
        self.act(Action::Watch(id));
    }

    fn wait_for_picture(&mut self, index: u32) {
        self.wait_for("a picture", |viewer| viewer.showing().picture_index().is_some_and(|shown| shown >= index));
    }

    /// Loses the server. Returns the picture that stays on the screen.
    fn lose(&mut self, host: Host) -> u32 {
        host.kill();
        self.wait_for("the end of the connection", |viewer| viewer.showing().stage == Stage::Interrupted);
        self.shown.clear();
        self.showing().picture_index().expect("a picture was shown")
    }

    fn come_back(&mut self) {
        self.act(Action::ReconnectNow);
        self.wait_for("the server", |viewer| viewer.state.connection.is_online());
    }
}

fn host(videos: &Path, listen: &str) -> Host {
    Host::start_with(None, listen, videos)
}

#[test]
fn a_server_that_is_killed_and_started_again_shows_the_next_picture_by_itself() {
    let videos = tempfile::tempdir().unwrap();
    make_clip(videos.path());
    let first = host(videos.path(), "127.0.0.1:0");
    let address = first.address.clone();
    let mut viewer = Viewer::join(&address);
    viewer.watch();
    viewer.wait_for_picture(10);
    let stopped_at = viewer.lose(first);
    assert!(!viewer.was_cleared, "the last picture stays");
    let second = host(videos.path(), &address);
    viewer.come_back();
    viewer.wait_for("the rest", |viewer| viewer.showing().stage == Stage::Ended || viewer.shown.len() > 8);
    let indices: Vec<u32> = viewer.shown.iter().map(|head| head.index).collect();
    assert_eq!(indices[0], stopped_at, "it goes on at the picture on the screen");
    assert!(indices.windows(2).all(|pair| pair[1] == pair[0] + 1), "{indices:?}");

    // Once more, paused and in one resolution: that picture comes, and no other.
    viewer.act(Action::StopWatching);
    viewer.watch();
    viewer.wait_for_picture(3);
    viewer.act(Action::TogglePause);
    viewer.act(Action::SetQuality(QualityChoice::Fixed(Quality::Only(120))));
    viewer.wait_for("the other resolution", |viewer| {
        viewer.showing().picture_index().is_some() && viewer.showing().height == Some(120)
    });
    let stopped_at = viewer.lose(second);
    let third = host(videos.path(), &address);
    viewer.come_back();
    viewer.wait_for("the picture", |viewer| viewer.showing().picture_index().is_some());
    assert_eq!(viewer.shown.iter().map(|head| (head.index, head.height)).collect::<Vec<_>>(), [(stopped_at, 120)]);
    assert!(viewer.showing().is_paused);

    // The video is taken away while the server is.
    viewer.lose(third);
    for file in std::fs::read_dir(videos.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let _last = host(videos.path(), &address);
    viewer.come_back();
    assert_eq!(viewer.showing().stage, Stage::Failed("This video is no longer on the server.".into()));
}
