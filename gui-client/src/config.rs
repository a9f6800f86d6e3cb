//! The command line, and the initial contents of the connect form.

use std::path::PathBuf;

use clap::Parser;
use common::name::Name;

use crate::settings::{Colours, Given, Settings};

/// The windowing libraries log warnings about displays that a user cannot act on.
const DEFAULT_LOG: &str =
    "info,winit=error,egui_winit=error,egui_system_font_provider=error,eframe=error,egui_glow=error";

/// Triptych: private messages and videos on your own network.
#[derive(Debug, Clone, Parser)]
#[command(name = "triptych", version)]
pub struct Config {
    /// Server address for the connect form, which Enter submits; without it, servers are looked for on the network
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,

    /// Your name for the connect form [default: the name that you joined under last, or your user name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Connect without TLS, to a server that runs with --plaintext; messages stay encrypted end to end
    #[arg(long)]
    pub plaintext: bool,

    /// Folder for your keys, the known servers and the settings [default: triptych in your data folder]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Log level for the console: error, warn, info, debug, trace, or a filter such as triptych_client=debug
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG)]
    pub log: String,

    /// Colours of the window [default: those that you chose last, or those of the desktop]
    #[arg(long, value_enum, value_name = "COLOURS")]
    pub theme: Option<Colours>,
}

impl Config {
    /// The settings among the arguments.
    pub fn given(&self) -> Given {
        Given { server: self.server.clone(), name: self.name.clone(), theme: self.theme }
    }

    /// The initial server address of the form: the one of the settings, if they have any.
    pub fn address(settings: &Settings) -> String {
        settings.server.clone().unwrap_or_default()
    }

    /// The initial name of the form: the one of the settings, or the user name made valid. An invalid name from the command
    /// line is kept, so that the form can explain what is wrong with it.
    pub fn initial_name(settings: &Settings) -> String {
        match &settings.name {
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
    use crate::settings::Remembered;

    #[test]
    fn the_command_line_is_sound() {
        Config::command().debug_assert();
    }

    #[test]
    fn the_form_begins_filled_in() {
        let initial = |arguments: &[&str], stored: &Settings| {
            let config = Config::parse_from([&["triptych"], arguments].concat());
            let settings = Remembered::new(stored.clone(), config.given()).initial();
            (Config::address(&settings), Config::initial_name(&settings))
        };
        let nothing = Settings::default();
        let (address, name) = initial(&[], &nothing);
        assert_eq!(address, "", "servers are looked for");
        assert!(Name::parse(&name).is_ok());
        let last = Settings { server: Some("lab:9".into()), name: Some("Žofie".into()), ..nothing };
        assert_eq!(initial(&[], &last), ("lab:9".into(), "Žofie".into()));
        assert_eq!(initial(&["--server", "den"], &last), ("den".into(), "Žofie".into()));
        assert_eq!(
            initial(&["--name", "a\u{202e}"], &last),
            ("lab:9".into(), "a\u{202e}".into()),
            "for the form to explain"
        );
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
