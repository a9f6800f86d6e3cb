//! Decodes the byte stream of one client into messages, one at a time, each with a deadline.

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
pub(super) struct Reader<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
    has_joined: bool,
}

/// Why there is no next message. Displays as a clause for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The client closed the connection between two messages.
    #[error("the client closed the connection")]
    Closed,
    /// The client closed the connection within a message.
    #[error("the client closed the connection in the middle of a message")]
    ClosedWithinMessage,
    /// The operating system reports the connection as lost.
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    /// The length prefix exceeds the limit, which is given in bytes.
    #[error("a message is longer than {0} bytes")]
    TooLong(usize),
    /// The frame does not hold a message of the protocol.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The deadline passed.
    #[error("nothing arrived for {} s", SILENCE_LIMIT.as_secs())]
    Silent,
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Accepts only messages up to the size of a greeting until [`Self::joined`].
    pub(super) fn new(stream: R) -> Self {
        Self { frames: FramedRead::new(stream, framing(MAX_GREETING_BYTES)), has_joined: false }
    }

    /// Accepts longer messages from here on.
    pub(super) fn joined(&mut self) {
        self.has_joined = true;
        self.frames.decoder_mut().set_max_frame_length(MAX_CLIENT_FRAME_BYTES);
    }

    /// The next message. It must be complete by `deadline`; cancelling `stop` ends the wait.
    pub(super) async fn next(
        &mut self,
        deadline: Instant,
        stop: &CancellationToken,
    ) -> Result<ClientMessage, ReadError> {
        let frame = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(ReadError::Stopping),
            frame = timeout_at(deadline, self.frames.next()) => frame,
        };
        let frame =
            frame.map_err(|_| ReadError::Silent)?.ok_or(ReadError::Closed)?.map_err(|error| self.read_error(error))?;
        Ok(if self.has_joined { decode_client(&frame) } else { decode_greeting(&frame) }?)
    }

    /// Reads and discards until the client closes the connection.
    pub(super) async fn drain(&mut self) {
        let mut discarded = [0; 4096];
        while matches!(self.frames.get_mut().read(&mut discarded).await, Ok(1..)) {}
    }

    fn read_error(&self, error: io::Error) -> ReadError {
        let is_too_long = error.get_ref().is_some_and(|inner| inner.is::<LengthDelimitedCodecError>());
        match error.kind() {
            _ if is_too_long => ReadError::TooLong(self.frames.decoder().max_frame_length()),
            // What tokio-util reports when the stream ends with an incomplete frame.
            io::ErrorKind::Other => ReadError::ClosedWithinMessage,
            // What rustls reports when the client was killed before it could send `close_notify`.
            io::ErrorKind::UnexpectedEof => ReadError::Closed,
            _ => ReadError::Broken(error),
        }
    }
}
