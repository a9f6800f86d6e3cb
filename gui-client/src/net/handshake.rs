//! From an address and a name to a session: TCP, TLS, the comparison with the known certificate, and the handshake of
//! docs/PROTOCOL.md. All sentences about a server that cannot be reached or joined are written here.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    address::ServerAddress,
    codec::{encode_client, framing},
    crypto::{Identity, JoinTranscript, sha256},
    limits::{MAX_GREETING_BYTES, MAX_SERVER_FRAME_BYTES, PROTOCOL_VERSION},
    message::{Blob, ClientMessage, MAGIC, Person, ServerMessage},
    name::Name,
    validate::Breach,
};
use rand::RngExt;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncWriteExt, WriteHalf},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::codec::FramedRead;

use super::{
    cert_verifier,
    frames::{Frames, ReadError, Stream, next_greeting},
    keyring::unix_micros,
    known_servers::KnownServers,
    own_numbers::OwnNumbers,
    own_session::OwnSession,
    pages::{Listed, Pages},
    pin_file::PinFile,
};
use crate::{
    dictionary::Dictionary,
    event::{CertificateChange, FileRepair, Offline, Online, TlsFacts},
    pins::Pins,
};

/// Name and version of this program, sent in `Hello`.
const SOFTWARE: &str = concat!("triptych ", env!("CARGO_PKG_VERSION"));
/// Time limit of each step: resolving the name, TCP, TLS, and each message of the handshake.
const STEP_DEADLINE: Duration = Duration::from_secs(8);
/// Bytes of records that may wait for the socket: two full ones. A server that does not read takes no more memory than this
/// besides the queue of [`super::outgoing`].
const TLS_BUFFER_BYTES: usize = 32 * 1024;

/// A connection on which the server has sent `Welcome`.
pub(super) struct Session {
    pub(super) frames: Frames,
    pub(super) writer: WriteHalf<Box<dyn Stream>>,
    pub(super) online: Online,
    pub(super) own: OwnSession,
}

/// A connection before the handshake.
pub(super) struct Transport {
    stream: Box<dyn Stream>,
    address: String,
    channel_binding: [u8; 32],
    /// `None` without TLS.
    pub(super) tls: Option<TlsFacts>,
    is_first_visit: bool,
}

/// A connection on which the server has sent `Challenge`.
pub(super) struct Challenged {
    frames: Frames,
    writer: WriteHalf<Box<dyn Stream>>,
    address: String,
    channel_binding: [u8; 32],
    /// `None` without TLS.
    pub(super) tls: Option<TlsFacts>,
    is_first_visit: bool,
    client_nonce: [u8; 32],
    server_nonce: [u8; 32],
}

/// An error that another attempt may mend, as two sentences: what happened and what to do.
pub(super) fn unreachable(what: impl Into<String>, remedy: impl Into<String>) -> Offline {
    Offline::Unreachable { what: what.into(), remedy: remedy.into() }
}

/// Connects to `address`. With TLS it also checks that the certificate is the one of the first visit, before anything is
/// sent to the server. `announced` is the certificate that a server which was found on the network says it has.
pub(super) async fn connect(
    address: &str,
    is_plaintext: bool,
    announced: Option<[u8; 32]>,
    known_servers: &KnownServers,
) -> Result<Transport, Offline> {
    let typed = ServerAddress::parse(address).map_err(|error| unreachable(error.what(), error.remedy()))?;
    let address = typed.to_string();
    let stream = reach(&typed, &address).await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("small messages to {address} are delayed: {error}");
    }
    if is_plaintext {
        return Ok(Transport {
            stream: Box::new(stream),
            address,
            channel_binding: [0; 32],
            tls: None,
            is_first_visit: false,
        });
    }

    let server_name = ServerName::try_from("triptych").expect("a valid DNS name");
    let connector = TlsConnector::from(Arc::new(cert_verifier::client_config()));
    let handshake =
        connector.connect_with(server_name, stream, |connection| connection.set_buffer_limit(Some(TLS_BUFFER_BYTES)));
    let stream = timeout(STEP_DEADLINE, handshake).await.map_err(|_| no_answer(&address))?;
    let stream = stream.map_err(|error| {
        let details = format!(
            "The TLS handshake failed: {error}. A Triptych server that was started with --plaintext needs a client that was, \
             too."
        );
        not_triptych(&address, details)
    })?;
    let (_, tls) = stream.get_ref();
    let no_certificate = || not_triptych(&address, "It sent no certificate.");
    let certificate = tls.peer_certificates().and_then(|chain| chain.first()).ok_or_else(no_certificate)?;
    let certificate_hash = sha256(certificate);
    let group = tls.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    let tls_facts = TlsFacts { certificate_hash, key_exchange: group.unwrap_or_default() };
    let channel_binding =
        tls.export_keying_material([0; 32], JoinTranscript::EXPORTER_LABEL, None).map_err(|error| {
            unreachable(format!("TLS with {address} gives no keying material to sign ({error})."), "Try again.")
        })?;
    let remembered = with_known_servers(known_servers, {
        let (address, old_form) = (address.clone(), without_brackets(&typed));
        move |known_servers| {
            let remembered = known_servers.certificate_hash(&address)?;
            let remembered =
                remembered.map_or_else(|| known_servers.certificate_hash(&old_form), |hash| Ok(Some(hash)));
            // A server that was visited at another address proves by its key that it is the same.
            Ok((remembered?, known_servers.knows(&certificate_hash)?))
        }
    });
    let (remembered, is_known) = remembered.await?;
    match remembered {
        Some(expected) if expected != certificate_hash => {
            Err(certificate_changed(address, &expected, &certificate_hash))
        }
        None if announced.is_some_and(|announced| announced != certificate_hash) => Err(not_as_announced(&address)),
        _ => Ok(Transport {
            stream: Box::new(stream),
            address,
            channel_binding,
            tls: Some(tls_facts),
            is_first_visit: !is_known,
        }),
    }
}

impl Transport {
    /// Says hello and waits for the server's challenge. The server waits longer for what follows than for this.
    pub(super) async fn greet(self) -> Result<Challenged, Offline> {
        let Self { stream, address, channel_binding, tls, is_first_visit } = self;
        let (read_half, mut writer) = tokio::io::split(stream);
        let mut frames = FramedRead::new(read_half, framing(MAX_GREETING_BYTES));
        let client_nonce = rand::rng().random();
        let hello = ClientMessage::Hello {
            magic: MAGIC,
            protocol_version: PROTOCOL_VERSION,
            software: SOFTWARE.to_owned(),
            nonce: client_nonce,
        };
        send(&mut writer, &hello, &address).await?;
        let server_nonce = match first_message(&mut frames, &address).await? {
            ServerMessage::Challenge { nonce, .. } => nonce,
            other => return Err(not_understood(&address, &other)),
        };
        Ok(Challenged { frames, writer, address, channel_binding, tls, is_first_visit, client_nonce, server_nonce })
    }
}

impl Challenged {
    /// Where the people of this server are remembered.
    pub(super) fn pin_file(&self, data_dir: &Path) -> PinFile {
        PinFile::new(data_dir, self.tls.as_ref().map(|tls| &tls.certificate_hash), &self.address)
    }

    /// Proves possession of the key and joins under `name`; `pins` are handed on. Remembers the certificate once the server has sent `Welcome`. A
    /// refusal ends the attempt: the next one begins with a connection of its own.
    pub(super) async fn join(
        self,
        name: &Name,
        identity: Arc<Identity>,
        numbers: OwnNumbers,
        known_servers: &KnownServers,
        pins: Pins,
    ) -> Result<Session, Offline> {
        let Self { mut frames, mut writer, address, channel_binding, tls, is_first_visit, client_nonce, server_nonce } =
            self;
        let certificate_hash = tls.as_ref().map(|tls| tls.certificate_hash);
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
        let signed = name.clone();
        // Signing takes milliseconds of CPU time, which would hold up the other work of this thread.
        let signing = tokio::task::spawn_blocking(move || {
            let proof = identity.sign(&transcript);
            let certificate_hash = certificate_hash.unwrap_or_default();
            let mut own = OwnSession::begin(identity, signed, certificate_hash, numbers, Instant::now());
            (proof, own.record(unix_micros()), own)
        });
        let (proof, session, own_session) = signing.await.expect("signing does not panic");
        let join = ClientMessage::Join {
            name: name.as_str().to_owned(),
            public_key: Blob(public_key.der().to_vec()),
            proof: Blob(proof),
            session: Blob(session.as_bytes().to_vec()),
        };
        send(&mut writer, &join, &address).await?;
        let (welcomed, pages, server, library) = match receive(&mut frames, &address).await {
            Ok(ServerMessage::Welcome { name, revision, people_count, server, library }) => {
                (name, Pages::announced(revision, people_count), server, library)
            }
            Ok(other) => return Err(not_understood(&address, &other)),
            Err(Offline::Refused { code, message, suggestion }) => {
                let suggestion = suggestion.filter(|suggestion| is_numbered(suggestion, name));
                return Err(Offline::Refused { code, message, suggestion });
            }
            Err(offline) => return Err(offline),
        };
        // The person has typed this name. A server that could choose another one could also choose which key is used.
        if welcomed != *name {
            return Err(broke_protocol(&address, &Breach::OtherName(welcomed, name.clone())));
        }
        let own = Person { name: welcomed, public_key, session, since_unix_secs: 0 };
        let Listed { revision, people } = receive_pages(pages, &mut frames, &mut writer, &address).await?;
        let people = Dictionary::new(&own, revision, people).map_err(|breach| broke_protocol(&address, &breach))?;
        if let Some(hash) = certificate_hash {
            let remember = {
                let address = address.clone();
                move |known_servers: &KnownServers| known_servers.remember(&address, &hash)
            };
            let remembered = with_known_servers(known_servers, remember).await?;
            // Another client on this computer may have visited the same address since the comparison, and have been shown
            // another certificate.
            if remembered != hash {
                return Err(certificate_changed(address, &remembered, &hash));
            }
        }
        let Person { name, public_key, .. } = own;
        let people = Arc::new(people);
        let online = Online { name, public_key, people, server, library, tls, is_first_visit, pins };
        Ok(Session { frames, writer, online, own: own_session })
    }
}

/// Whether `suggestion` is `name` with a number behind it, cut to fit. A server may suggest no other: it could be the name
/// of another key of this person.
fn is_numbered(suggestion: &Name, name: &Name) -> bool {
    name.numbered().any(|numbered| numbered == *suggestion)
}

async fn send(writer: &mut WriteHalf<Box<dyn Stream>>, message: &ClientMessage, address: &str) -> Result<(), Offline> {
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

/// The first message of the server. What is none of Triptych's was not sent by a Triptych server.
async fn first_message(frames: &mut Frames, address: &str) -> Result<ServerMessage, Offline> {
    match timeout(STEP_DEADLINE, next_greeting(frames)).await {
        Ok(Ok(None)) => Err(not_triptych(address, "It closed the connection without an answer.")),
        Ok(Ok(Some(message))) => taken(message),
        Ok(Err(ReadError::Breach(breach))) => Err(not_triptych(address, format!("It answers otherwise: {breach}."))),
        Ok(Err(ReadError::Io(error))) => Err(not_triptych(address, format!("It broke the connection: {error}."))),
        Err(_) => Err(no_answer(address)),
    }
}

/// A message of the handshake; a refusal or goodbye ends it.
fn taken(message: ServerMessage) -> Result<ServerMessage, Offline> {
    match message {
        ServerMessage::Refused { code, message, suggestion } => Err(Offline::Refused { code, message, suggestion }),
        ServerMessage::Goodbye { reason } => Err(Offline::Goodbye(reason)),
        message => Ok(message),
    }
}

/// The next message of the handshake; a refusal or goodbye ends it.
async fn receive(frames: &mut Frames, address: &str) -> Result<ServerMessage, Offline> {
    match timeout(STEP_DEADLINE, next_greeting(frames)).await {
        Ok(Ok(Some(message))) => taken(message),
        Ok(Ok(None)) => Err(unreachable(
            format!("{address} closed the connection without an answer."),
            "Check the port, and update server and client to the same release.",
        )),
        Ok(Err(ReadError::Breach(breach))) => Err(broke_protocol(address, &breach)),
        Ok(Err(ReadError::Io(error))) => Err(broken(address, &error)),
        Err(_) => Err(no_answer(address)),
    }
}

/// The dictionary that `Welcome` has announced. On a slow connection it takes a while, so pings are answered.
async fn receive_pages(
    mut pages: Pages,
    frames: &mut Frames,
    writer: &mut WriteHalf<Box<dyn Stream>>,
    address: &str,
) -> Result<Listed, Offline> {
    loop {
        pages = match pages.finish() {
            Ok(listed) => return Ok(listed),
            Err(pages) => pages,
        };
        match receive(frames, address).await? {
            ServerMessage::People { people } => {
                pages.add(people).map_err(|breach| broke_protocol(address, &breach))?;
            }
            ServerMessage::Ping { number } => send(writer, &ClientMessage::Pong { number }, address).await?,
            other => return Err(broke_protocol(address, &Breach::InterruptedPages(other.kind()))),
        }
    }
}

/// The end of an attempt with a server that does not keep to the protocol before it has let this client in.
fn broke_protocol(address: &str, breach: &Breach) -> Offline {
    Offline::BrokeProtocol {
        what: format!("{address} does not answer as a Triptych server does: {breach}."),
        remedy: "Install the same release of Triptych on both computers.".to_owned(),
    }
}

/// The end of an attempt to reach something that is no Triptych server.
fn not_triptych(address: &str, details: impl Into<String>) -> Offline {
    Offline::NotTriptych { address: address.to_owned(), details: details.into() }
}

/// The end of an attempt with a server that shows another certificate than it has announced.
fn not_as_announced(address: &str) -> Offline {
    Offline::BrokeProtocol {
        what: format!("The server at {address} shows another certificate than it has announced."),
        remedy:
            "Someone may be pretending to be this server. Nothing was sent to it. Ask the person who runs it for its \
                 address."
                .to_owned(),
    }
}

fn not_understood(address: &str, message: &ServerMessage) -> Offline {
    let kind = message.kind();
    tracing::warn!(kind, "unexpected message during the handshake");
    unreachable(
        format!("{address} sent an unexpected message during the handshake ({kind})."),
        "Update server and client to the same release.",
    )
}

fn no_answer(address: &str) -> Offline {
    unreachable(
        format!("{address} does not answer."),
        "Check the address, that the server is running, and that no firewall blocks the connection.",
    )
}

/// The error for an established connection that breaks.
pub(super) fn broken(address: &str, error: &io::Error) -> Offline {
    unreachable(
        format!("The connection to {address} was lost ({error})."),
        "Check whether the server is still running.",
    )
}

/// Runs `work` on a thread that may wait for files and locks.
async fn with_known_servers<T: Send + 'static>(
    known_servers: &KnownServers,
    work: impl FnOnce(&KnownServers) -> io::Result<T> + Send + 'static,
) -> Result<T, Offline> {
    let moved = known_servers.clone();
    let done = tokio::task::spawn_blocking(move || work(&moved)).await.expect("the file is handled without panics");
    done.map_err(|error| known_servers_failed(known_servers, &error))
}

fn certificate_changed(address: String, expected: &[u8; 32], found: &[u8; 32]) -> Offline {
    Offline::CertificateChanged(CertificateChange { address, expected: *expected, found: *found })
}

/// Takes the new certificate for that of the server from now on, as the person has decided.
pub(super) async fn trust(known_servers: &KnownServers, change: CertificateChange) -> Result<(), Offline> {
    let CertificateChange { address, expected, found } = change;
    with_known_servers(known_servers, move |known_servers| known_servers.replace(&address, &expected, &found)).await
}

/// Forgets the certificate of the server at this address (`host:port`).
pub(super) async fn forget(known_servers: &KnownServers, address: String) -> Result<(), Offline> {
    with_known_servers(known_servers, move |known_servers| {
        if let Ok(typed) = ServerAddress::parse(&address) {
            known_servers.forget(&without_brackets(&typed))?;
        }
        known_servers.forget(&address)
    })
    .await
}

/// An address as earlier releases wrote it, also one of IPv6.
fn without_brackets(address: &ServerAddress) -> String {
    format!("{}:{}", address.host, address.port)
}

fn known_servers_failed(known_servers: &KnownServers, error: &io::Error) -> Offline {
    let is_damaged = error.kind() == io::ErrorKind::InvalidData;
    Offline::Identity {
        what: format!("The file of known servers, {}, cannot be used: {error}.", known_servers.path().display()),
        remedy: if is_damaged {
            "Restore it from a backup, or start anew: then the next visit to each server counts as the first, so compare \
             the certificate that this window shows with the one on the server's console."
                .to_owned()
        } else {
            "Make it readable and writable for you, or choose another folder with --data-dir.".to_owned()
        },
        repair: is_damaged.then(|| FileRepair::NewServers(known_servers.path().to_owned())),
    }
}

async fn reach(typed: &ServerAddress, address: &str) -> Result<TcpStream, Offline> {
    let (host, port) = (typed.host.as_str(), typed.port);
    let found = timeout(STEP_DEADLINE, lookup_host((host, port))).await.map_err(|_| no_answer(address))?;
    let addresses: Vec<_> = found
        .map_err(|error| {
            tracing::debug!("name lookup of {host:?}: {error}");
            unreachable(format!("Cannot find a computer named {host:?}."), "Check the spelling.")
        })?
        .collect();
    let mut last_error = no_answer(address);
    for candidate in addresses {
        match timeout(STEP_DEADLINE, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last_error = unreachable(
                    format!("No Triptych server is running at {address}."),
                    "Check the address, or ask the person who runs the server to start it.",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_name_is_the_typed_one_with_a_number() {
        let name = |text: &str| Name::parse(text).unwrap();
        let long = "x".repeat(32);
        for (typed, number) in [("ada", "-2"), ("Ada Lovelace", "-17"), (long.as_str(), "-9"), ("a-1", "-2")] {
            let stem: String = typed.chars().take(32 - number.len()).collect();
            assert!(is_numbered(&name(&format!("{stem}{number}")), &name(typed)), "{typed}");
        }
        for other in ["bob-2", "ad-2", "adab-2", "ada", "ada-", "ada-x", "bob"] {
            assert!(!is_numbered(&name(other), &name("ada")), "{other}");
        }
    }
}
