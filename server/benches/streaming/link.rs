//! A client that costs as little as possible: it decodes only the heads of items and skips their payload.

use std::{net::SocketAddr, ops::Range, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use common::{
    codec::{PREFIX_BYTES, decode_server, encode_client},
    crypto::{Identity, test_keys},
    media::{Epoch, Origin, PictureHead, Position, Quality, SoundFormat, SoundHead, Statistics, StreamId, VideoInfo},
    message::{ClientMessage, ServerMessage},
    test_messages,
};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// The credit window of a viewer, and how many items it grants again at a time. Both as in the client.
pub const WINDOW_ITEMS: u32 = 36;
pub const GRANT_LOT_ITEMS: usize = 4;

/// How much is read at a time. Every message except an item must fit.
const BUFFER_BYTES: usize = 128 * 1024;

/// Message numbers of items and their parts (`docs/PROTOCOL.md`).
const PICTURE: u8 = 9;
const SOUND: u8 = 13;
const PICTURE_PART: u8 = 19;

/// More than the longest head needs: nine numbers, two of which have up to nine bytes and the others five.
const HEAD_BYTES: usize = 64;

/// The RSA key pair of a client.
pub struct Keys(Identity);

impl Keys {
    /// The keys of a client that is alone on its server.
    pub fn fixed() -> Self {
        Self(test_keys::ada())
    }

    /// These keys.
    pub fn of(identity: Identity) -> Self {
        Self(identity)
    }

    /// New keys, because two clients that are online cannot have the same.
    pub fn fresh() -> Self {
        Self(Identity::generate(2048))
    }
}

/// A message that has arrived completely.
#[derive(Debug)]
pub enum Received {
    /// The head of a picture, of which all parts have arrived.
    Picture(PictureHead),
    /// The head of a sound packet.
    Sound(SoundHead),
    /// Any other message.
    Message(ServerMessage),
}

/// A connection to a server, joined.
pub struct Link {
    stream: TcpStream,
    /// The server's videos at the time of joining.
    pub videos: Vec<VideoInfo>,
    buffer: Box<[u8]>,
    filled: Range<usize>,
    /// Bytes of the item `passing` that are still to be skipped.
    to_skip: usize,
    passing: Option<Received>,
    /// The picture of which parts are missing, and the size of those.
    unfinished: Option<(PictureHead, usize)>,
}

impl Link {
    /// Connects and joins.
    pub async fn join(address: SocketAddr, name: &str, keys: &Keys) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        let mut link =
            Self { stream, videos: Vec::new(), buffer, filled: 0..0, to_skip: 0, passing: None, unfinished: None };
        let client_nonce = [0; 32];
        link.send(&[test_messages::hello(client_nonce)])?;
        let Received::Message(ServerMessage::Challenge { nonce: server_nonce, .. }) = link.receive().await? else {
            bail!("the server sent no challenge");
        };
        link.send(&[test_messages::join(name, &keys.0, client_nonce, server_nonce)])?;
        match link.receive().await? {
            Received::Message(ServerMessage::Welcome { library, mut people_count, .. }) => {
                link.videos = library.videos;
                while people_count > 0 {
                    let Received::Message(ServerMessage::People { people }) = link.receive().await? else {
                        bail!("the server sent no page of its list of people");
                    };
                    people_count -= u32::try_from(people.len())?;
                }
            }
            other => bail!("expected a welcome, received {other:?}"),
        }
        Ok(link)
    }

    /// The server's first video; each server in this benchmark has one.
    pub fn video(&self) -> Result<VideoInfo> {
        self.videos.first().cloned().context("the server offers no video")
    }

    /// Starts the triptych of the video with a credit of `items`, in one packet. Returns when it was requested.
    pub fn watch(&mut self, stream: StreamId, from: Position, items: u32) -> Result<Instant> {
        let video = self.video()?.id;
        let asked_at = Instant::now();
        self.send(&[
            test_messages::watch_message(stream, video, Quality::Triptych, from),
            ClientMessage::Grant { stream, epoch: Epoch(0), items },
        ])?;
        Ok(asked_at)
    }

    /// Sends messages. They are small and rare, so the socket always has room for them.
    pub fn send(&mut self, messages: &[ClientMessage]) -> Result<()> {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| encode_client(message).to_vec()).collect();
        let written = self.stream.try_write(&bytes).context("the server does not read what is sent to it")?;
        ensure!(written == bytes.len(), "the server does not read what is sent to it");
        Ok(())
    }

    /// The server's statistics. Items that arrive in the meantime are discarded.
    pub async fn statistics(&mut self) -> Result<Statistics> {
        self.send(&[ClientMessage::AskStatistics])?;
        loop {
            if let Received::Message(ServerMessage::Statistics(statistics)) = self.receive().await? {
                return Ok(statistics);
            }
        }
    }

    /// The next message that concerns a viewer. Cancel safe.
    pub async fn receive(&mut self) -> Result<Received> {
        loop {
            let skipped = self.to_skip.min(self.filled.len());
            self.filled.start += skipped;
            self.to_skip -= skipped;
            if self.to_skip > 0 {
                self.fill().await?;
                continue;
            }
            if let Some(received) = self.passing.take() {
                return Ok(received);
            }
            match self.take()? {
                None if self.to_skip > 0 => {}
                None => self.fill().await?,
                Some(Received::Message(ServerMessage::Ping { number })) => {
                    self.send(&[ClientMessage::Pong { number }])?
                }
                Some(Received::Message(ServerMessage::Joined { .. } | ServerMessage::Left { .. })) => {}
                Some(Received::Message(ServerMessage::Goodbye { reason })) => {
                    bail!("the server said goodbye: {reason}")
                }
                Some(received) => return Ok(received),
            }
        }
    }

    /// The message at the start of the buffer, if enough of it is there. An item is returned once its last part is skipped.
    fn take(&mut self) -> Result<Option<Received>> {
        let held = &self.buffer[self.filled.clone()];
        let Some((prefix, message)) = held.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        let is_item = message.first().is_some_and(|number| [PICTURE, SOUND, PICTURE_PART].contains(number));
        if is_item && message.len() >= length.min(HEAD_BYTES) {
            let item = read_head(message).context("the head of an item cannot be decoded")?;
            self.to_skip = PREFIX_BYTES + length;
            self.passing = self.completed(item);
            return Ok(None);
        }
        ensure!(is_item || PREFIX_BYTES + length <= BUFFER_BYTES, "the server sent a message of {length} bytes");
        if is_item || message.len() < length {
            return Ok(None);
        }
        let message = decode_server(&message[..length])?;
        self.filled.start += PREFIX_BYTES + length;
        Ok(Some(Received::Message(message)))
    }

    /// What has arrived once this part of an item is skipped.
    fn completed(&mut self, item: Head) -> Option<Received> {
        match item {
            Head::Sound(head) => return Some(Received::Sound(head)),
            Head::Picture(head, part_bytes) => {
                self.unfinished = Some((head, (head.jpeg_bytes as usize).saturating_sub(part_bytes)));
            }
            Head::Part(part_bytes) => {
                if let Some((_, missing_bytes)) = &mut self.unfinished {
                    *missing_bytes = missing_bytes.saturating_sub(part_bytes);
                }
            }
        }
        let (head, _) = self.unfinished.take_if(|(_, missing_bytes)| *missing_bytes == 0)?;
        Some(Received::Picture(head))
    }

    async fn fill(&mut self) -> Result<()> {
        // The rest is the beginning of a message: too little for the move to cost anything.
        self.buffer.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        let read = self.stream.read(&mut self.buffer[self.filled.end..]).await?;
        ensure!(read > 0, "the server closed the connection");
        self.filled.end += read;
        Ok(())
    }
}

/// The fields in front of the payload of an item or of a part of one, and the size of the payload.
enum Head {
    Picture(PictureHead, usize),
    /// A part of the picture before it: none comes of a picture that a new epoch has abandoned.
    Part(usize),
    Sound(SoundHead),
}

/// Decodes the fields in front of a payload (`docs/PROTOCOL.md`, sections 3 and 6). The codec would need the whole message,
/// and copy it.
fn read_head(mut message: &[u8]) -> Option<Head> {
    let number = message.split_off_first()?;
    let mut next = || read_number(&mut message);
    let (stream, epoch) = (StreamId(next()?.try_into().ok()?), Epoch(next()?.try_into().ok()?));
    if *number == SOUND {
        let (pts_nanos, format) = (next()?, if next()? == 0 { SoundFormat::Pcm } else { SoundFormat::Opus });
        return Some(Head::Sound(SoundHead { stream, epoch, pts_nanos, format }));
    }
    let index = next()?.try_into().ok()?;
    if *number == PICTURE_PART {
        return Some(Head::Part(next()?.try_into().ok()?));
    }
    let height = next()?.try_into().ok()?;
    let (pts_nanos, duration_nanos, jpeg_bytes) = (next()?, next()?, next()?.try_into().ok()?);
    let origin = *[Origin::Memory, Origin::Disk, Origin::Decoder].get(usize::try_from(next()?).ok()?)?;
    let head = PictureHead { stream, epoch, index, height, pts_nanos, duration_nanos, jpeg_bytes, origin };
    Some(Head::Picture(head, next()?.try_into().ok()?))
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
