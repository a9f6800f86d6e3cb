//! Bytes from one client to messages, one at a time, with a deadline on silence.

use std::io;

use common::{
    codec::{DecodeError, decode_client, decode_greeting, framing},
    limits::{MAX_CLIENT_FRAME_BYTES, MAX_GREETING_BYTES, SILENCE_LIMIT},
    message::ClientMessage,
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};
use tokio_util::{
    codec::{FramedRead, LengthDelimitedCodec, LengthDelimitedCodecError},
    sync::CancellationToken,
};

/// Reads one client's messages.
pub struct Reader<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
    has_joined: bool,
}

/// Why no message came.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The client closed the connection between two messages.
    #[error("the connection was closed")]
    Closed,
    /// The client closed the connection within a message.
    #[error("the connection was closed in the middle of a message")]
    HalfMessage,
    /// The system lost the connection.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The length in front of a message is over the cap.
    #[error("a message of more than {0} bytes was announced; a Triptych client does not do that")]
    TooLong(usize),
    /// Not a message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Nothing came in time.
    #[error("nothing came for {} s", SILENCE_LIMIT.as_secs())]
    Silent,
    /// The server goes down.
    #[error("the server stops")]
    Stopping,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads greetings only, until [`Self::joined`].
    pub fn new(stream: R) -> Self {
        Self { frames: FramedRead::new(stream, framing(MAX_GREETING_BYTES)), has_joined: false }
    }

    /// From here on longer messages are taken.
    pub fn joined(&mut self) {
        self.has_joined = true;
        self.frames.decoder_mut().set_max_frame_length(MAX_CLIENT_FRAME_BYTES);
    }

    /// The next message, if it is whole by `deadline` and the server does not stop before.
    pub async fn next(&mut self, deadline: Instant, stop: &CancellationToken) -> Result<ClientMessage, ReadError> {
        let frame = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(ReadError::Stopping),
            frame = timeout_at(deadline, self.frames.next()) => frame,
        };
        let frame =
            frame.map_err(|_| ReadError::Silent)?.ok_or(ReadError::Closed)?.map_err(|error| self.read_error(error))?;
        Ok(if self.has_joined { decode_client(&frame) } else { decode_greeting(&frame) }?)
    }

    /// Reads and forgets until the other end closes.
    pub async fn drain(&mut self) {
        let mut forgotten = [0; 4096];
        while matches!(self.frames.get_mut().read(&mut forgotten).await, Ok(1..)) {}
    }

    fn read_error(&self, error: io::Error) -> ReadError {
        let is_too_long = error.get_ref().is_some_and(|inner| inner.is::<LengthDelimitedCodecError>());
        match error.kind() {
            _ if is_too_long => ReadError::TooLong(self.frames.decoder().max_frame_length()),
            // What tokio-util says when bytes are left over at the end.
            io::ErrorKind::Other => ReadError::HalfMessage,
            // What rustls says when the other end was killed before it could take its leave.
            io::ErrorKind::UnexpectedEof => ReadError::Closed,
            _ => ReadError::Broken(error),
        }
    }
}
