//! A client that speaks the protocol and does exactly what a test says.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use common::{
    codec::{decode_server, encode_client, framing},
    crypto::{
        Envelope, Identity,
        letter::{Content, open},
        test_keys,
    },
    limits::{MAX_SERVER_FRAME_BYTES, PROTOCOL_VERSION},
    media::Library,
    message::{Blob, ClientMessage, MAGIC, Person, RefusalCode, ServerInfo, ServerMessage, Viewing},
    name::Name,
    picture_parts::PictureJoiner,
    test_messages,
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::Mutex,
    time::timeout,
};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use super::server::DEADLINE;

pub use common::test_messages::{letter, session};

/// A byte stream that a test client can use.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection without TLS.
pub struct TestClient {
    frames: FramedRead<ReadHalf<Box<dyn Stream>>, LengthDelimitedCodec>,
    pub writer: Writer,
    joiner: PictureJoiner,
}

/// The writing half of a connection, which several tasks of a test can share.
#[derive(Clone)]
pub struct Writer(Arc<Mutex<WriteHalf<Box<dyn Stream>>>>);

impl Writer {
    /// Returns whether the connection took all of it.
    pub async fn write(&self, bytes: &[u8]) -> bool {
        self.0.lock().await.write_all(bytes).await.is_ok()
    }

    /// Answers a ping, unless another task is writing, which shows as well that the client is alive.
    async fn answer(&self, number: u64) {
        if let Ok(mut writer) = self.0.try_lock() {
            // The server may be closing already.
            let _ = writer.write_all(&encode_client(&ClientMessage::Pong { number })).await;
        }
    }

    /// Closes this direction.
    pub async fn shutdown(&self) -> io::Result<()> {
        self.0.lock().await.shutdown().await
    }
}

/// The fields of `Welcome`.
#[derive(Debug)]
pub struct Welcome {
    pub name: Name,
    pub revision: u64,
    pub people: Vec<Person>,
    pub server: ServerInfo,
    pub library: Library,
}

impl TestClient {
    /// Connects and sends nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// Wraps an open connection.
    pub fn over(stream: impl Stream + 'static) -> Self {
        super::guard::alive();
        let stream: Box<dyn Stream> = Box::new(stream);
        let (read_half, writer) = tokio::io::split(stream);
        let writer = Writer(Arc::new(Mutex::new(writer)));
        Self {
            frames: FramedRead::new(read_half, framing(MAX_SERVER_FRAME_BYTES)),
            writer,
            joiner: PictureJoiner::default(),
        }
    }

    /// Connects and joins.
    pub async fn join(address: SocketAddr, name: &str, identity: &Identity) -> (Self, Welcome) {
        let mut client = Self::connect(address).await;
        let welcome = client.join_as(name, identity).await;
        (client, welcome)
    }

    /// Exchanges hello and challenge, and joins.
    pub async fn join_as(&mut self, name: &str, identity: &Identity) -> Welcome {
        let server_nonce = self.greet().await;
        self.send(&join_message(name, identity, server_nonce)).await;
        match self.next().await {
            ServerMessage::Welcome { name, revision, people_count, server, library } => {
                Welcome { name, revision, people: self.people(people_count).await, server, library }
            }
            other => panic!("expected a welcome, received {other:?}"),
        }
    }

    /// Expects the pages that `Welcome` or `Directory` announced.
    pub async fn people(&mut self, people_count: u32) -> Vec<Person> {
        let mut people = Vec::new();
        while people.len() < people_count as usize {
            match self.next().await {
                ServerMessage::People { people: page } => people.extend(page),
                other => panic!("expected a page, received {other:?}"),
            }
        }
        people
    }

    /// Asks for the dictionary and returns its revision and people.
    pub async fn directory(&mut self) -> (u64, Vec<Person>) {
        self.send(&ClientMessage::AskDirectory).await;
        let announced = |message| match message {
            ServerMessage::Directory { revision, people_count } => Some((revision, people_count)),
            _ => None,
        };
        let (revision, people_count) = self.next_that(announced).await;
        (revision, self.people(people_count).await)
    }

    /// What people watch, as the next message about that says it.
    pub async fn watching(&mut self) -> Vec<Viewing> {
        self.next_that(|message| match message {
            ServerMessage::Watching { people } => Some(people),
            _ => None,
        })
        .await
    }

    /// Says hello and returns the server's nonce.
    pub async fn greet(&mut self) -> [u8; 32] {
        self.send(&hello(MAGIC, PROTOCOL_VERSION)).await;
        self.challenge().await
    }

    /// Expects a challenge and returns its nonce.
    pub async fn challenge(&mut self) -> [u8; 32] {
        match self.next().await {
            ServerMessage::Challenge { nonce, .. } => nonce,
            other => panic!("expected a challenge, received {other:?}"),
        }
    }

    pub async fn send(&mut self, message: &ClientMessage) {
        self.send_bytes(&encode_client(message)).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        assert!(self.writer.write(bytes).await, "the server takes what is sent to it");
    }

    /// Encrypts `text` for one recipient and sends it to all.
    pub async fn say(&mut self, text: &str, sequence: u64, sender: &Identity, to: &Identity) -> Vec<u8> {
        let envelope = letter(text, sequence, sender, to).as_bytes().to_vec();
        self.send(&ClientMessage::Say { envelope: Blob(envelope.clone()) }).await;
        envelope
    }

    /// Encrypts `text` for one recipient and hands it to that client.
    pub async fn hand(&mut self, text: &str, sequence: u64, sender: &Identity, to: &Identity) -> Vec<u8> {
        let envelope = letter(text, sequence, sender, to).as_bytes().to_vec();
        self.send(&ClientMessage::Hand { to: to.public_key().id(), envelope: Blob(envelope.clone()) }).await;
        envelope
    }

    /// The next frame, whatever it is. `None` when the server closed the connection.
    pub async fn next_frame(&mut self) -> Option<BytesMut> {
        timeout(DEADLINE, self.frames.next()).await.expect("the server says something in time")?.ok()
    }

    /// The next message that is not a ping; pings are answered. A picture comes once all its parts are there, as one
    /// message. `None` when the server closed the connection.
    pub async fn try_next(&mut self) -> Option<ServerMessage> {
        timeout(DEADLINE, self.after_pings()).await.expect("the server says more than pings in time")
    }

    async fn after_pings(&mut self) -> Option<ServerMessage> {
        loop {
            match decode_server(&self.next_frame().await?).unwrap() {
                ServerMessage::Ping { number } => {
                    self.writer.answer(number).await;
                }
                message => {
                    if let Some(message) = self.joiner.take(message).unwrap() {
                        return Some(message);
                    }
                }
            }
        }
    }

    /// Answers pings, and passes over everything else, until the connection ends.
    pub async fn stay(&mut self) {
        while let Some(Ok(frame)) = self.frames.next().await {
            if let ServerMessage::Ping { number } = decode_server(&frame).unwrap() {
                self.writer.answer(number).await;
            }
        }
    }

    /// The next message that is not a ping.
    pub async fn next(&mut self) -> ServerMessage {
        self.try_next().await.expect("the connection is open")
    }

    /// Skips messages until `pick` returns something for one.
    pub async fn next_that<T>(&mut self, mut pick: impl FnMut(ServerMessage) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.next().await) {
                return picked;
            }
        }
    }

    /// Expects a refusal and the end of the connection.
    pub async fn expect_refusal(&mut self) -> (RefusalCode, String) {
        let ServerMessage::Refused { code, message, .. } = self.next().await else { panic!("no refusal") };
        assert_eq!(self.try_next().await, None, "the connection ends");
        (code, message)
    }
}

pub const CLIENT_NONCE: [u8; 32] = [7; 32];

pub fn hello(magic: [u8; 8], protocol_version: u16) -> ClientMessage {
    ClientMessage::Hello { magic, protocol_version, software: "test".to_owned(), nonce: CLIENT_NONCE }
}

/// A `Join` with a valid proof for a plaintext connection.
pub fn join_message(name: &str, identity: &Identity, server_nonce: [u8; 32]) -> ClientMessage {
    test_messages::join(name, identity, CLIENT_NONCE, server_nonce)
}

/// The text of a letter to someone who joined with [`join_message`]; `None` if this key does not open it.
pub fn opened(letter: &Envelope, identity: &Identity, sender: &Identity) -> Option<String> {
    let opened = open(letter, identity, &test_keys::session_keys(), sender.public_key()).ok()?;
    match opened.content {
        Content::Text(_, text) => Some(text),
        _ => None,
    }
}
