//! The frames of a connection as messages, checked before anything else sees them.

use std::io;

use bytes::BytesMut;
use common::{
    codec::{decode_server, is_page, is_welcome},
    limits::{MAX_GREETING_BYTES, MAX_PAGE_BYTES},
    message::ServerMessage,
    validate::{self, Breach},
};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec, LengthDelimitedCodecError};

/// A TCP or TLS stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Frames = FramedRead<ReadHalf<Box<dyn Stream>>, LengthDelimitedCodec>;

/// A message as it arrived, and the size of its frame.
pub(super) struct Incoming {
    pub(super) message: ServerMessage,
    pub(super) frame_bytes: usize,
}

/// Why there is no next message.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The connection broke.
    Io(io::Error),
    /// The server sent something that it must not send.
    Breach(Breach),
}

/// Reads one frame as a message, and checks it.
pub(super) async fn next_message(frames: &mut Frames) -> Result<Option<Incoming>, ReadError> {
    let Some(frame) = next_frame(frames).await? else { return Ok(None) };
    understand(&frame).map(Some).map_err(ReadError::Breach)
}

async fn next_frame(frames: &mut Frames) -> Result<Option<BytesMut>, ReadError> {
    let limit = frames.decoder().max_frame_length();
    frames.next().await.transpose().map_err(|error| {
        let is_long = error.get_ref().is_some_and(|cause| cause.is::<LengthDelimitedCodecError>());
        if is_long { ReadError::Breach(Breach::LongFrame(limit)) } else { ReadError::Io(error) }
    })
}

fn understand(frame: &[u8]) -> Result<Incoming, Breach> {
    if is_page(frame) && frame.len() > MAX_PAGE_BYTES {
        return Err(Breach::LongFrame(MAX_PAGE_BYTES));
    }
    let message = validate::server_message(decode_server(frame)?)?;
    Ok(Incoming { message, frame_bytes: frame.len() })
}

/// Reads one frame of the handshake. Only `Welcome` and the pages may be long, so nothing else that is long is even decoded.
pub(super) async fn next_greeting(frames: &mut Frames) -> Result<Option<ServerMessage>, ReadError> {
    let Some(frame) = next_frame(frames).await? else { return Ok(None) };
    if frame.len() > MAX_GREETING_BYTES && !is_welcome(&frame) && !is_page(&frame) {
        return Err(ReadError::Breach(Breach::LongFrame(MAX_GREETING_BYTES)));
    }
    understand(&frame).map(|incoming| Some(incoming.message)).map_err(ReadError::Breach)
}
