//! What the server grants to its clients. Each limit is a flag.

use std::time::Duration;

use clap::Args;
use common::limits::{DEFAULT_MAX_PEOPLE, HANDSHAKE_DEADLINE, LOGIN_DEADLINE, MAX_PEOPLE};

/// The limits of a server. [`Limits::default`] is what the flags' defaults give.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// People online at a time
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_MAX_PEOPLE, value_parser = people)]
    pub max_people: usize,

    /// Connections at a time, joined or not; fewer if the limit of open files is too low [default: 256 more than people]
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub max_connections: Option<usize>,

    /// Connections at a time from one address; this computer is exempt
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = count)]
    pub max_connections_per_address: usize,

    /// Connections at a time that have not joined yet; beyond that, newcomers displace silent ones
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = count)]
    pub max_half_open: usize,

    /// Connections at a time from one address that have not joined yet; this computer is exempt
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = count)]
    pub max_half_open_per_address: usize,

    /// Joins per minute from one address; beyond that, they wait; this computer is exempt
    #[arg(long, value_name = "COUNT", default_value_t = 60, value_parser = count)]
    pub max_joins_per_minute: usize,

    /// Seconds that a client has to connect and say hello
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub handshake_deadline: Duration,

    /// Seconds that a client has to join after that
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub login_deadline: Duration,

    /// Messages of one client relayed per second on average
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = count)]
    pub envelopes_per_second: usize,

    /// Messages of one client relayed at once, after a pause
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = count)]
    pub envelopes_at_once: usize,

    /// KiB of messages of one client relayed per second on average; its key for a message to 250 people takes about 583 KiB
    #[arg(long, value_name = "KIB", default_value_t = 128, value_parser = count)]
    pub envelope_kib_per_second: usize,

    /// KiB of messages of one client relayed at once, after a pause
    #[arg(long, value_name = "KIB", default_value_t = 512, value_parser = count)]
    pub envelope_kib_at_once: usize,

    /// Messages of all clients together relayed per second, shared evenly among those who write
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = count)]
    pub room_messages_per_second: usize,

    /// KiB of messages of all clients together relayed per second; a client that reads this fast is never cut off
    #[arg(long, value_name = "KIB", default_value_t = 768, value_parser = count)]
    pub room_kib_per_second: usize,

    /// Memory for messages that were not sent yet, in MiB; when it is used up, clients that do not read are cut off
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = send_memory)]
    pub send_memory_mib: usize,

    /// Requests of one client to open or seek a video, or to change its quality, served per second on average
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = count)]
    pub requests_per_second: usize,

    /// KiB of thumbnails sent to one client per second
    #[arg(long, value_name = "KIB", default_value_t = 1024, value_parser = count)]
    pub thumbnail_kib_per_second: usize,

    /// KiB of previews, the small pictures over the seek bar, sent to one client per second
    #[arg(long, value_name = "KIB", default_value_t = 128, value_parser = count)]
    pub preview_kib_per_second: usize,

    /// Decoders, of sixteen, that may work for one client alone: pictures, sound, the next resolution, and one to spare
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = decoders)]
    pub decoders_per_client: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_people: DEFAULT_MAX_PEOPLE,
            max_connections: None,
            envelopes_per_second: 10,
            envelopes_at_once: 30,
            envelope_kib_per_second: 128,
            envelope_kib_at_once: 512,
            room_messages_per_second: 500,
            room_kib_per_second: 768,
            send_memory_mib: 64,
            requests_per_second: 30,
            thumbnail_kib_per_second: 1024,
            preview_kib_per_second: 128,
            max_connections_per_address: 16,
            max_half_open: 256,
            max_half_open_per_address: 8,
            max_joins_per_minute: 60,
            handshake_deadline: HANDSHAKE_DEADLINE,
            login_deadline: LOGIN_DEADLINE,
            decoders_per_client: 4,
        }
    }
}

/// Connections beyond those of the people online, unless the flags say otherwise: for those who are about to join.
const CONNECTIONS_BESIDE_PEOPLE: usize = 256;

impl Limits {
    /// Connections at a time, joined or not.
    pub fn connections(&self) -> usize {
        self.max_connections.unwrap_or(self.max_people + CONNECTIONS_BESIDE_PEOPLE)
    }
}

/// Reads a number of people that every client can take in.
fn people(text: &str) -> Result<usize, String> {
    match count(text)? {
        people if people > MAX_PEOPLE => Err(format!("clients take in no more than {MAX_PEOPLE} people")),
        people => Ok(people),
    }
}

/// Reads a number that is at least 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("a limit of 0 would shut everyone out; give at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("give a whole number of at least 1".to_owned()),
    }
}

/// Reads a time of at least one second and at most an hour.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) => Err("no client can be that fast; give at least 1 second".to_owned()),
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("give a whole number of seconds from 1 to 3600".to_owned()),
    }
}

/// The fewest decoders with which a video plays: pictures, sound, and the next resolution.
const FEWEST_DECODERS: usize = 3;

fn decoders(text: &str) -> Result<usize, String> {
    match count(text)? {
        decoders if decoders < FEWEST_DECODERS => {
            Err(format!("a video needs up to {FEWEST_DECODERS}: for the pictures, the sound and the next resolution"))
        }
        decoders => Ok(decoders),
    }
}

/// The least memory for unsent messages, in MiB: what a room says while it waits for a client that may not read.
const LEAST_SEND_MEMORY_MIB: usize = 16;

fn send_memory(text: &str) -> Result<usize, String> {
    match count(text)? {
        mib if mib < LEAST_SEND_MEMORY_MIB => {
            Err(format!("with less than {LEAST_SEND_MEMORY_MIB} MiB clients that read would have to be cut off"))
        }
        mib => Ok(mib),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Args as CommandLine;

    #[test]
    fn the_default_is_what_the_flags_give() {
        assert_eq!(CommandLine::try_parse_from(["triptych-server"]).unwrap().limits, Limits::default());
    }

    #[test]
    fn there_are_connections_for_everyone_and_some_more() {
        let limits = |flags: &[&str]| {
            let flags = [&["triptych-server"], flags].concat();
            CommandLine::try_parse_from(flags).map(|parsed| (parsed.limits.max_people, parsed.limits.connections()))
        };
        assert_eq!(limits(&[]).unwrap(), (2_000, 2_256));
        assert_eq!(limits(&["--max-people", "4000"]).unwrap(), (4_000, 4_256));
        assert_eq!(limits(&["--max-people", "30", "--max-connections", "20"]).unwrap(), (30, 20));
        let error = limits(&["--max-people", "4001"]).unwrap_err().to_string();
        assert!(error.contains("--max-people") && error.contains("no more than 4000 people"), "{error}");
    }

    #[test]
    fn a_limit_of_zero_is_refused_with_the_reason() {
        for (flag, reason) in [
            ("--max-connections", "would shut everyone out; give at least 1"),
            ("--max-people", "would shut everyone out; give at least 1"),
            ("--max-half-open-per-address", "would shut everyone out; give at least 1"),
            ("--login-deadline", "give at least 1 second"),
        ] {
            let error = CommandLine::try_parse_from(["triptych-server", flag, "0"]).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(reason), "{error}");
        }
    }
}
