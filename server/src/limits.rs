//! What the server grants to its clients. Each limit is a flag.

use clap::Args;

/// The limits of a server. [`Limits::default`] is what the flags' defaults give.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Connections at a time, joined or not
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = count)]
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_connections: 512 }
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
    fn a_limit_of_zero_is_refused_with_the_reason() {
        let error = CommandLine::try_parse_from(["triptych-server", "--max-connections", "0"]).unwrap_err().to_string();
        assert!(error.contains("--max-connections") && error.contains("give at least 1"), "{error}");
    }
}
