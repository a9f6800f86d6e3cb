//! A client without a window.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use common::{
    codec::{decode_server, encode_client, framing},
    crypto::{Identity, KeyId},
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
    time::timeout,
};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

/// A join that takes longer has failed.
pub const JOIN_LIMIT: Duration = Duration::from_secs(20);

const CLIENT_NONCE: [u8; 32] = [0; 32];

/// A connection that has joined.
pub struct Member {
    incoming: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    outgoing: OwnedWriteHalf,
    /// The id of the member's key.
    pub key_id: KeyId,
}

/// Encodes several messages as one block.
pub fn block(messages: impl IntoIterator<Item = ClientMessage>) -> Bytes {
    messages
        .into_iter()
        .fold(BytesMut::new(), |mut block, message| {
            block.extend_from_slice(&encode_client(&message));
            block
        })
        .freeze()
}

/// `Hello`, the same for each connection.
pub fn hello() -> ClientMessage {
    test_messages::hello(CLIENT_NONCE)
}

/// `Join` with a proof for a server nonce, on a plaintext connection.
pub fn join_message(name: &str, identity: &Identity, server_nonce: [u8; 32]) -> ClientMessage {
    test_messages::join(name, identity, CLIENT_NONCE, server_nonce)
}

impl Member {
    /// Connects and joins.
    pub async fn join(address: SocketAddr, name: &str, identity: &Identity) -> Result<Self> {
        let joining = async {
            let mut member = Self::connect(address, identity.public_key().id()).await?;
            member.send(block([hello()])).await?;
            loop {
                match member.receive().await? {
                    ServerMessage::Challenge { nonce, .. } => {
                        member.send(block([join_message(name, identity, nonce)])).await?;
                    }
                    ServerMessage::Welcome { .. } => return Ok(member),
                    other => bail!("{name} was not welcomed but got {other:?}"),
                }
            }
        };
        timeout(JOIN_LIMIT, joining).await.with_context(|| format!("{name} got no answer to its join"))?
    }

    async fn connect(address: SocketAddr, key_id: KeyId) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (incoming, outgoing) = stream.into_split();
        Ok(Self { incoming: FramedRead::new(incoming, framing(MAX_SERVER_FRAME_BYTES)), outgoing, key_id })
    }

    /// Sends encoded messages.
    pub async fn send(&mut self, block: Bytes) -> Result<()> {
        Ok(self.outgoing.write_all(&block).await?)
    }

    /// The next message; pings are answered.
    pub async fn receive(&mut self) -> Result<ServerMessage> {
        loop {
            let frame = self.incoming.next().await.context("the server closed the connection")??;
            match decode_server(&frame)? {
                ServerMessage::Ping { number } => self.send(block([ClientMessage::Pong { number }])).await?,
                ServerMessage::Goodbye { reason } => bail!("the server said goodbye: {reason}"),
                message => return Ok(message),
            }
        }
    }

    /// Reads until the connection ends, and returns how it ended.
    pub async fn listen(mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.receive().await {
                return error;
            }
        }
    }

    /// Sends what `next` returns, as fast as the server takes it, and reads everything without looking at it.
    pub async fn flood(self, mut next: impl FnMut() -> Bytes) -> Result<()> {
        let mut incoming = self.incoming.into_inner();
        let reading = async { tokio::io::copy(&mut incoming, &mut tokio::io::sink()).await.map(drop) };
        let mut outgoing = self.outgoing;
        let writing = async {
            loop {
                outgoing.write_all(&next()).await?;
            }
        };
        Ok(tokio::select! { result = reading => result, result = writing => result }?)
    }

    /// Sends `block` once, and then reads nothing.
    pub async fn be_deaf(mut self, block: Bytes) -> Result<()> {
        self.send(block).await?;
        std::future::pending().await
    }
}
