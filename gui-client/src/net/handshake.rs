//! From an address and a name to a session: TCP, TLS, greeting.

use std::{io, sync::Arc, time::Duration};

use common::{
    codec::{decode_server, encode_client, framing},
    crypto::{Identity, JoinTranscript, sha256, short_fingerprint},
    limits::{DEFAULT_PORT, MAX_GREETING_BYTES, MAX_SERVER_FRAME_BYTES, PROTOCOL_VERSION},
    message::{Blob, ClientMessage, MAGIC, ServerMessage},
    name::Name,
};
use futures_util::StreamExt;
use rand::RngExt;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use super::{cert_verifier, known_servers::KnownServers};
use crate::event::{Offline, Online};

/// What this program calls itself on the wire.
const SOFTWARE: &str = concat!("triptych ", env!("CARGO_PKG_VERSION"));
/// How long one step of the way may take.
const STEP_DEADLINE: Duration = Duration::from_secs(8);

/// TCP or TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Frames = FramedRead<ReadHalf<Box<dyn Stream>>, LengthDelimitedCodec>;

/// A session that has begun.
pub(super) struct Session {
    pub(super) frames: Frames,
    pub(super) writer: WriteHalf<Box<dyn Stream>>,
    pub(super) online: Online,
}

/// A connection whose far end has not been greeted.
pub(super) struct Transport {
    stream: Box<dyn Stream>,
    address: String,
    channel_binding: [u8; 32],
    /// `None` on a plaintext link.
    certificate_hash: Option<[u8; 32]>,
}

/// An error worth another try.
pub(super) fn unreachable(what: impl Into<String>, remedy: impl Into<String>) -> Offline {
    Offline::Unreachable { what: what.into(), remedy: remedy.into() }
}

/// Reaches the server; with TLS also checks that it is the one of the first visit.
pub(super) async fn connect(
    address: &str,
    is_plaintext: bool,
    known_servers: &KnownServers,
) -> Result<Transport, Offline> {
    let (host, port) = split_address(address)?;
    let address = format!("{host}:{port}");
    let stream = reach(&host, port, &address).await?;
    // Small messages go out at once. Failing that they are only slower.
    let _ = stream.set_nodelay(true);
    if is_plaintext {
        return Ok(Transport { stream: Box::new(stream), address, channel_binding: [0; 32], certificate_hash: None });
    }

    let server_name = ServerName::try_from("triptych").expect("a valid DNS name");
    let handshake = TlsConnector::from(Arc::new(cert_verifier::client_config())).connect(server_name, stream);
    let stream = timeout(STEP_DEADLINE, handshake).await.map_err(|_| no_answer(&address))?.map_err(|error| {
        unreachable(
            format!("{address} answers, but not as a Triptych server with TLS does ({error})."),
            "Check the port. If the server was started with --plaintext, start this client with --plaintext too.",
        )
    })?;
    let (_, tls) = stream.get_ref();
    let no_certificate = || unreachable(format!("{address} showed no certificate."), "Check the address.");
    let certificate = tls.peer_certificates().and_then(|chain| chain.first()).ok_or_else(no_certificate)?;
    let certificate_hash = sha256(certificate);
    let channel_binding = tls
        .export_keying_material([0; 32], JoinTranscript::EXPORTER_LABEL, None)
        .map_err(|error| unreachable(format!("TLS with {address} gives no key to bind to ({error})."), "Try again."))?;
    match known_servers.certificate_hash(&address).map_err(|error| known_servers_failed(known_servers, &error))? {
        Some(expected) if expected != certificate_hash => Err(Offline::CertificateChanged {
            expected: short_fingerprint(&expected),
            found: short_fingerprint(&certificate_hash),
            known_servers_file: known_servers.path().display().to_string(),
        }),
        _ => Ok(Transport {
            stream: Box::new(stream),
            address,
            channel_binding,
            certificate_hash: Some(certificate_hash),
        }),
    }
}

impl Transport {
    /// Greets, proves to hold the key, and joins under `name`. Remembers the server when that went well.
    pub(super) async fn join(
        self,
        name: &Name,
        identity: Arc<Identity>,
        known_servers: &KnownServers,
    ) -> Result<Session, Offline> {
        let Self { stream, address, channel_binding, certificate_hash } = self;
        let (read_half, mut writer) = tokio::io::split(stream);
        let mut frames = FramedRead::new(read_half, framing(MAX_GREETING_BYTES));
        let client_nonce = rand::rng().random();
        let hello = ClientMessage::Hello {
            magic: MAGIC,
            protocol_version: PROTOCOL_VERSION,
            software: SOFTWARE.to_owned(),
            nonce: client_nonce,
        };
        say(&mut writer, &hello, &address).await?;
        let server_nonce = match hear(&mut frames, &address).await? {
            ServerMessage::Challenge { nonce, .. } => nonce,
            other => return Err(not_understood(&address, &other)),
        };
        frames.decoder_mut().set_max_frame_length(MAX_SERVER_FRAME_BYTES);

        let public_key = identity.public_key().clone();
        let transcript = JoinTranscript {
            channel_binding,
            certificate_hash: certificate_hash.unwrap_or_default(),
            client_nonce,
            server_nonce,
            name: name.as_str(),
            public_key_der: public_key.der(),
        }
        .to_bytes();
        // Signing takes milliseconds, which on this thread is long.
        let proof =
            tokio::task::spawn_blocking(move || identity.sign(&transcript)).await.expect("signing does not panic");
        let join = ClientMessage::Join {
            name: name.as_str().to_owned(),
            public_key: Blob(public_key.der().to_vec()),
            proof: Blob(proof),
        };
        say(&mut writer, &join, &address).await?;
        let (name, revision, people, library) = match hear(&mut frames, &address).await? {
            ServerMessage::Welcome { name, revision, people, library } => (name, revision, people, library),
            other => return Err(not_understood(&address, &other)),
        };
        if let Some(hash) = &certificate_hash {
            known_servers.remember(&address, hash).map_err(|error| known_servers_failed(known_servers, &error))?;
        }
        let server_fingerprint = certificate_hash.as_ref().map(short_fingerprint);
        let online = Online { name, public_key, revision, people, library, server_fingerprint };
        Ok(Session { frames, writer, online })
    }
}

/// Reads one frame as a message.
pub(super) async fn next_message(frames: &mut Frames) -> io::Result<Option<ServerMessage>> {
    let Some(frame) = frames.next().await.transpose()? else { return Ok(None) };
    decode_server(&frame).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn say(writer: &mut WriteHalf<Box<dyn Stream>>, message: &ClientMessage, address: &str) -> Result<(), Offline> {
    let frame = encode_client(message);
    let written = async {
        writer.write_all(&frame).await?;
        writer.flush().await
    };
    match timeout(STEP_DEADLINE, written).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(broken(address, &error)),
        Err(_) => Err(no_answer(address)),
    }
}

/// The next message of the greeting; refusals and goodbyes end it here.
async fn hear(frames: &mut Frames, address: &str) -> Result<ServerMessage, Offline> {
    match timeout(STEP_DEADLINE, next_message(frames)).await {
        Ok(Ok(Some(ServerMessage::Refused { code, message, suggestion }))) => {
            Err(Offline::Refused { code, message, suggestion })
        }
        Ok(Ok(Some(ServerMessage::Goodbye { reason }))) => Err(Offline::Goodbye(reason)),
        Ok(Ok(Some(message))) => Ok(message),
        Ok(Ok(None)) => Err(unreachable(
            format!("{address} closed the connection without a word."),
            "Check the port, and that the server and this client are of the same release.",
        )),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Err(unreachable(
            format!("{address} does not answer as a Triptych server does ({error})."),
            "Check the port. A server with TLS needs a client without --plaintext.",
        )),
        Ok(Err(error)) => Err(broken(address, &error)),
        Err(_) => Err(no_answer(address)),
    }
}

fn not_understood(address: &str, message: &ServerMessage) -> Offline {
    tracing::warn!("unexpected in the greeting: {message:?}");
    unreachable(
        format!("{address} said something that does not belong into a greeting."),
        "Use a client and a server of the same release.",
    )
}

fn no_answer(address: &str) -> Offline {
    unreachable(
        format!("{address} does not answer."),
        "Check the address, that the server runs, and that no firewall stands between.",
    )
}

/// What to say when an established connection breaks.
pub(super) fn broken(address: &str, error: &io::Error) -> Offline {
    unreachable(format!("The connection to {address} broke ({error})."), "See whether the server still runs.")
}

fn known_servers_failed(known_servers: &KnownServers, error: &io::Error) -> Offline {
    Offline::Identity {
        what: format!("The file of known servers, {}, cannot be used: {error}.", known_servers.path().display()),
        remedy: "Mend it or move it away, or name another folder with --data-dir.".to_owned(),
    }
}

async fn reach(host: &str, port: u16, address: &str) -> Result<TcpStream, Offline> {
    let found = timeout(STEP_DEADLINE, lookup_host((host, port))).await.map_err(|_| no_answer(address))?;
    let addresses: Vec<_> = found
        .map_err(|error| unreachable(format!("No computer is called {host:?} here ({error})."), "Check the spelling."))?
        .collect();
    let mut last_error = no_answer(address);
    for candidate in addresses {
        match timeout(STEP_DEADLINE, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last_error = unreachable(
                    format!("No server listens at {address}."),
                    "Start it there with triptych-server, or correct the address.",
                );
            }
            Ok(Err(error)) => {
                last_error = unreachable(format!("{address} cannot be reached ({error})."), "Check the network.")
            }
            Err(_) => last_error = no_answer(address),
        }
    }
    Err(last_error)
}

/// `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
fn split_address(address: &str) -> Result<(String, u16), Offline> {
    let address = address.trim();
    let bad = || {
        unreachable(
            format!("{address:?} is no server address."),
            format!("Write a name or number, if need be with a port: 192.168.1.5 or 192.168.1.5:{DEFAULT_PORT}."),
        )
    };
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
        None if address.matches(':').count() == 1 => {
            let (host, port) = address.split_once(':').ok_or_else(bad)?;
            (host, Some(port))
        }
        None => (address, None),
    };
    let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| bad()))?;
    if host.is_empty() || host.contains(char::is_whitespace) || port == 0 {
        return Err(bad());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, host, port) in [
            ("localhost", "localhost", DEFAULT_PORT),
            (" 10.0.0.5:99 ", "10.0.0.5", 99),
            ("[::1]:99", "::1", 99),
            ("[::1]", "::1", DEFAULT_PORT),
            ("fe80::1", "fe80::1", DEFAULT_PORT),
        ] {
            assert_eq!(split_address(text), Ok((host.to_owned(), port)), "{text}");
        }
        for text in ["", ":1", "a:b", "a:0", "a:70000", "a b", "[::1]x"] {
            assert!(split_address(text).is_err(), "{text}");
        }
    }
}
