//! The command line, and the initial contents of the connect form.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::{limits::DEFAULT_PORT, name::Name};

/// The windowing libraries log warnings about displays that a user cannot act on.
const DEFAULT_LOG: &str =
    "info,winit=error,egui_winit=error,egui_system_font_provider=error,eframe=error,egui_glow=error";

/// Triptych: private messages and videos on your own network.
#[derive(Debug, Clone, Parser)]
#[command(name = "triptych", version)]
pub struct Config {
    /// Server address for the connect form; press Enter there to connect
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,

    /// Your name for the connect form [default: your user name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Connect without TLS, to a server that runs with --plaintext; messages stay encrypted end to end
    #[arg(long)]
    pub plaintext: bool,

    /// Folder for your keys and the known servers [default: triptych in your data folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Log level for the console: error, warn, info, debug, trace, or a filter such as triptych_client=debug
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG)]
    pub log: String,

    /// Colours of the window
    #[arg(long, value_enum, default_value_t = Colours::System)]
    pub theme: Colours,
}

/// Colours of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colours {
    /// As the desktop is set; dark where it does not say
    System,
    /// Dark on light
    Light,
    /// Light on dark
    Dark,
}

impl Config {
    /// The initial server address of the form: the one given, or this computer.
    pub fn address(&self) -> String {
        self.server.clone().unwrap_or_else(|| format!("127.0.0.1:{DEFAULT_PORT}"))
    }

    /// The initial name of the form: the one given, or the user name made valid. An invalid name from the command line is kept,
    /// so that the form can explain what is wrong with it.
    pub fn initial_name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => valid_name(&whoami::username().unwrap_or_default()).as_str().to_owned(),
        }
    }

    /// Folder for keys and known servers; `None` when the system has no folder for user data.
    pub fn data_folder(&self) -> Option<PathBuf> {
        let default = || Some(directories::ProjectDirs::from("", "", "triptych")?.data_dir().to_owned());
        self.data_dir.clone().or_else(default)
    }
}

/// Removes from `text` what a name cannot contain; "guest" when nothing is left.
fn valid_name(text: &str) -> Name {
    let spaced: String = text.chars().map(|c| if Name::parse(&format!("a{c}a")).is_ok() { c } else { ' ' }).collect();
    let words = spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let from_letter = words.trim_start_matches(|c: char| !c.is_alphanumeric());
    let short: String = from_letter.chars().take(common::limits::MAX_NAME_CHARS).collect();
    Name::parse(short.trim_end())
        .unwrap_or_else(|_| Name::parse("guest").expect("lower-case letters make a valid name"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Config::command().debug_assert();
    }

    #[test]
    fn the_form_begins_filled_in() {
        let config = Config::parse_from(["triptych"]);
        assert_eq!(config.address(), "127.0.0.1:7878");
        assert!(Name::parse(&config.initial_name()).is_ok());
        let config = Config::parse_from(["triptych", "--server", "lab:9", "--name", "Žofie", "--plaintext"]);
        assert_eq!((config.address().as_str(), config.initial_name().as_str()), ("lab:9", "Žofie"));
        assert!(config.plaintext);
    }

    #[test]
    fn any_user_name_becomes_a_valid_name() {
        for (text, name) in [
            ("ada", "ada"),
            ("_ada", "ada"),
            ("ada@lab", "ada lab"),
            ("ada\u{202e}x", "ada x"),
            ("  ", "guest"),
            ("", "guest"),
            ("***", "guest"),
            ("Žofie", "Žofie"),
        ] {
            assert_eq!(valid_name(text).as_str(), name, "{text:?}");
        }
        assert_eq!(valid_name(&"x".repeat(80)).as_str(), "x".repeat(32));
    }
}
