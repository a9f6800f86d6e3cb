//! Someone who joins and is there: keeps a room full at little cost, or measures how long joining takes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use common::{
    codec::{decode_server, encode_client, framing},
    crypto::Identity,
    limits::MAX_SERVER_FRAME_BYTES,
    message::{ClientMessage, ServerMessage},
    test_messages,
};
use futures_util::StreamExt;
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

const CLIENT_NONCE: [u8; 32] = [0; 32];

/// Message numbers (`docs/PROTOCOL.md`), so that not every message of a full room is decoded.
const WELCOME: u8 = 2;
const PING: u8 = 11;

/// A connection.
pub struct Guest {
    incoming: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    outgoing: OwnedWriteHalf,
    join: Bytes,
}

impl Guest {
    /// Connects and prepares what it takes to join.
    pub async fn connect(address: SocketAddr, name: &str, identity: &Identity) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (incoming, outgoing) = stream.into_split();
        let mut guest =
            Self { incoming: FramedRead::new(incoming, framing(MAX_SERVER_FRAME_BYTES)), outgoing, join: Bytes::new() };
        guest.outgoing.write_all(&encode_client(&test_messages::hello(CLIENT_NONCE))).await?;
        let ServerMessage::Challenge { nonce, .. } = decode_server(&guest.frame().await?)? else {
            bail!("the server sent no challenge");
        };
        guest.join = encode_client(&test_messages::join(name, identity, CLIENT_NONCE, nonce));
        Ok(guest)
    }

    /// Joins, and reads the dictionary as a client does. Returns how many people are in it and how long that took.
    pub async fn join(&mut self) -> Result<(usize, Duration)> {
        let begun = Instant::now();
        self.outgoing.write_all(&self.join).await?;
        let (mut expected, mut people) = (None, Vec::new());
        while expected.is_none_or(|count| people.len() < count) {
            match decode_server(&self.frame().await?)? {
                ServerMessage::Welcome { people_count, .. } => expected = Some(usize::try_from(people_count)?),
                ServerMessage::People { people: page } => people.extend(page),
                ServerMessage::Ping { .. } => {}
                other => bail!("the server sent {} in place of the dictionary", other.kind()),
            }
        }
        Ok((people.len(), begun.elapsed()))
    }

    /// Joins, answers pings and reads past everything else until the connection ends. Calls `joined` once the server has let
    /// it in.
    pub async fn stay(mut self, joined: impl FnOnce()) -> Result<()> {
        self.outgoing.write_all(&self.join).await?;
        let mut joined = Some(joined);
        loop {
            let frame = self.frame().await?;
            match frame.first() {
                Some(&WELCOME) => joined.take().into_iter().for_each(|joined| joined()),
                Some(&PING) => {
                    if let ServerMessage::Ping { number } = decode_server(&frame)? {
                        self.outgoing.write_all(&encode_client(&ClientMessage::Pong { number })).await?;
                    }
                }
                _ => {}
            }
        }
    }

    /// Leaves, and waits until the server has closed the connection: then another one can join with the same key.
    pub async fn leave(mut self) -> Result<()> {
        self.outgoing.write_all(&encode_client(&ClientMessage::Quit)).await?;
        while let Some(frame) = self.incoming.next().await {
            frame?;
        }
        Ok(())
    }

    async fn frame(&mut self) -> Result<BytesMut> {
        Ok(self.incoming.next().await.context("the server closed the connection")??)
    }
}
