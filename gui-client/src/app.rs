//! Where network, playback, state and views meet: events go into the state, the state is drawn, actions come back, and
//! what they need outside is done.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use egui::{ColorImage, TextureHandle, TextureOptions};

use crate::{
    config::{Colours, Config},
    event::NetCommand,
    net::{NetHandle, NetSettings},
    playback::{
        decoder::{Decoder, Status},
        picture::Picture,
        playout::{Hold, Summary},
        sound::Sound,
    },
    state::{
        State,
        action::{Action, Effect, Moment},
        link::Phase,
        player::{PlaybackReport, Stall},
        thumbnails::ThumbnailKey,
    },
    ui::{self, View, theme},
};

/// Network events are taken in for at most this long before the window is drawn; the rest waits for the next time.
const EVENT_BUDGET: Duration = Duration::from_millis(4);

/// The time beside a video is brought up to date with its pictures; without any, this often.
const POSITION_INTERVAL: Duration = Duration::from_millis(250);

/// A picture is taken this much before its time at most, for the time that drawing takes.
const MOST_DRAWING_TIME: Duration = Duration::from_millis(25);

/// The program behind the window.
pub struct App {
    state: State,
    net: NetHandle,
    decoder: Decoder,
    screen: Screen,
    /// Due, and not yet drawn.
    next_picture: Option<Picture>,
    /// Small pictures of videos, on the graphics side.
    thumbnails: HashMap<ThumbnailKey, TextureHandle>,
    title: String,
    wants_composer_focus: bool,
    /// How long the window has taken to draw lately: a picture is seen that much after it was taken.
    drawing_time: Duration,
}

/// The picture on the graphics side.
#[derive(Default)]
struct Screen {
    texture: Option<TextureHandle>,
    /// Pictures handed over; each comes back when the renderer has let go of it.
    handed_over: Vec<Arc<ColorImage>>,
}

impl App {
    /// Starts the threads for network and decoding.
    pub fn new(ctx: &egui::Context, config: &Config) -> anyhow::Result<Self> {
        dress(ctx, config.theme);
        let waker = ctx.clone();
        // After a delay, however short, the window is drawn once; without one it is drawn twice.
        let wake = move || waker.request_repaint_after(Duration::from_nanos(1));
        let decoder = Decoder::start(Sound::start(wake.clone())?, wake)?;
        let data_dir = config.data_folder().ok_or_else(|| {
            anyhow::anyhow!("this system names no folder for a user's data; name one with --data-dir")
        })?;
        let settings = NetSettings { data_dir, is_plaintext: config.plaintext };
        let waker = ctx.clone();
        let net = NetHandle::start(settings, decoder.sink(), Arc::new(move || waker.request_repaint()));
        Ok(Self {
            state: State::new(config.address(), config.wished_name()),
            net,
            decoder,
            screen: Screen::default(),
            next_picture: None,
            thumbnails: HashMap::new(),
            title: String::new(),
            wants_composer_focus: false,
            drawing_time: Duration::ZERO,
        })
    }

    fn take_in_events(&mut self, ctx: &egui::Context) {
        let begun = Instant::now();
        while let Some(event) = self.net.next_event() {
            let effects = self.state.apply(event, now());
            self.carry_out(effects);
            if begun.elapsed() > EVENT_BUDGET {
                ctx.request_repaint();
                return;
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Net(command) => self.net.send(command),
                Effect::StartPlayback { title, stream, has_sound } => {
                    let before = self.decoder.begin(stream, has_sound, Instant::now());
                    log_summary(&self.title, "replaced", before);
                    self.title = title;
                    self.clear_screen();
                    // At once: the first picture waits for it.
                    self.grant();
                }
                Effect::BeginStretch { title, stream, epoch, has_sound } => {
                    // What is on the screen stays there.
                    self.title = title;
                    self.decoder.seek(stream, epoch, has_sound, Instant::now());
                }
                Effect::Pause(is_paused) => {
                    self.decoder.set_paused(is_paused, Instant::now());
                    self.grant();
                }
                Effect::Volume { percent } => self.decoder.set_volume(percent),
                Effect::SourceEnded { stream, epoch } => self.decoder.source_ended(stream, epoch, Instant::now()),
                Effect::ShowThumbnail { key, jpeg } => self.decoder.thumbnail(key, jpeg),
                Effect::DropThumbnail(key) => drop(self.thumbnails.remove(&key)),
                Effect::StopPlayback { how } => {
                    log_summary(&self.title, how, self.decoder.stop());
                    self.clear_screen();
                }
                Effect::FocusComposer => self.wants_composer_focus = true,
            }
        }
    }

    fn clear_screen(&mut self) {
        self.screen.texture = None;
        self.next_picture = None;
    }

    fn grant(&self) {
        if let Some((stream, epoch, items)) = self.decoder.take_credit() {
            self.net.send(NetCommand::Grant { stream, epoch, items });
        }
    }

    /// Takes the due picture, and tells the state how the stream stands.
    fn play(&mut self, ctx: &egui::Context) {
        // When what is drawn now is seen.
        let now = Instant::now() + self.drawing_time;
        if let Some((_, picture)) = self.decoder.due(now)
            && let Some(unseen) = self.next_picture.replace(picture)
        {
            // The window is hidden, so nobody drew the one before.
            self.decoder.recycle(unseen.pixels);
        }
        self.screen.take_back(&self.decoder);
        self.grant();
        let Some(status) = self.decoder.status(now) else { return };
        let effects = self.state.report(report(&status), self::now());
        self.carry_out(effects);
        if status.is_finished {
            log_summary(&self.title, "ended", self.decoder.stop());
            return;
        }
        let due = self.decoder.next_due(now);
        if due.is_some() || status.hold.is_none() && status.position.is_some() && !self.is_paused() {
            let seen = Instant::now() + self.drawing_time;
            let due = due.map_or(POSITION_INTERVAL, |due| due.saturating_duration_since(seen));
            // Never zero: that would draw twice.
            ctx.request_repaint_after(due.clamp(Duration::from_micros(100), POSITION_INTERVAL));
        } else if status.position.is_none() && status.shown.is_some() {
            // On the way to another place: see whether it takes long.
            ctx.request_repaint_after(POSITION_INTERVAL);
        }
    }

    fn is_paused(&self) -> bool {
        self.state.player.showing.as_ref().is_some_and(|showing| showing.is_paused)
    }

    /// Puts decoded small pictures on the graphics side.
    fn take_thumbnails(&mut self, ctx: &egui::Context) {
        for (key, picture) in self.decoder.take_thumbnails() {
            let Some(picture) = picture else { continue };
            let size = [picture.width, picture.height];
            let image = ColorImage::new(size, bytemuck::allocation::cast_vec(picture.pixels));
            let texture = ctx.load_texture("thumbnail", image, TextureOptions::LINEAR);
            self.thumbnails.insert(key, texture);
        }
    }

    fn keep_time(&mut self, ctx: &egui::Context) {
        let effects = self.state.tick(now());
        self.carry_out(effects);
        if let Some(at) = self.state.next_tick() {
            // The countdown is drawn once a second.
            let wait = at.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
            ctx.request_repaint_after(wait.max(Duration::from_millis(1)));
        }
    }

    fn act(&mut self, actions: Vec<Action>, ctx: &egui::Context) {
        let has_acted = !actions.is_empty();
        for action in actions {
            let effects = self.state.handle(action, now());
            self.carry_out(effects);
        }
        if has_acted {
            ctx.request_repaint();
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        if let Some(seconds) = frame.info().cpu_usage {
            // Smoothed: one slow frame says little of the next.
            let last = Duration::from_secs_f32(seconds.clamp(0.0, 1.0));
            self.drawing_time = ((self.drawing_time * 7 + last) / 8).min(MOST_DRAWING_TIME);
        }
        self.take_in_events(ctx);
        self.keep_time(ctx);
        self.play(ctx);
        self.take_thumbnails(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        // Here and not in `logic`: a hidden window's uploads would pile up until it is seen again.
        if let Some(picture) = self.next_picture.take() {
            self.screen.show(ui.ctx(), picture);
        }
        let view = View {
            now: now(),
            picture: self.screen.texture.as_ref().map(TextureHandle::id),
            thumbnail: &|key| self.thumbnails.get(&key).map(|texture| (texture.id(), texture.size_vec2())),
            wants_composer_focus: std::mem::take(&mut self.wants_composer_focus),
        };
        let outcome = ui::show(ui, &self.state, view);
        if let Some((width, height)) = outcome.picture_place {
            self.decoder.set_place(width, height);
        }
        self.act(outcome.actions, ui.ctx());
        let effects = self.state.see_videos(&outcome.visible_videos);
        self.carry_out(effects);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        log_summary(&self.title, "stopped", self.decoder.stop());
        if self.state.link.phase == Phase::Online {
            tracing::info!("leaving the server");
        }
    }
}

impl Screen {
    /// Hands a picture to the renderer. The texture is kept while the size stays: making a new one for each picture costs
    /// an allocation on the graphics side.
    fn show(&mut self, ctx: &egui::Context, picture: Picture) {
        let size = [picture.width, picture.height];
        let pixels = bytemuck::allocation::cast_vec(picture.pixels);
        let image = Arc::new(ColorImage::new(size, pixels));
        self.handed_over.push(Arc::clone(&image));
        match &mut self.texture {
            Some(texture) if texture.size() == size => texture.set_partial([0, 0], image, TextureOptions::LINEAR),
            _ => self.texture = Some(ctx.load_texture("video", image, TextureOptions::LINEAR)),
        }
    }

    /// Gives the memory of uploaded pictures back to the decoder.
    fn take_back(&mut self, decoder: &Decoder) {
        for image in std::mem::take(&mut self.handed_over) {
            match Arc::try_unwrap(image) {
                Ok(image) => decoder.recycle(bytemuck::allocation::cast_vec(image.pixels)),
                Err(image) => self.handed_over.push(image),
            }
        }
    }
}

fn dress(ctx: &egui::Context, colours: Colours) {
    theme::apply(ctx);
    ctx.set_theme(match colours {
        Colours::System => egui::ThemePreference::System,
        Colours::Light => egui::ThemePreference::Light,
        Colours::Dark => egui::ThemePreference::Dark,
    });
}

fn now() -> Moment {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { instant: Instant::now(), unix_millis: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX) }
}

fn report(status: &Status) -> PlaybackReport {
    PlaybackReport {
        stream: status.stream,
        epoch: status.epoch,
        position_nanos: status.position.map(|position| u64::try_from(position.as_nanos()).unwrap_or(u64::MAX)),
        shown: status.shown.map(|head| (head.index, head.height)),
        stall: status.hold.map(|hold| match hold {
            Hold::Source => Stall::Source,
            Hold::Decoder => Stall::Decoder,
        }),
        is_finished: status.is_finished,
    }
}

/// The one line that is left of a stream.
fn log_summary(title: &str, how: &str, summary: Option<Summary>) {
    let Some(summary) = summary else { return };
    let tally = summary.tally;
    let millis = |duration: Option<Duration>| {
        duration.map_or("never".to_owned(), |duration| format!("{} ms", duration.as_millis()))
    };
    let offset = summary.offset.mean().map_or("nothing to compare".to_owned(), |mean| {
        let most = summary.offset.most;
        format!("{:.1} ms from the picture, {:.1} ms at most", mean.as_secs_f64() * 1e3, most.as_secs_f64() * 1e3)
    });
    tracing::info!(
        "video {title:?} {how}: {} frames shown, {} dropped (late at decoder {}, late at display {}, broken {}, beyond \
         credit {}), {} unshown at the end, {} at seeks, {} stale, {} stalls; first picture after {}, {:.1} frames/s on \
         average; {} sound chunks played, {} unheard, {} under-runs, sound {offset}; {} seeks, picture after {}",
        tally.shown,
        tally.dropped(),
        tally.late_at_decoder,
        tally.late_at_display,
        tally.broken,
        tally.beyond_credit,
        tally.unshown_at_stop,
        tally.unshown_at_seek,
        tally.stale,
        tally.stalls,
        millis(summary.first_picture_after),
        summary.mean_frames_per_second(),
        tally.sounds_played,
        tally.sounds_unheard,
        tally.under_runs,
        tally.seeks,
        millis(summary.seek_median),
    );
}
