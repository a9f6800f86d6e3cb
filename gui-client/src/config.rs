//! The command line, and what stands in the form before anybody types.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::{limits::DEFAULT_PORT, name::Name};

/// The window library has much to say about displays, none of which a person can do anything about.
const DEFAULT_LOG: &str =
    "info,winit=error,egui_winit=error,egui_system_font_provider=error,eframe=error,egui_glow=error";

/// Triptych: private messages and videos on your own network.
#[derive(Debug, Clone, Parser)]
#[command(name = "triptych", version)]
pub struct Config {
    /// Server to fill into the form; Enter connects
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,

    /// Name to fill into the form
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Talk to a server that runs with --plaintext: the link is not encrypted, messages still are
    #[arg(long)]
    pub plaintext: bool,

    /// Folder for keys and remembered servers [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// What to log on the console: error, warn, info, debug, trace, or a filter such as triptych_client=debug
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG)]
    pub log: String,

    /// Colours
    #[arg(long, value_enum, default_value_t = Colours::System)]
    pub theme: Colours,
}

/// Which colours the window has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colours {
    /// As the desktop says; dark where it says nothing
    System,
    /// Dark on light
    Light,
    /// Light on dark
    Dark,
}

impl Config {
    /// The server that the form begins with.
    pub fn address(&self) -> String {
        self.server.clone().unwrap_or_else(|| format!("127.0.0.1:{DEFAULT_PORT}"))
    }

    /// The name that the form begins with. One from the command line stays as it is, so that the form can say what
    /// is wrong with it.
    pub fn wished_name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => valid_name(&whoami::username().unwrap_or_default()).as_str().to_owned(),
        }
    }

    /// Where keys and remembered servers are kept; none when the system names no place for it.
    pub fn data_folder(&self) -> Option<PathBuf> {
        let default = || Some(directories::ProjectDirs::from("", "", "triptych")?.data_dir().to_owned());
        self.data_dir.clone().or_else(default)
    }
}

/// What is left of `text` when everything that may not stand in a name is taken out; "guest" when that is nothing.
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
        assert!(Name::parse(&config.wished_name()).is_ok());
        let config = Config::parse_from(["triptych", "--server", "lab:9", "--name", "Žofie", "--plaintext"]);
        assert_eq!((config.address().as_str(), config.wished_name().as_str()), ("lab:9", "Žofie"));
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
