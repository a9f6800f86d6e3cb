//! Entry point: parses the command line, starts the log and opens the window.

use std::io::IsTerminal;

use clap::Parser;
use triptych_client::{app::App, config::Config, ui::kit::window_icon};

fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let viewport = eframe::egui::ViewportBuilder::default()
        .with_title("Triptych")
        .with_app_id("triptych")
        .with_inner_size([1200.0, 760.0])
        .with_min_inner_size([760.0, 520.0])
        .with_icon(window_icon::paint());
    // Dithering smooths gradients. There are none here, and it costs a software renderer time for every pixel.
    let options = eframe::NativeOptions { viewport, dithering: false, ..Default::default() };
    eframe::run_native(
        "Triptych",
        options,
        Box::new(move |creation| Ok(Box::new(App::new(&creation.egui_ctx, &config)?))),
    )
    .map_err(|error| anyhow::anyhow!("The window cannot be opened: {error}"))
}
