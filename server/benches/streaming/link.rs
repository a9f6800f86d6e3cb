//! A client that costs as little as one can: it reads the heads of items and lets the bytes behind them pass.

use std::{net::SocketAddr, ops::Range, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use common::{
    codec::{PREFIX_BYTES, decode_server, encode_client},
    crypto::{Identity, JoinTranscript, test_keys},
    limits::PROTOCOL_VERSION,
    media::{Epoch, PictureHead, Position, Quality, SoundHead, Statistics, StreamId, VideoInfo, WatchRequest},
    message::{Blob, ClientMessage, MAGIC, ServerMessage},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// What is read at a time. A message that is no item must fit.
const BUFFER_BYTES: usize = 128 * 1024;

/// Numbers of the messages that are items.
const PICTURE: u8 = 9;
const SOUND: u8 = 13;

/// Longer than the longest head: seven numbers of at most nine bytes.
const HEAD_BYTES: usize = 64;

/// Who somebody is.
pub struct Keys(Identity);

impl Keys {
    /// Those of everybody who comes alone.
    pub fn fixed() -> Self {
        Self(test_keys::ada())
    }

    /// New ones: two people online cannot have the same.
    pub fn fresh() -> Self {
        Self(Identity::generate(2048))
    }
}

/// What came, whole.
#[derive(Debug)]
pub enum Heard {
    /// A picture.
    Picture(PictureHead),
    /// Sound.
    Sound(SoundHead),
    /// Anything else.
    Said(ServerMessage),
}

/// A connection that has joined.
pub struct Link {
    stream: TcpStream,
    /// What the library held when we joined.
    pub videos: Vec<VideoInfo>,
    buffer: Box<[u8]>,
    filled: Range<usize>,
    /// Bytes of `passing` that have not come yet.
    to_skip: usize,
    passing: Option<Heard>,
}

impl Link {
    /// Connects and joins.
    pub async fn join(address: SocketAddr, name: &str, keys: &Keys) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        let mut link = Self { stream, videos: Vec::new(), buffer, filled: 0..0, to_skip: 0, passing: None };
        let client_nonce = [0; 32];
        let software = "bench".to_owned();
        link.say(&[ClientMessage::Hello {
            magic: MAGIC,
            protocol_version: PROTOCOL_VERSION,
            software,
            nonce: client_nonce,
        }])?;
        let Heard::Said(ServerMessage::Challenge { nonce: server_nonce, .. }) = link.hear().await? else {
            bail!("no challenge came");
        };
        let public_key_der = keys.0.public_key().der();
        let transcript = JoinTranscript {
            channel_binding: [0; 32],
            certificate_hash: [0; 32],
            client_nonce,
            server_nonce,
            name,
            public_key_der,
        };
        let proof = Blob(keys.0.sign(&transcript.to_bytes()));
        link.say(&[ClientMessage::Join { name: name.to_owned(), public_key: Blob(public_key_der.to_vec()), proof }])?;
        match link.hear().await? {
            Heard::Said(ServerMessage::Welcome { library, .. }) => link.videos = library.videos,
            other => bail!("instead of a welcome came {other:?}"),
        }
        Ok(link)
    }

    /// The one video there is.
    pub fn video(&self) -> Result<VideoInfo> {
        self.videos.first().cloned().context("the server offers no video")
    }

    /// Starts the triptych of the one video, with so much credit, in one packet. Returns when it was asked for.
    pub fn watch(&mut self, stream: StreamId, from: Position, items: u32) -> Result<Instant> {
        let video = self.video()?.id;
        let asked_at = Instant::now();
        self.say(&[
            ClientMessage::Watch(WatchRequest { stream, video, quality: Quality::Triptych, from }),
            ClientMessage::Grant { stream, epoch: Epoch(0), items },
        ])?;
        Ok(asked_at)
    }

    /// Says something. What we say is small and seldom, so there is always room for it.
    pub fn say(&mut self, messages: &[ClientMessage]) -> Result<()> {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| encode_client(message).to_vec()).collect();
        let written = self.stream.try_write(&bytes).context("the server does not read what is said to it")?;
        ensure!(written == bytes.len(), "the server does not read what is said to it");
        Ok(())
    }

    /// What the server says of itself. Items that come meanwhile are lost.
    pub async fn statistics(&mut self) -> Result<Statistics> {
        self.say(&[ClientMessage::AskStatistics])?;
        loop {
            if let Heard::Said(ServerMessage::Statistics(statistics)) = self.hear().await? {
                return Ok(statistics);
            }
        }
    }

    /// The next thing that concerns a viewer. May be cancelled and called again without losing anything.
    pub async fn hear(&mut self) -> Result<Heard> {
        loop {
            let skipped = self.to_skip.min(self.filled.len());
            self.filled.start += skipped;
            self.to_skip -= skipped;
            if self.to_skip > 0 {
                self.fill().await?;
                continue;
            }
            if let Some(heard) = self.passing.take() {
                return Ok(heard);
            }
            match self.take()? {
                None => self.fill().await?,
                Some(Heard::Said(ServerMessage::Ping { number })) => self.say(&[ClientMessage::Pong { number }])?,
                Some(Heard::Said(ServerMessage::Joined { .. } | ServerMessage::Left { .. })) => {}
                Some(Heard::Said(ServerMessage::Goodbye { reason })) => bail!("the server said goodbye: {reason}"),
                Some(heard @ Heard::Said(_)) => return Ok(heard),
                Some(item) => self.passing = Some(item),
            }
        }
    }

    /// The message that begins in the buffer, if enough of it is there: all of it, or the head of an item.
    fn take(&mut self) -> Result<Option<Heard>> {
        let held = &self.buffer[self.filled.clone()];
        let Some((prefix, message)) = held.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        let is_item = message.first().is_some_and(|number| [PICTURE, SOUND].contains(number));
        if is_item && message.len() >= length.min(HEAD_BYTES) {
            let heard = read_head(message).context("an item makes no sense")?;
            self.to_skip = PREFIX_BYTES + length;
            return Ok(Some(heard));
        }
        ensure!(is_item || PREFIX_BYTES + length <= BUFFER_BYTES, "a message of {length} bytes came");
        if is_item || message.len() < length {
            return Ok(None);
        }
        let said = decode_server(&message[..length])?;
        self.filled.start += PREFIX_BYTES + length;
        Ok(Some(Heard::Said(said)))
    }

    async fn fill(&mut self) -> Result<()> {
        // What is left is the beginning of a message, so little that moving it costs nothing.
        self.buffer.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        let read = self.stream.read(&mut self.buffer[self.filled.end..]).await?;
        ensure!(read > 0, "the server closed the connection");
        self.filled.end += read;
        Ok(())
    }
}

/// Reads the fields in front of an item's bytes (`docs/PROTOCOL.md`, sections 3 and 6). The codec would need, and copy,
/// all of the message.
fn read_head(mut message: &[u8]) -> Option<Heard> {
    let number = message.split_off_first()?;
    let mut next = || read_number(&mut message);
    let (stream, epoch) = (StreamId(next()?.try_into().ok()?), Epoch(next()?.try_into().ok()?));
    if *number == SOUND {
        return Some(Heard::Sound(SoundHead { stream, epoch, pts_nanos: next()? }));
    }
    let (index, height) = (next()?.try_into().ok()?, next()?.try_into().ok()?);
    let head = PictureHead { stream, epoch, index, height, pts_nanos: next()?, duration_nanos: next()? };
    Some(Heard::Picture(head))
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let width = match *bytes.split_off_first()? {
        0xfb => 2,
        0xfc => 4,
        0xfd => 8,
        small => return Some(small.into()),
    };
    let mut number = [0; 8];
    number[..width].copy_from_slice(bytes.split_off(..width)?);
    Some(u64::from_le_bytes(number))
}
