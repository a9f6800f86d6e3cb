//! Every view of the window with made-up data, without a server:
//! `cargo run --example gallery -- SCENE [light|dark|light-contrast|dark-contrast] [WIDTHxHEIGHT]`.

#[path = "../tests/it/support/scenes.rs"]
#[allow(unreachable_pub, clippy::panic, reason = "shared with the tests")]
mod scenes;

use common::media::VideoId;
use triptych_client::{
    state::{State, appearance::Appearance},
    ui::{self, View, kit::theme},
};

struct Gallery {
    state: State,
    picture: Option<egui::TextureHandle>,
    thumbnail: egui::TextureHandle,
}

impl Gallery {
    /// Every other video has one.
    fn thumbnail(&self, video: VideoId) -> Option<(egui::TextureId, egui::Vec2)> {
        (video.0 % 2 == 1).then(|| (self.thumbnail.id(), egui::Vec2::new(192.0, 108.0)))
    }
}

impl eframe::App for Gallery {
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let window = ui.ctx().content_rect();
        self.state.set_window_points(window.width(), window.height());
        let view = View {
            now: scenes::moment(),
            picture: self.picture.as_ref().map(egui::TextureHandle::id),
            thumbnail: &|(video, _)| self.thumbnail(video),
            preview: &|_| Some((self.thumbnail.id(), egui::Vec2::new(160.0, 90.0))),
            wants_composer_focus: false,
        };
        for action in ui::show(ui, &self.state, view).actions {
            self.state.handle(action, scenes::moment());
        }
    }
}

/// A picture of colours and rings, in which scaling errors are easy to see.
fn picture(ctx: &egui::Context) -> egui::TextureHandle {
    let size = [1280, 720];
    let pixels = (0..size[0] * size[1])
        .map(|i| {
            let (x, y) = (i % size[0], i / size[0]);
            let ring = ((x as f32 - 640.0).hypot(y as f32 - 360.0) / 9.0).sin() * 50.0;
            let shade = |base: usize| (base as f32 * 0.6 + 60.0 + ring).clamp(0.0, 255.0) as u8;
            egui::Color32::from_rgb(shade(x / 5), shade(y / 3), shade((1280 - x) / 5))
        })
        .collect();
    ctx.load_texture("picture", egui::ColorImage::new(size, pixels), egui::TextureOptions::LINEAR)
}

fn main() -> eframe::Result {
    let scene = std::env::args().nth(1).unwrap_or_else(|| scenes::SCENES.join(", "));
    let look = std::env::args().nth(2).unwrap_or_default();
    let appearance = Appearance {
        is_dark: Some(look.starts_with("dark")),
        has_high_contrast: look.ends_with("-contrast"),
        has_reduced_motion: false,
    };
    let size = std::env::args().nth(3).and_then(|text| {
        let (width, height) = text.split_once('x')?;
        Some([width.parse().ok()?, height.parse().ok()?])
    });
    if !scenes::SCENES.contains(&scene.as_str()) {
        println!("Scenes: {}", scenes::SCENES.join(", "));
        return Ok(());
    }
    let viewport =
        egui::ViewportBuilder::default().with_title("Triptych").with_inner_size(size.unwrap_or([1200.0, 760.0]));
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native(
        "Triptych",
        options,
        Box::new(move |creation| {
            theme::use_system_emoji(&creation.egui_ctx);
            theme::apply(&creation.egui_ctx);
            theme::show(&creation.egui_ctx, appearance);
            let state = scenes::scene(&scene);
            let plays = matches!(
                scene.as_str(),
                "playing"
                    | "previews"
                    | "paused"
                    | "portrait"
                    | "buffering"
                    | "statistics"
                    | "every-second"
                    | "substitute"
                    | "lowest"
                    | "splice"
                    | "resumed"
                    | "theatre"
                    | "full-screen"
                    | "all-keys"
                    | "no-device"
                    | "interrupted"
                    | "ended"
                    | "failed"
                    | "party"
                    | "party-act"
                    | "party-alone"
                    | "party-video"
            );
            let picture = plays.then(|| picture(&creation.egui_ctx));
            let thumbnail = self::picture(&creation.egui_ctx);
            Ok(Box::new(Gallery { state, picture, thumbnail }))
        }),
    )
}
