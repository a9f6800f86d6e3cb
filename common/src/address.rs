//! Addresses of servers as people write them: with or without a port, with brackets, or pasted as a URL.

use std::{fmt, net::Ipv6Addr};

use crate::limits::DEFAULT_PORT;

/// The longest name of a computer in DNS, and so the longest host (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// Where a server is: the name or IP address of a computer, and a port.
///
/// Displays as `host:port`, with brackets around an IPv6 address, which [`ServerAddress::parse`] reads again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerAddress {
    /// Name or IP address, without brackets. A link-local IPv6 address may have a zone: `fe80::1%eth0`.
    pub host: String,
    /// The TCP port, which is not 0.
    pub port: u16,
}

/// A text that is no address. Displays as two sentences: what is wrong, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressError {
    /// There is nothing but spaces.
    Empty,
    /// What follows the last colon is no port; the text is given.
    BadPort(String),
    /// The text is given.
    Malformed(String),
}

impl AddressError {
    /// What is wrong, in a sentence.
    pub fn what(&self) -> String {
        match self {
            Self::Empty => "There is no address.".to_owned(),
            Self::BadPort(text) if text.is_empty() => "The port is missing.".to_owned(),
            Self::BadPort(text) => format!("{text:?} is not a port."),
            Self::Malformed(text) => format!("{text:?} is not a valid address."),
        }
    }

    /// What is expected, in a sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::Empty => "Enter the address of the server, for example 192.168.1.5.".to_owned(),
            Self::BadPort(_) => {
                format!("Ports are numbers from 1 to 65535. Without one, {DEFAULT_PORT} is used.")
            }
            Self::Malformed(_) => {
                format!("Use a name or IP address, optionally with a port: 192.168.1.5 or 192.168.1.5:{DEFAULT_PORT}.")
            }
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what(), self.remedy())
    }
}

impl std::error::Error for AddressError {}

impl ServerAddress {
    /// Reads `host`, `host:port`, `[IPv6]`, `[IPv6]:port`, an IPv6 address without brackets (then without a port), or one
    /// of these in a URL. Spaces around it do not matter.
    ///
    /// # Errors
    /// [`AddressError`] when the text is none of these.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (host, port) = split(authority(text))?;
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => read_port(port)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Splits an address into its host, without brackets, and the text of its port, if it has one. An IPv6 address
/// without brackets has none, because the two could not be told apart.
///
/// # Errors
/// [`AddressError`] when there is no host, or it cannot be one.
pub fn split(text: &str) -> Result<(&str, Option<&str>), AddressError> {
    let text = text.trim();
    let malformed = || AddressError::Malformed(text.to_owned());
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return Err(malformed()),
        Some(Some((host, ""))) if is_ipv6(host) => (host, None),
        Some(Some((host, rest))) if is_ipv6(host) => (host, Some(rest.strip_prefix(':').ok_or_else(malformed)?)),
        Some(Some(_)) => return Err(malformed()),
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            Some(_) if is_ipv6(text) => (text, None),
            Some(_) => return Err(malformed()),
            None => (text, None),
        },
    };
    let is_name = host.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let is_host = is_name || is_ipv6(host);
    if host.is_empty() || host.len() > MAX_HOST_BYTES || !is_host {
        return Err(malformed());
    }
    Ok((host, port))
}

/// Reads a port that clients can connect to.
///
/// # Errors
/// [`AddressError::BadPort`] when it is no number from 1 to 65535.
pub fn read_port(text: &str) -> Result<u16, AddressError> {
    // `parse` also takes a plus sign.
    let digits = Some(text).filter(|text| text.chars().all(|c| c.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok()).filter(|&port| port != 0);
    port.ok_or_else(|| AddressError::BadPort(text.to_owned()))
}

/// The part of a URL that names computer and port (RFC 3986 §3.2); a text that is no URL stays as it is.
fn authority(text: &str) -> &str {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => rest,
        _ => text,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// Whether the text is an IPv6 address, perhaps with the zone of a link-local one (RFC 4007 §11).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let is_zone = |zone: &str| {
        !zone.is_empty() && zone.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~'))
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, host, port) in [
            ("localhost", "localhost", DEFAULT_PORT),
            ("Lab.local", "Lab.local", DEFAULT_PORT),
            (" 10.0.0.5:99 ", "10.0.0.5", 99),
            ("[::1]:99", "::1", 99),
            ("[::1]", "::1", DEFAULT_PORT),
            ("fe80::1", "fe80::1", DEFAULT_PORT),
            ("[fe80::1%eth0]:99", "fe80::1%eth0", 99),
            ("http://127.0.0.1:7950/", "127.0.0.1", 7950),
            ("https://lab", "lab", DEFAULT_PORT),
            ("triptych://[::1]:99/?x=1", "::1", 99),
            ("10.0.0.5:99/", "10.0.0.5", 99),
            ("žofie_pc", "žofie_pc", DEFAULT_PORT),
        ] {
            assert_eq!(ServerAddress::parse(text), Ok(ServerAddress { host: host.into(), port }), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_named_with_what_is_expected() {
        for text in ["", "  ", "http://", "/"] {
            assert_eq!(ServerAddress::parse(text), Err(AddressError::Empty), "{text:?}");
        }
        for (text, port) in [("a:b", "b"), ("a:0", "0"), ("a:70000", "70000"), ("a:", ""), ("a:+1", "+1")] {
            assert_eq!(ServerAddress::parse(text), Err(AddressError::BadPort(port.into())), "{text:?}");
        }
        for text in [":1", "my computer", "[::1]x", "[::1", "[lab]:1", "1:2:3", "a,b", "-a", "fe80::1%"] {
            assert!(matches!(ServerAddress::parse(text), Err(AddressError::Malformed(_))), "{text:?}");
        }
        let told = ServerAddress::parse("my computer").unwrap_err().to_string();
        assert!(told.starts_with("\"my computer\" is not a valid address.") && told.contains("192.168.1.5:7878"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(text in "\\PC{0,40}|(http://)?[a-z0-9.:%\\[\\]]{1,30}(:[0-9]{1,5})?/?") {
            if let Ok(address) = ServerAddress::parse(&text) {
                prop_assert_eq!(ServerAddress::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
