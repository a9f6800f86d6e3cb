//! Where the server listens, as given on the command line: a port, an address, or both.

use std::{fmt, io, net::SocketAddr, str::FromStr};

use common::{
    address::{read_port, split},
    limits::DEFAULT_PORT,
};

/// An address to listen on. Without a host it stands for all addresses of this computer, IPv4 and IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Name or IP address, without brackets.
    host: Option<String>,
    /// 0 picks a free port.
    port: u16,
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a port (7878), an address (192.168.1.5, [::1] or localhost), or both (localhost:7878); port 0 picks a free one"
)]
pub struct NoListenAddress;

impl ListenAddress {
    /// The socket addresses to bind, in the order in which they are to be bound. A name can have several.
    ///
    /// # Errors
    /// The error of the operating system when the name is not known.
    pub(crate) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let Some(host) = &self.host else {
            return Ok(vec![([0, 0, 0, 0], self.port).into(), ([0_u16; 8], self.port).into()]);
        };
        let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), self.port)).await?.collect();
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && {
                seen.push(*address);
                true
            }
        });
        Ok(addresses)
    }
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self { host: None, port: DEFAULT_PORT }
    }
}

impl FromStr for ListenAddress {
    type Err = NoListenAddress;

    fn from_str(text: &str) -> Result<Self, NoListenAddress> {
        let port = |text: &str| if text == "0" { Ok(0) } else { read_port(text).map_err(|_| NoListenAddress) };
        let text = text.trim();
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            return Ok(Self { host: None, port: port(text)? });
        }
        let (host, given) = split(text).map_err(|_| NoListenAddress)?;
        Ok(Self { host: Some(host.to_owned()), port: given.map_or(Ok(DEFAULT_PORT), port)? })
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self { host: Some(address.ip().to_string()), port: address.port() }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, "{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_an_address_or_both_can_be_given() {
        for (text, host, port) in [
            ("7950", None, 7950),
            ("0", None, 0),
            ("localhost:7961", Some("localhost"), 7961),
            ("localhost", Some("localhost"), DEFAULT_PORT),
            ("127.0.0.1:0", Some("127.0.0.1"), 0),
            ("192.168.1.5", Some("192.168.1.5"), DEFAULT_PORT),
            ("[::1]", Some("::1"), DEFAULT_PORT),
            ("[::1]:7950", Some("::1"), 7950),
            ("::1", Some("::1"), DEFAULT_PORT),
        ] {
            let expected = ListenAddress { host: host.map(str::to_owned), port };
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected), "{text}");
        }
        for text in ["", " ", "70000", "lab:x", "lab:70000", ":7878", "a b", "[::1]7878", "-1"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(NoListenAddress), "{text:?}");
        }
    }

    #[tokio::test]
    async fn without_an_address_all_of_both_families_are_listened_on() {
        let all = "7950".parse::<ListenAddress>().unwrap().resolve().await.unwrap();
        assert_eq!(all, ["0.0.0.0:7950".parse().unwrap(), "[::]:7950".parse::<SocketAddr>().unwrap()]);
        let local = "localhost:7950".parse::<ListenAddress>().unwrap().resolve().await.unwrap();
        assert!(local.iter().all(|address| address.ip().is_loopback()) && !local.is_empty(), "{local:?}");
    }
}
