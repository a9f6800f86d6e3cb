//! Entry point: parses the command line, starts the log and opens the window.

#[cfg(target_os = "linux")]
mod quiet_start;

use std::io::IsTerminal;

use clap::Parser;
use triptych_client::{
    app::{App, settings_file},
    config::Config,
    ui::kit::window_icon,
};

fn main() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    quiet_start::keep_drivers_from_writing();
    let config = Config::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // Before the window, because it has the size of last time.
    let loaded = config.data_folder().map(|folder| settings_file::load(&folder)).unwrap_or_default();
    let window = loaded.settings.window;
    let viewport = eframe::egui::ViewportBuilder::default()
        .with_title("Triptych")
        .with_app_id("triptych")
        .with_inner_size([window.width_points as f32, window.height_points as f32])
        .with_maximized(window.is_maximized)
        .with_min_inner_size([480.0, 360.0])
        .with_icon(window_icon::paint());
    // Dithering smooths gradients. There are none here, and it costs a software renderer time for every pixel.
    let options = eframe::NativeOptions { viewport, dithering: false, ..Default::default() };
    eframe::run_native(
        "Triptych",
        options,
        Box::new(move |creation| Ok(Box::new(App::new(&creation.egui_ctx, &config, loaded)?))),
    )
    .map_err(|error| anyhow::anyhow!("The window cannot be opened: {error}"))
}
