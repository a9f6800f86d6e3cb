//! The command line, and the name and version of the program.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use common::discovery::ServerName;

use crate::{limits::Limits, listen_address::ListenAddress};

/// Name and version of this program, sent in `Challenge`.
pub const SOFTWARE: &str = concat!("triptych-server ", env!("CARGO_PKG_VERSION"));

/// Heights of the variants that `import` makes by default, in pixels.
pub const DEFAULT_HEIGHTS: [u32; 3] = [240, 720, 1440];

/// Relays encrypted messages and streams videos that go from 240p to 1440p
#[derive(Debug, Parser)]
#[command(name = "triptych-server", version)]
pub struct Args {
    /// Where to listen.
    #[arg(
        long,
        value_name = "[ADDRESS:]PORT",
        default_value_t,
        // Not as a comment, in which brackets are links.
        help = "Where to listen: a port, an address, or both, such as 7950, [::1] or localhost:7950; without an address on all \
                of this computer, IPv4 and IPv6; port 0 picks a free port"
    )]
    pub listen: ListenAddress,

    /// Name under which clients find the server [default: the name of this computer]
    #[arg(long, value_name = "NAME")]
    pub name: Option<ServerName>,

    /// Do not let clients find the server by themselves: answer no broadcast, and announce nothing by mDNS
    #[arg(long)]
    pub no_announce: bool,

    /// Folder with the videos, named TITLE_240p.mp4, TITLE_720p.mp4, TITLE_1440p.mp4 and so on
    #[arg(long, value_name = "FOLDER", default_value = "videos", global = true)]
    pub videos: PathBuf,

    /// Log level (error, warn, info, debug or trace) or a filter such as triptych_server=debug
    #[arg(long, value_name = "FILTER", default_value = "info", global = true)]
    pub log: String,

    /// Disable TLS so that the traffic can be inspected; clients need --plaintext too
    #[arg(long)]
    pub plaintext: bool,

    /// Folder for the server's certificate, its private key and the names of clients [default: the user's data folder]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Memory for frames that are ready to send, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub cache_mib: u64,

    /// Disk space for frames that are ready to send, in GiB; 0 keeps none [default: 20, or a tenth of what is free if that is less]
    #[arg(long, value_name = "GIB", global = true)]
    pub disk_cache_gib: Option<u64>,

    /// Folder for frames that are ready to send [default: the user's cache folder]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub disk_cache_dir: Option<PathBuf>,

    /// What the server grants to its clients.
    #[command(flatten)]
    pub limits: Limits,

    /// A command to run instead of the server
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Commands that run without a server.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Create a short sample video in three resolutions in the video folder
    Sample {
        /// Only if the video folder does not exist yet, as at the first start of a service
        #[arg(long)]
        once: bool,
    },
    /// Create all resolutions of a video from one file, in the video folder
    Import {
        /// Source file, in any format that GStreamer can read
        file: PathBuf,
        /// Title of the video [default: the name of the file]
        #[arg(long)]
        title: Option<String>,
        /// Heights of the resolutions in pixels, with or without a p at the end
        #[arg(
            long,
            value_name = "HEIGHT,…",
            value_delimiter = ',',
            value_parser = parse_height,
            default_values_t = DEFAULT_HEIGHTS
        )]
        heights: Vec<u32>,
        /// Replace an existing video with the same title
        #[arg(long)]
        force: bool,
        /// Also keep its frames on disk as they are sent, like the command prepare
        #[arg(long)]
        ready: bool,
    },
    /// Keep the frames of videos on disk as they are sent, so that playing them needs no decoder
    Prepare {
        /// Titles of the videos
        #[arg(value_name = "TITLE", required_unless_present = "all")]
        titles: Vec<String>,
        /// Every video in the folder
        #[arg(long, conflicts_with = "titles")]
        all: bool,
    },
    /// Report missing GStreamer elements and the state of each file in the video folder
    Check,
    /// Decode for a server, which starts this command itself
    #[command(hide = true)]
    Worker {
        /// What goes wrong in a test
        #[arg(long, hide = true)]
        fault: Option<String>,
    },
}

/// Reads `720` or `720p`. Which heights are possible, the import says.
fn parse_height(text: &str) -> Result<u32, &'static str> {
    let digits = text.trim().trim_end_matches(['p', 'P']);
    digits
        .parse()
        .map_err(|_| "write heights as numbers of lines with commas between them, for example 240p,720p,1440p")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    /// The cells of a row for each flag of the server: the flag with the name of its value, and its default.
    fn expected_rows() -> Vec<(String, String)> {
        let mut command = Args::command();
        command.build();
        let flags =
            command.get_arguments().filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()));
        let row = |argument: &clap::Arg| {
            let long = argument.get_long().expect("every option of the server has a long name");
            let has_value = argument.get_action().takes_values();
            let value = argument
                .get_value_names()
                .filter(|_| has_value)
                .map_or(String::new(), |names| format!(" {}", names[0]));
            let defaults = if has_value { argument.get_default_values() } else { &[] };
            let default = defaults.first().map_or_else(String::new, |value| value.to_string_lossy().into_owned());
            (format!("`--{long}{value}`"), default)
        };
        flags.map(row).collect()
    }

    fn heights(text: &str) -> Result<Vec<u32>, clap::Error> {
        let arguments = ["triptych-server", "import", "film.mp4", "--heights", text];
        Args::try_parse_from(arguments).map(|args| match args.command {
            Some(Command::Import { heights, .. }) => heights,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn heights_are_read_with_and_without_their_unit() {
        assert_eq!(heights("240,720p, 1440P").unwrap(), [240, 720, 1440]);
        for text in ["", "p", "240,", "large", "240i", "99999999999p"] {
            let error = heights(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ValueValidation, "{text}");
            assert!(error.to_string().contains("for example 240p,720p,1440p"), "{text}: {error}");
        }
    }

    #[test]
    fn the_readme_lists_every_flag_with_its_default() {
        let readme = include_str!("../../README.md");
        let mut listed: Vec<_> = readme
            .lines()
            .filter(|line| line.starts_with("| `--"))
            .map(|line| {
                let cells: Vec<_> = line.split('|').map(str::trim).collect();
                (cells[1].to_owned(), cells[2].to_owned())
            })
            .collect();
        let mut expected = expected_rows();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected, "the table under \"Options of the server\" in README.md");
    }
}
