//! Names of servers.

use std::{fmt, str::FromStr};

use crate::name::{Name, NameError};

/// A server's name: like that of a person, but words that Triptych itself uses are allowed, since no list shows both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(String);

impl ServerName {
    /// Checks the text, and puts it into NFC.
    ///
    /// # Errors
    /// [`NameError`] when it is not a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Name::parse(text) {
            Ok(name) => Ok(Self(name.into())),
            Err(NameError::Reserved(name)) => Ok(Self(name)),
            Err(error) => Err(error),
        }
    }

    /// The name of a computer made valid: its first label, without what names cannot contain. A computer without a usable
    /// name is called "Triptych".
    pub fn of_computer(host_name: &str) -> Self {
        let label = host_name.split('.').next().unwrap_or_default();
        let allowed: String =
            label.chars().map(|c| if Self::parse(&format!("a{c}a")).is_ok() { c } else { ' ' }).collect();
        let words = allowed.split_whitespace().collect::<Vec<_>>().join(" ");
        let from_letter = words.trim_start_matches(|c: char| !c.is_alphanumeric());
        let short: String = from_letter.chars().take(crate::limits::MAX_NAME_CHARS).collect();
        Self::parse(short.trim_end()).unwrap_or_else(|_| Self("Triptych".to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_computer_becomes_a_name_of_a_server() {
        for (host, name) in [
            ("lab-7", "lab-7"),
            ("lab.example.org", "lab"),
            ("server", "server"),
            ("_x\u{202e}y", "x y"),
            ("", "Triptych"),
            ("---", "Triptych"),
        ] {
            assert_eq!(ServerName::of_computer(host).as_str(), name, "{host:?}");
        }
        assert_eq!(ServerName::of_computer(&"x".repeat(63)).as_str(), "x".repeat(32));
    }

    #[test]
    fn words_of_triptych_itself_are_allowed_and_forbidden_characters_are_not() {
        assert!(ServerName::parse("Everyone").is_ok());
        assert!(ServerName::parse("lab\u{202e}").is_err());
        assert!(ServerName::parse("").is_err());
    }
}
