//! The main loop, which joins network, player, state and views: events and actions change the state, the state is drawn, and
//! its effects are carried out.

mod browser;
mod discovery;
mod effects;
pub mod notifications;
#[cfg(target_os = "linux")]
pub mod portal;
mod report;
mod screen;
pub mod settings_file;
mod waker;

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use egui::{ColorImage, TextureHandle, TextureOptions};

use self::{
    discovery::SearchWhileWanted,
    notifications::Desktop,
    report::log_summary,
    screen::Screen,
    settings_file::{Loaded, SettingsFile},
    waker::{WireShown, waker},
};
use crate::{
    config::Config,
    event::{PreviewKey, SmallPicture, ThumbnailKey},
    net::{NetHandle, NetSettings},
    playback::{audio_output::AudioOutput, picture::Picture, player::Player},
    settings::Remembered,
    state::{
        State,
        action::{Action, Moment},
        appearance::Appearance,
        connection::Phase,
        layout::Pane,
        player::meter::SAMPLE_INTERVAL,
    },
    ui::{self, View, kit::theme},
};

/// Network events are applied for at most this long in a frame; the rest waits for the next one.
const EVENT_BUDGET: Duration = Duration::from_millis(4);

/// How often the position of a video is updated while no new picture does so.
const POSITION_INTERVAL: Duration = Duration::from_millis(250);

/// Upper limit of [`App::drawing_time`].
const MOST_DRAWING_TIME: Duration = Duration::from_millis(25);

/// The program: owns the state, the threads and the textures.
pub struct App {
    state: State,
    net: NetHandle,
    search: SearchWhileWanted,
    wire_shown: WireShown,
    player: Player,
    screen: Screen,
    /// The picture that is due and not yet drawn.
    next_picture: Option<Picture>,
    /// Thumbnails as textures.
    thumbnails: HashMap<ThumbnailKey, TextureHandle>,
    /// Previews of the video in the player, as textures.
    previews: HashMap<PreviewKey, TextureHandle>,
    /// Title of the video that plays or was played last, for the log.
    title: String,
    wants_composer_focus: bool,
    /// What of the settings is on the disk, and the thread that puts it there.
    remembered: Remembered,
    settings_file: SettingsFile,
    /// Says how the desktop looks; absent where no thread could be started.
    #[cfg(target_os = "linux")]
    portal: Option<portal::Portal>,
    /// How the window looks.
    appearance: Appearance,
    /// The notifications of the desktop.
    desktop: Desktop,
    /// Smoothed time that a frame takes to draw. A picture is seen this much after it is taken, so it is taken this much early.
    drawing_time: Duration,
}

impl App {
    /// Starts the threads for network, decoding, audio and settings. `loaded` is what the file of the settings holds. Fails
    /// when a thread cannot be started, or when there is no folder for keys.
    pub fn new(ctx: &egui::Context, config: &Config, loaded: Loaded) -> anyhow::Result<Self> {
        let remembered = Remembered::new(loaded.settings, config.given());
        let settings = remembered.initial();
        theme::apply(ctx);
        ctx.set_zoom_factor(f32::from(settings.zoom_percent) / 100.0);
        let context = ctx.clone();
        // With a delay, however short, egui draws the window once; without one, twice.
        let wake = move || context.request_repaint_after(Duration::from_nanos(1));
        let desktop = Desktop::start(wake.clone())?;
        let player = Player::start(AudioOutput::start(wake.clone())?, wake)?;
        let data_dir = config
            .data_folder()
            .ok_or_else(|| anyhow::anyhow!("This system has no folder for user data. Choose one with --data-dir."))?;
        let settings_file = SettingsFile::start(&data_dir)?;
        let search = SearchWhileWanted::new(data_dir.clone());
        let net_settings = NetSettings { data_dir, is_plaintext: config.plaintext };
        let wire_shown = WireShown::default();
        let net = NetHandle::start(net_settings, player.sink(), waker(ctx.clone(), wire_shown.clone()))?;
        let state = State::new(Config::address(&settings), Config::initial_name(&settings), config.plaintext);
        let mut app = Self {
            state,
            search,
            wire_shown,
            net,
            player,
            screen: Screen::default(),
            next_picture: None,
            thumbnails: HashMap::new(),
            previews: HashMap::new(),
            title: String::new(),
            wants_composer_focus: false,
            remembered,
            settings_file,
            #[cfg(target_os = "linux")]
            portal: follow_desktop(ctx),
            appearance: Appearance::default(),
            desktop,
            drawing_time: Duration::ZERO,
        };
        let effects = app.state.use_settings(settings, loaded.notice);
        app.carry_out(effects);
        // Before the first frame, so that the window does not open in other colours.
        app.dress(ctx);
        if config.server.is_none() {
            app.state.begin_search(now());
        }
        Ok(app)
    }

    /// Shows the colours, the contrast and the motion that were chosen or that the desktop asks for.
    fn dress(&mut self, ctx: &egui::Context) {
        #[cfg(target_os = "linux")]
        if let Some(desktop) = self.portal.as_ref().and_then(portal::Portal::take) {
            self.state.desktop = desktop;
        }
        let appearance = self.state.appearance();
        if appearance != self.appearance {
            self.appearance = appearance;
            theme::show(ctx, appearance);
        }
    }

    /// Has changed settings written down.
    fn remember(&mut self, ctx: &egui::Context) {
        if let Some((size_points, is_maximized, zoom_percent)) = ui::window::geometry(ctx) {
            self.state.note_window(size_points, is_maximized, zoom_percent);
        }
        if let Some(changed) = self.remembered.update(&self.state.settings) {
            self.settings_file.write(changed);
        }
    }

    fn apply_events(&mut self, ctx: &egui::Context) {
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

    /// Takes the picture that is due and reports the status of the stream to the state.
    fn play(&mut self, ctx: &egui::Context) {
        // The time at which this frame will be seen.
        let now = Instant::now() + self.drawing_time;
        if let Some((_, picture)) = self.player.due(now)
            && let Some(unseen) = self.next_picture.replace(picture)
        {
            // The window is hidden, so the one before was not drawn.
            self.player.recycle(unseen.pixels);
        }
        self.screen.take_back(&self.player);
        self.grant();
        let Some(status) = self.player.status(now) else { return };
        if self.state.player.wants_figures(now)
            && let Some(figures) = self.player.figures(now)
        {
            self.state.take_figures(figures, self::now());
        }
        let effects = self.state.report(status, self::now());
        self.carry_out(effects);
        if status.is_finished {
            let how = if self.state.player.has_failed() { "failed" } else { "ended" };
            log_summary(&self.title, how, self.player.stop());
            return;
        }
        let due = self.player.next_due(now);
        if due.is_some() || status.hold.is_none() && status.position_nanos.is_some() && !self.is_paused() {
            let seen = Instant::now() + self.drawing_time;
            let due = due.map_or(POSITION_INTERVAL, |due| due.saturating_duration_since(seen));
            // Never zero: egui would draw twice.
            ctx.request_repaint_after(due.clamp(Duration::from_micros(100), POSITION_INTERVAL));
        } else if status.position_nanos.is_none() && status.shown.is_some() {
            // A seek is under way: check whether it is slow.
            ctx.request_repaint_after(POSITION_INTERVAL);
        }
        if self.state.player.is_explaining(now) {
            ctx.request_repaint_after(SAMPLE_INTERVAL);
        }
    }

    fn is_paused(&self) -> bool {
        self.state.player.showing.as_ref().is_some_and(|showing| showing.is_paused)
    }

    /// Uploads decoded thumbnails and previews as textures.
    fn take_small_pictures(&mut self, ctx: &egui::Context) {
        for (key, picture) in self.player.take_small() {
            let is_readable = picture.is_some();
            let is_wanted = match key {
                SmallPicture::Thumbnail(key) => self.state.thumbnail_decoded(key, is_readable),
                SmallPicture::Preview(key) => self.state.preview_decoded(key, is_readable),
            };
            let Some(picture) = picture.filter(|_| is_wanted) else { continue };
            let size = [picture.width, picture.height];
            let image = ColorImage::new(size, bytemuck::allocation::cast_vec(picture.pixels));
            let texture = ctx.load_texture("small picture", image, TextureOptions::LINEAR);
            match key {
                SmallPicture::Thumbnail(key) => _ = self.thumbnails.insert(key, texture),
                SmallPicture::Preview(key) => _ = self.previews.insert(key, texture),
            }
        }
    }

    fn tick(&mut self, ctx: &egui::Context) {
        let effects = self.state.tick(now());
        self.carry_out(effects);
        if let Some(at) = self.state.next_tick() {
            // The countdown to the next attempt is drawn once a second.
            let wait = at.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
            ctx.request_repaint_after(wait.max(Duration::from_millis(1)));
        }
    }

    /// Brings the window to the front with the conversation of a notification that was clicked.
    fn open_notified(&mut self, ctx: &egui::Context) {
        if let Some(peer) = self.desktop.clicked() {
            self.act(vec![Action::Select(peer)], ctx);
            ctx.send_viewport_cmd(egui::ViewportCommand::Minimized(false));
            ctx.send_viewport_cmd(egui::ViewportCommand::Focus);
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
            // Smoothed, because one slow frame says little about the next.
            let last = Duration::from_secs_f32(seconds.clamp(0.0, 1.0));
            self.drawing_time = ((self.drawing_time * 7 + last) / 8).min(MOST_DRAWING_TIME);
        }
        self.state.set_focused(ui::window::has_focus(ctx));
        self.dress(ctx);
        let window = ctx.content_rect();
        self.state.set_window_points(window.width(), window.height());
        let shows_wire = self.state.places().has(Pane::Wire) && !self.state.wire.is_paused();
        self.wire_shown.set(shows_wire && self.state.connection.is_online());
        self.apply_events(ctx);
        self.look_for_servers(ctx);
        self.open_notified(ctx);
        self.tick(ctx);
        for command in ui::window::news(ctx, &self.state) {
            ctx.send_viewport_cmd(command);
        }
        let (command, action) = ui::full_screen::follow(ctx, &self.state);
        command.into_iter().for_each(|command| ctx.send_viewport_cmd(command));
        self.act(action.into_iter().collect(), ctx);
        self.play(ctx);
        self.take_small_pictures(ctx);
        self.remember(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        // Uploaded here and not in `logic`: the uploads of a hidden window would pile up until it is shown again.
        if let Some(picture) = self.next_picture.take() {
            self.screen.show(ui.ctx(), picture);
        }
        let view = View {
            now: now(),
            picture: self.screen.texture.as_ref().map(TextureHandle::id),
            thumbnail: &|key| self.thumbnails.get(&key).map(|texture| (texture.id(), texture.size_vec2())),
            preview: &|key| self.previews.get(&key).map(|texture| (texture.id(), texture.size_vec2())),
            wants_composer_focus: std::mem::take(&mut self.wants_composer_focus),
        };
        let output = ui::show(ui, &self.state, view);
        if let Some((width, height)) = output.picture_size {
            self.player.set_display_size(width, height);
        }
        self.act(output.actions, ui.ctx());
        let effects = self.state.see_videos(&output.visible_videos);
        self.carry_out(effects);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        if let Some(changed) = self.remembered.update(&self.state.settings) {
            self.settings_file.write(changed);
        }
        log_summary(&self.title, "stopped", self.player.stop());
        if self.state.connection.phase == Phase::Online {
            tracing::info!("leaving the server");
        }
    }
}

/// Asks the desktop how programs are to look, and wakes the window when that changes.
#[cfg(target_os = "linux")]
fn follow_desktop(ctx: &egui::Context) -> Option<portal::Portal> {
    let ctx = ctx.clone();
    let wake = move || ctx.request_repaint_after(Duration::from_nanos(1));
    portal::Portal::start(wake).map_err(|error| tracing::warn!("cannot follow the desktop's colours: {error}")).ok()
}

fn now() -> Moment {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { instant: Instant::now(), unix_millis: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX) }
}
